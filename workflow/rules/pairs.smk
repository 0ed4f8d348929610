# Blind images by equation (1), one packed file per objective and part.


rule degrade:
    input:
        targets=rules.make_targets.output.targets,
        split=rules.split.output.split,
    output:
        pairs="data/pairs/{objective}/{part}.parquet",
    log:
        "logs/degrade.{objective}.{part}.log",
    benchmark:
        "logs/benchmarks/degrade.{objective}.{part}.tsv"
    conda:
        "../envs/blindface.yaml"
    threads: 8
    resources:
        mem_mb=memory,
        runtime="1h",
    params:
        code=EXPERIMENT.code("pairs"),
        slice=lambda wildcards: EXPERIMENT.pairs_slice(wildcards.objective),
    message:
        "Degrading the {wildcards.part} part for {wildcards.objective}"
    shell:
        "blindface pairs --params {params.slice:q} --objective {wildcards.objective} --part {wildcards.part}"
        " --targets {input.targets} --split {input.split} --workers {threads} --output {output.pairs} 2>&1 | tee {log}"
