# Progressive WGAN-GP training of one objective; a killed run goes on from its last checkpoint.

# What both trainings below read.
TRAINED_FROM = dict(
    targets=rules.make_targets.output.targets,
    train="data/pairs/objective{number}/train.parquet",
    validation="data/pairs/objective{number}/validation.parquet",
    landmarks=rules.detect_landmarks.output.landmarks,
    weights="data/weights/train/manifest.json",
    # The gate has to be passed; passing it once more is no reason to train anew.
    checked=ancient("data/checked/objective{number}.json"),
)


rule train:
    input:
        **TRAINED_FROM,
        initial=lambda wildcards: EXPERIMENT.initial(f"objective{wildcards.number}"),
    output:
        generator="data/models/progressive{number}/generator.safetensors",
        history="data/models/progressive{number}/history.csv",
        run="data/models/progressive{number}/run.json",
    log:
        "logs/train.progressive{number}.log",
    benchmark:
        "logs/benchmarks/train.progressive{number}.tsv"
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
        slice=lambda wildcards: EXPERIMENT.train_slice(f"objective{wildcards.number}"),
        folder=lambda wildcards, output: os.path.dirname(output.generator),
    message:
        "Training objective{wildcards.number}"
    shell:
        "blindface train --params {params.slice:q} --params {resources.beside:q} --objective objective{wildcards.number}"
        " --targets {input.targets} --train {input.train} --validation {input.validation}"
        " --landmarks {input.landmarks} --weights {input.weights} --output {params.folder} 2>&1 | tee {log}"


# The same training with the absolute error alone, for the rows mae1 and mae2 (restore.methods).
use rule train as train_mae with:
    input:
        **TRAINED_FROM,
    output:
        generator="data/models/mae{number}/generator.safetensors",
        history="data/models/mae{number}/history.csv",
        run="data/models/mae{number}/run.json",
    log:
        "logs/train.mae{number}.log",
    benchmark:
        "logs/benchmarks/train.mae{number}.tsv"
    params:
        code=EXPERIMENT.code("train"),
        slice=lambda wildcards: EXPERIMENT.mae_slice(f"objective{wildcards.number}"),
        folder=lambda wildcards, output: os.path.dirname(output.generator),
    message:
        "Training objective{wildcards.number} with the absolute error alone"
