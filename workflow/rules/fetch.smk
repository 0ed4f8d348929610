# Photographs and weights: verified archives, decoded targets.


rule fetch_photographs:
    input:
        code=EXPERIMENT.modules("photographs"),
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
    params:
        slice=EXPERIMENT.slice("fetch.source", "fetch.folder", "fetch.embedded"),
    message:
        "Fetching the photographs"
    shell:
        "blindface photographs --params {params.slice:q} --workers {threads} --output {output.archive} 2>&1 | tee {log}"


rule fetch_weights:
    input:
        code=EXPERIMENT.modules("weights"),
    output:
        manifest="data/weights/manifest.json",
    log:
        "logs/fetch_weights.log",
    benchmark:
        "logs/benchmarks/fetch_weights.tsv"
    conda:
        "../envs/blindface.yaml"
    params:
        slice=EXPERIMENT.weights_slice(),
        # Another mirror may hold what was missing before.
        mirror=EXPERIMENT.mirror,
    message:
        "Fetching the weights of detectors, losses and metrics"
    shell:
        "blindface weights --params {params.slice:q} --output {output.manifest} 2>&1 | tee {log}"


rule make_targets:
    input:
        archive=rules.fetch_photographs.output.archive,
        code=EXPERIMENT.modules("targets"),
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
    params:
        slice=EXPERIMENT.slice(
            "fetch.target_size",
            "fetch.interpolation",
            "fetch.smallest_side",
            "fetch.skip_limit",
        ),
    message:
        "Decoding the photographs to targets"
    shell:
        "blindface targets --params {params.slice:q} --archive {input.archive} --workers {threads}"
        " --output {output.targets} --skipped {output.skipped} 2>&1 | tee {log}"
