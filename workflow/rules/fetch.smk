# Photographs and weights: verified archives, decoded targets.


rule fetch_photographs:
    output:
        # What was downloaded is write-protected; what can be made again in a moment is not.
        archive=(
            "data/raw/photographs.archive"
            if config["fetch"]["source"] in ("embedded", "folder")
            else protected("data/raw/photographs.archive")
        ),
    log:
        "logs/fetch_photographs.log",
    benchmark:
        "logs/benchmarks/fetch_photographs.tsv"
    conda:
        "../envs/blindface.yaml"
    threads: 8
    resources:
        mem_mb=memory,
        runtime="2h",
    params:
        code=EXPERIMENT.code("photographs"),
        slice=EXPERIMENT.slice("fetch.source", "fetch.folder", "fetch.embedded"),
        # A photograph that was added to the folder, changed or removed asks for a new archive.
        folder=EXPERIMENT.folder_state(),
    message:
        "Fetching the photographs"
    shell:
        "blindface photographs --params {params.slice:q} --workers {threads} --output {output.archive} 2>&1 | tee {log}"


rule fetch_weights:
    output:
        # The files lie beside it. One manifest per stage that reads them: another metric must not retrain.
        manifest="data/weights/{stage}/manifest.json",
    log:
        "logs/fetch_weights.{stage}.log",
    benchmark:
        "logs/benchmarks/fetch_weights.{stage}.tsv"
    conda:
        "../envs/blindface.yaml"
    resources:
        mem_mb=memory,
        runtime="2h",
    params:
        code=EXPERIMENT.code("weights"),
        slice=lambda wildcards: EXPERIMENT.weights_slice(wildcards.stage),
        mirror=EXPERIMENT.mirror,
    message:
        "Fetching the weights of the stage {wildcards.stage}"
    shell:
        "blindface weights --params {params.slice:q} --stage {wildcards.stage} --output {output.manifest} 2>&1 | tee {log}"


rule make_targets:
    input:
        archive=rules.fetch_photographs.output.archive,
    output:
        targets="data/targets.parquet",
        skipped="data/skipped.csv",
    log:
        "logs/make_targets.log",
    benchmark:
        "logs/benchmarks/make_targets.tsv"
    conda:
        "../envs/blindface.yaml"
    threads: 8
    resources:
        mem_mb=memory,
        runtime="1h",
    params:
        code=EXPERIMENT.code("targets"),
        slice=EXPERIMENT.slice(
            "fetch.target_size",
            "fetch.interpolation",
            "fetch.person_level",
            "fetch.smallest_side",
            "fetch.skip_limit",
        ),
    message:
        "Decoding the photographs to targets"
    shell:
        "blindface targets --params {params.slice:q} --archive {input.archive} --workers {threads}"
        " --output {output.targets} --skipped {output.skipped} 2>&1 | tee {log}"
