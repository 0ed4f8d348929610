# The gate: nothing trains on data that did not pass.


rule check_data:
    input:
        targets=rules.make_targets.output.targets,
        split=rules.split.output.split,
        skipped=rules.make_targets.output.skipped,
        landmarks=rules.detect_landmarks.output.landmarks,
        pairs=expand(rules.degrade.output.pairs, part=PARTS, allow_missing=True),
    output:
        checked="data/checked/{objective}.json",
    log:
        "logs/check_data.{objective}.log",
    benchmark:
        "logs/benchmarks/check_data.{objective}.tsv"
    conda:
        "../envs/blindface.yaml"
    resources:
        mem_mb=memory,
        runtime="30m",
    params:
        code=EXPERIMENT.code("check"),
        slice=lambda wildcards: EXPERIMENT.check_slice(wildcards.objective),
        pairs=lambda wildcards, input: " ".join(
            f"--pairs {path}" for path in input.pairs
        ),
    message:
        "Checking the data of {wildcards.objective}"
    shell:
        "blindface check --params {params.slice:q} --targets {input.targets} --split {input.split} {params.pairs}"
        " --landmarks {input.landmarks} --skipped {input.skipped} --output {output.checked} 2>&1 | tee {log}"
