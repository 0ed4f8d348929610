# Progressive WGAN-GP training of one objective; a killed run goes on from its last checkpoint.

# What both trainings below read.
TRAINED_FROM = dict(
    targets=rules.make_targets.output.targets,
    train="data/pairs/{objective}/train.parquet",
    validation="data/pairs/{objective}/validation.parquet",
    landmarks=rules.detect_landmarks.output.landmarks,
    weights="data/weights/train/manifest.json",
    # The gate has to be passed; passing it once more is no reason to train anew.
    checked=ancient("data/checked/{objective}.json"),
)


rule train:
    input:
        **TRAINED_FROM,
        initial=lambda wildcards: EXPERIMENT.initial(wildcards.objective),
    output:
        generator="data/models/{objective}/generator.safetensors",
        history="data/models/{objective}/history.csv",
        run="data/models/{objective}/run.json",
    log:
        "logs/train.{objective}.log",
    benchmark:
        "logs/benchmarks/train.{objective}.tsv"
    conda:
        "../envs/blindface.yaml"
    # One card trains one objective at a time; on the CPU both train side by side, one core each.
    threads: 1 if EXPERIMENT.values["train"]["device"] == "cpu" else 2
    resources:
        mem_mb=memory,
        runtime="3d",
        gpu=(
            0
            if EXPERIMENT.values["train"]["device"] == "cpu"
            else EXPERIMENT.values["train"]["processes"]
        ),
        # Not among the params: what changes no result must not retrain.
        beside=EXPERIMENT.beside_training(),
    params:
        code=EXPERIMENT.code("train"),
        slice=lambda wildcards: EXPERIMENT.train_slice(wildcards.objective),
        folder=lambda wildcards, output: os.path.dirname(output.generator),
    message:
        "Training {wildcards.objective}"
    shell:
        "blindface train --params {params.slice:q} --params {resources.beside:q} --objective {wildcards.objective}"
        " --targets {input.targets} --train {input.train} --validation {input.validation}"
        " --landmarks {input.landmarks} --weights {input.weights} --output {params.folder} 2>&1 | tee {log}"


# The same training with the absolute error alone, for the rows mae1 and mae2 (restore.methods).
use rule train as train_mae with:
    input:
        **TRAINED_FROM,
    output:
        generator="data/models/{objective}.mae/generator.safetensors",
        history="data/models/{objective}.mae/history.csv",
        run="data/models/{objective}.mae/run.json",
    log:
        "logs/train_mae.{objective}.log",
    benchmark:
        "logs/benchmarks/train_mae.{objective}.tsv"
    params:
        code=EXPERIMENT.code("train"),
        slice=lambda wildcards: EXPERIMENT.mae_slice(wildcards.objective),
        folder=lambda wildcards, output: os.path.dirname(output.generator),
    message:
        "Training {wildcards.objective} with the absolute error alone"
