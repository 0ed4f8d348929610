# 68 facial landmarks of the targets.


rule detect_landmarks:
    input:
        targets=rules.make_targets.output.targets,
        split=rules.split.output.split,
        archive=rules.fetch_photographs.output.archive,
        weights="data/weights/landmarks/manifest.json",
    output:
        landmarks="data/landmarks.parquet",
    log:
        "logs/detect_landmarks.log",
    benchmark:
        "logs/benchmarks/detect_landmarks.tsv"
    conda:
        "../envs/blindface.yaml"
    threads: 8
    resources:
        mem_mb=memory,
        runtime="12h",
        # PFLD and exact points need no card.
        gpu=(
            0
            if EXPERIMENT.values["landmarks"]["device"] == "cpu"
            or EXPERIMENT.values["landmarks"]["backend"] in ("pfld", "exact")
            else 1
        ),
    params:
        code=EXPERIMENT.code("landmarks"),
        slice=EXPERIMENT.slice("landmarks"),
    message:
        "Finding the facial landmarks"
    shell:
        "blindface landmarks --params {params.slice:q} --targets {input.targets} --split {input.split}"
        " --archive {input.archive} --weights {input.weights} --workers {threads}"
        " --output {output.landmarks} 2>&1 | tee {log}"
