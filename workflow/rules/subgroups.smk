# The paper's critical issues, measured: labels of the photographs, and metrics by group.


rule fetch_attributes:
    input:
        archive=rules.fetch_photographs.output.archive,
    output:
        attributes="data/attributes.parquet",
    log:
        "logs/fetch_attributes.log",
    benchmark:
        "logs/benchmarks/fetch_attributes.tsv"
    conda:
        "../envs/blindface.yaml"
    resources:
        mem_mb=memory,
        runtime="30m",
    params:
        code=EXPERIMENT.code("attributes"),
        slice=EXPERIMENT.slice(
            "fetch.source", "fetch.folder", "fetch.missing", "subgroups.attributes"
        ),
        # Another mirror may hold what was missing before.
        mirror=EXPERIMENT.mirror,
    message:
        "Fetching labels of the photographs"
    shell:
        "blindface attributes --params {params.slice:q} --archive {input.archive}"
        " --output {output.attributes} 2>&1 | tee {log}"


rule measure_subgroups:
    input:
        images=expand(rules.evaluate.output.images, method=METHODS),
        pairs=expand("data/pairs/{objective}/test.parquet", objective=OBJECTIVES),
        landmarks=rules.detect_landmarks.output.landmarks,
        attributes=rules.fetch_attributes.output.attributes,
    output:
        table=report(
            "reports/subgroups.csv",
            caption="../report/subgroups.rst",
            category="Results",
            labels={"file": "groups"},
        ),
        notes="reports/subgroups.json",
    log:
        "logs/measure_subgroups.log",
    benchmark:
        "logs/benchmarks/measure_subgroups.tsv"
    conda:
        "../envs/blindface.yaml"
    resources:
        mem_mb=memory,
        runtime="30m",
    params:
        code=EXPERIMENT.code("subgroups"),
        slice=EXPERIMENT.slice(
            "subgroups", "-subgroups.attributes", "evaluate.bootstrap", "evaluate.seed"
        ),
        files=" ".join(
            [f"--images {m}=data/scores/{m}.parquet" for m in METHODS]
            + [f"--inputs {m}={o}" for m, o in EXPERIMENT.objectives.items()]
            + [f"--blind {o}={m}" for o, m in BLIND.items()]
            + [f"--pairs {o}=data/pairs/{o}/test.parquet" for o in OBJECTIVES]
        ),
    message:
        "Measuring by group of images"
    shell:
        "blindface subgroups --params {params.slice:q} {params.files} --landmarks {input.landmarks}"
        " --attributes {input.attributes} --output {output.table} --notes {output.notes} 2>&1 | tee {log}"
