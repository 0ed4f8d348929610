# The gate: nothing trains on data that did not pass.


rule check_data:
    input:
        targets=rules.make_targets.output.targets,
        split=rules.split.output.split,
        skipped=rules.make_targets.output.skipped,
        landmarks=rules.detect_landmarks.output.landmarks,
        pairs=expand(rules.degrade.output.pairs, objective=OBJECTIVES, part=PARTS),
        code=EXPERIMENT.modules("check"),
    output:
        checked="data/checked.json",
    log:
        "logs/check_data.log",
    benchmark:
        "logs/benchmarks/check_data.tsv"
    conda:
        "../envs/blindface.yaml"
    params:
        slice=EXPERIMENT.slice("split", "pairs"),
        pairs=lambda wildcards, input: " ".join(
            f"--pairs {path}" for path in input.pairs
        ),
    message:
        "Checking the made data"
    shell:
        "blindface check --params {params.slice:q} --targets {input.targets} --split {input.split} {params.pairs}"
        " --landmarks {input.landmarks} --skipped {input.skipped} --output {output.checked} 2>&1 | tee {log}"
