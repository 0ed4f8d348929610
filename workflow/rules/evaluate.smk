# Metrics of each restored set, per image and over batches.


rule evaluate:
    input:
        restored="data/restored/{method}.parquet",
        targets=rules.make_targets.output.targets,
        landmarks=rules.detect_landmarks.output.landmarks,
        pairs=lambda wildcards: f"data/pairs/{EXPERIMENT.objectives[wildcards.method]}/test.parquet",
        weights="data/weights/evaluate/manifest.json",
    output:
        scores="data/scores/{method}.json",
        images="data/scores/{method}.parquet",
    log:
        "logs/evaluate.{method}.log",
    benchmark:
        "logs/benchmarks/evaluate.{method}.tsv"
    conda:
        "../envs/blindface.yaml"
    threads: 2
    resources:
        mem_mb=memory,
        runtime="8h",
        gpu=EXPERIMENT.gpus("evaluate"),
    params:
        code=EXPERIMENT.code("evaluate"),
        slice=EXPERIMENT.slice("evaluate", "landmarks", "-landmarks.score"),
        models=lambda wildcards: " ".join(
            f"--model data/models/{model}"
            for model in EXPERIMENT.models(wildcards.method)
        ),
    message:
        "Evaluating {wildcards.method}"
    shell:
        'blindface evaluate --params {params.slice:q} --params "$BLINDFACE_TRACK" {params.models}'
        " --method {wildcards.method} --restored {input.restored}"
        " --targets {input.targets} --pairs {input.pairs} --landmarks {input.landmarks} --weights {input.weights}"
        " --images {output.images} --output {output.scores} 2>&1 | tee {log}"


# Do the models give back faces that they were trained on? Looked up once for all their rows.
rule measure_memorisation:
    input:
        restored=expand("data/restored/{method}.parquet", method=LEARNED),
        targets=rules.make_targets.output.targets,
        split=rules.split.output.split,
        landmarks=rules.detect_landmarks.output.landmarks,
        weights="data/weights/evaluate/manifest.json",
    output:
        memorisation="data/memorisation.json",
    log:
        "logs/measure_memorisation.log",
    benchmark:
        "logs/benchmarks/measure_memorisation.tsv"
    conda:
        "../envs/blindface.yaml"
    threads: 2
    resources:
        mem_mb=memory,
        runtime="2h",
        gpu=EXPERIMENT.gpus("evaluate"),
    params:
        code=EXPERIMENT.code("memorisation"),
        slice=EXPERIMENT.slice("evaluate.bootstrap", "evaluate.seed", "evaluate.device"),
        files=" ".join(f"--restored {m}=data/restored/{m}.parquet" for m in LEARNED),
    message:
        "Looking restored faces up among the training faces"
    shell:
        "blindface memorisation --params {params.slice:q} {params.files} --targets {input.targets}"
        " --split {input.split} --landmarks {input.landmarks} --weights {input.weights}"
        " --output {output.memorisation} 2>&1 | tee {log}"
