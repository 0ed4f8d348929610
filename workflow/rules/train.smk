# One model: a recipe's of an objective; a killed run goes on from its last checkpoint.


rule train:
    input:
        targets=rules.make_targets.output.targets,
        train=lambda wildcards: EXPERIMENT.pairs_of(wildcards.model, "train"),
        validation=lambda wildcards: EXPERIMENT.pairs_of(wildcards.model, "validation"),
        landmarks=rules.detect_landmarks.output.landmarks,
        weights="data/weights/train/manifest.json",
        # The model that this one begins with.
        begin=lambda wildcards: EXPERIMENT.begin(wildcards.model),
        # The gate has to be passed; passing it once more is no reason to train anew.
        checked=ancient(
            lambda wildcards: f"data/checked/{training_of(wildcards.model)[1]}.json"
        ),
    output:
        generator="data/models/{model}/generator.safetensors",
        history="data/models/{model}/history.csv",
        run="data/models/{model}/run.json",
    log:
        "logs/train.{model}.log",
    benchmark:
        "logs/benchmarks/train.{model}.tsv"
    conda:
        "../envs/blindface.yaml"
    # One GPU trains one model at a time; on the CPU models train side by side, one core each.
    threads: 1 if EXPERIMENT.values["train"]["device"] == "cpu" else 2
    resources:
        mem_mb=memory,
        runtime="3d",
        gpu=(
            0
            if EXPERIMENT.values["train"]["device"] == "cpu"
            else EXPERIMENT.values["train"]["processes"]
        ),
    params:
        code=lambda wildcards: EXPERIMENT.code("train", training_of(wildcards.model)[0]),
        slice=lambda wildcards: EXPERIMENT.train_slice(wildcards.model),
        recipe=lambda wildcards: " ".join(
            f"--{name} {value}"
            for name, value in zip(
                ["recipe", "objective"], training_of(wildcards.model)
            )
        ),
        begin=lambda wildcards, input: " ".join(
            f"--begin {path}" for path in input.begin
        ),
        folder=lambda wildcards, output: os.path.dirname(output.generator),
    message:
        "Training {wildcards.model}"
    shell:
        'blindface train --params {params.slice:q} --params "$BLINDFACE_EXECUTION" {params.recipe} {params.begin}'
        " --targets {input.targets} --train {input.train} --validation {input.validation}"
        " --landmarks {input.landmarks} --weights {input.weights} --output {params.folder} 2>&1 | tee {log}"
