# Which photographs train, validate and test.


rule split:
    input:
        targets=rules.make_targets.output.targets,
        code=EXPERIMENT.modules("split"),
    output:
        split="data/split.csv",
    log:
        "logs/split.log",
    benchmark:
        "logs/benchmarks/split.tsv"
    conda:
        "../envs/blindface.yaml"
    resources:
        mem_mb=memory,
        runtime="10m",
    params:
        slice=EXPERIMENT.slice("split"),
    message:
        "Splitting the photographs"
    shell:
        "blindface split --params {params.slice:q} --targets {input.targets} --output {output.split} 2>&1 | tee {log}"
