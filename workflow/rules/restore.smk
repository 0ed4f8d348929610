# The test part through each method.


rule restore:
    input:
        targets=rules.make_targets.output.targets,
        pairs=lambda wildcards: f"data/pairs/{METHODS[wildcards.method]['pairs']}/test.parquet",
        models=lambda wildcards: expand(
            "data/models/{objective}/generator.safetensors",
            objective=METHODS[wildcards.method]["models"],
        ),
        code=EXPERIMENT.modules("restore"),
    output:
        restored="data/restored/{method}.parquet",
    log:
        "logs/restore.{method}.log",
    benchmark:
        "logs/benchmarks/restore.{method}.tsv"
    conda:
        "../envs/blindface.yaml"
    threads: 2
    resources:
        mem_mb=memory,
        runtime="4h",
        gpu=1,
    params:
        slice=EXPERIMENT.slice("restore"),
        models=lambda wildcards, input: " ".join(
            f"--model {path}" for path in input.models
        ),
    message:
        "Restoring the test part by {wildcards.method}"
    shell:
        "blindface restore --params {params.slice:q} --method {wildcards.method} {params.models}"
        " --pairs {input.pairs} --output {output.restored} 2>&1 | tee {log}"


rule restore_steps:
    input:
        pairs="data/pairs/{objective}/test.parquet",
        model="data/models/{objective}/generator.safetensors",
        code=EXPERIMENT.modules("restore"),
    output:
        steps="data/restored/{objective}.steps.parquet",
    log:
        "logs/restore_steps.{objective}.log",
    benchmark:
        "logs/benchmarks/restore_steps.{objective}.tsv"
    conda:
        "../envs/blindface.yaml"
    resources:
        mem_mb=memory,
        runtime="30m",
    params:
        slice=EXPERIMENT.slice("restore", "report.examples"),
    message:
        "Keeping the three steps of a few examples of {wildcards.objective}"
    shell:
        "blindface restore-steps --params {params.slice:q} --model {input.model} --pairs {input.pairs}"
        " --output {output.steps} 2>&1 | tee {log}"
