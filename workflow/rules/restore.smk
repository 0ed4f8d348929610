# The test part through each method.


rule restore:
    input:
        targets=rules.make_targets.output.targets,
        pairs=lambda wildcards: f"data/pairs/{OWN[wildcards.method].objective}/test.parquet",
        models=lambda wildcards: expand(
            "data/models/{model}/generator.safetensors",
            model=OWN[wildcards.method].models,
        ),
        # A number of some methods is tuned on the validation part.
        validation=lambda wildcards: [
            f"data/pairs/{method.objective}/validation.parquet"
            for method in [OWN[wildcards.method]]
            if method.tuned
        ],
        # What its first model restores is another method's result already.
        begun=lambda wildcards: [
            f"data/restored/{begins}.parquet"
            for begins in [OWN[wildcards.method].begins]
            if begins
        ],
    output:
        restored="data/restored/{method}.parquet",
    log:
        "logs/restore.{method}.log",
    benchmark:
        "logs/benchmarks/restore.{method}.tsv"
    wildcard_constraints:
        method="|".join(OWN),
    conda:
        "../envs/blindface.yaml"
    threads: 2
    resources:
        mem_mb=memory,
        runtime="4h",
        gpu=lambda wildcards: EXPERIMENT.gpus(
            "restore", bool(OWN[wildcards.method].models)
        ),
    params:
        code=lambda wildcards: EXPERIMENT.restore_code(wildcards.method),
        slice=lambda wildcards: EXPERIMENT.restore_slice(wildcards.method),
        declared=lambda wildcards: OWN[wildcards.method].deciding,
        models=lambda wildcards, input: " ".join(
            [f"--model {path}" for path in input.models]
            + [f"--validation {path}" for path in input.validation]
            + [f"--begun {path}" for path in input.begun]
        ),
    message:
        "Restoring the test part by {wildcards.method}"
    shell:
        "blindface restore --params {params.slice:q} --method {wildcards.method} {params.models}"
        " --targets {input.targets} --pairs {input.pairs} --output {output.restored} 2>&1 | tee {log}"


rule import_external:
    input:
        targets=rules.make_targets.output.targets,
        pairs=lambda wildcards: f"data/pairs/{EXPERIMENT.objectives[wildcards.method]}/test.parquet",
    output:
        restored="data/restored/{method}.parquet",
    log:
        "logs/import_external.{method}.log",
    benchmark:
        "logs/benchmarks/import_external.{method}.tsv"
    wildcard_constraints:
        method="|".join(EXTERNAL) or "(?!)",
    conda:
        "../envs/blindface.yaml"
    resources:
        mem_mb=memory,
        runtime="30m",
    params:
        code=EXPERIMENT.code("import-folder"),
        folder=lambda wildcards: EXTERNAL[wildcards.method]["folder"],
        state=lambda wildcards: EXPERIMENT.external_state(wildcards.method),
    message:
        "Reading what {wildcards.method} restored"
    shell:
        "blindface import-folder --method {wildcards.method} --folder {params.folder:q} --pairs {input.pairs}"
        " --targets {input.targets} --output {output.restored} 2>&1 | tee {log}"


rule restore_steps:
    input:
        pairs=lambda wildcards: EXPERIMENT.pairs_of(wildcards.model, "test"),
        model="data/models/{model}/generator.safetensors",
    output:
        steps="data/restored/{model}.steps.parquet",
    log:
        "logs/restore_steps.{model}.log",
    benchmark:
        "logs/benchmarks/restore_steps.{model}.tsv"
    wildcard_constraints:
        model="|".join(STEPPED) or "(?!)",
    conda:
        "../envs/blindface.yaml"
    resources:
        mem_mb=memory,
        runtime="30m",
        gpu=EXPERIMENT.gpus("restore"),
    params:
        code=EXPERIMENT.code("restore-steps"),
        slice=EXPERIMENT.slice(
            "restore.weights",
            "restore.device",
            "report.examples",
        ),
    message:
        "Keeping each step of a few examples of {wildcards.model}"
    shell:
        "blindface restore-steps --params {params.slice:q} --model {input.model} --pairs {input.pairs}"
        " --output {output.steps} 2>&1 | tee {log}"


# What a model that samples makes up: the spread of its samples.
rule restore_spread:
    input:
        pairs=lambda wildcards: EXPERIMENT.pairs_of(wildcards.model, "test"),
        model="data/models/{model}/generator.safetensors",
    output:
        spread="data/restored/{model}.spread.parquet",
    log:
        "logs/restore_spread.{model}.log",
    benchmark:
        "logs/benchmarks/restore_spread.{model}.tsv"
    wildcard_constraints:
        model="|".join(SAMPLED) or "(?!)",
    conda:
        "../envs/blindface.yaml"
    resources:
        mem_mb=memory,
        runtime="1h",
        gpu=EXPERIMENT.gpus("restore"),
    params:
        code=EXPERIMENT.code("restore-spread"),
        slice=EXPERIMENT.slice(
            "restore.weights", "restore.device", "restore.flow", "report.examples"
        ),
    message:
        "Sampling a few examples of {wildcards.model}"
    shell:
        "blindface restore-spread --params {params.slice:q} --model {input.model} --pairs {input.pairs}"
        " --output {output.spread} 2>&1 | tee {log}"
