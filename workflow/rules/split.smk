# Which photographs train, validate and test.


rule split:
    input:
        targets=rules.make_targets.output.targets,
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
        code=EXPERIMENT.code("split"),
        slice=EXPERIMENT.slice("split"),
    message:
        "Splitting the photographs"
    shell:
        "blindface split --params {params.slice:q} --targets {input.targets} --output {output.split} 2>&1 | tee {log}"
