# The table, the figures and the page.

# Figure -> its caption and the objective it is about.
FIGURES = {
    "metrics": ("metrics", "both"),
    "examples": ("examples", "both"),
    "steps": ("steps", "both"),
    "degradations": ("degradations", "both"),
    **{f"convergence_{model}": ("convergence", model) for model in MODELS},
    **{
        f"severity_{objective}": (
            "severity",
            objective.replace("objective", "objective "),
        )
        for objective in OBJECTIVES
    },
    **{
        f"subgroups_{issue}": (f"subgroups_{issue}", "both")
        for issue in ["a", "b", "c", "d", "e", "f"]
    },
}


rule write_report:
    input:
        targets=rules.make_targets.output.targets,
        split=rules.split.output.split,
        skipped=rules.make_targets.output.skipped,
        checked=expand(rules.check_data.output.checked, objective=OBJECTIVES),
        weights=expand(rules.fetch_weights.output.manifest, stage=WEIGHTS_KEYS),
        pairs=expand("data/pairs/{objective}/test.parquet", objective=OBJECTIVES),
        models=expand(
            "data/models/{model}/{file}",
            model=MODELS,
            file=["generator.safetensors", "history.csv", "run.json"],
        ),
        restored=expand("data/restored/{method}.parquet", method=METHODS),
        steps=expand("data/restored/{model}.steps.parquet", model=STEPPED),
        spread=expand("data/restored/{model}.spread.parquet", model=SAMPLED),
        scores=expand(rules.evaluate.output.scores, method=METHODS),
        images=expand(rules.evaluate.output.images, method=METHODS),
        memorisation=rules.measure_memorisation.output.memorisation,
        subgroups=rules.measure_subgroups.output.table,
        groups=rules.measure_subgroups.output.notes,
    output:
        table=report(
            "reports/metrics.md",
            caption="../report/table.rst",
            category="Results",
            labels={"file": "table"},
        ),
        page=report(
            "reports/index.html",
            caption="../report/page.rst",
            category="Results",
            labels={"file": "page"},
        ),
        metrics="reports/metrics.json",
        images="reports/per_image.csv",
        plots=expand(
            "reports/plots/{name}.csv",
            name=[
                "metrics",
                "differences",
                "severity",
                *[f"convergence_{model}" for model in MODELS],
            ],
        ),
        figures=[
            report(
                f"reports/figures/{name}.png",
                caption=f"../report/{caption}.rst",
                category="Figures",
                labels={"figure": caption, "objective": objective},
            )
            for name, (caption, objective) in FIGURES.items()
        ],
        drawings=expand("reports/figures/{name}.svg", name=FIGURES),
    log:
        "logs/write_report.log",
    benchmark:
        "logs/benchmarks/write_report.tsv"
    conda:
        "../envs/blindface.yaml"
    resources:
        mem_mb=memory,
        runtime="30m",
    params:
        code=EXPERIMENT.code("report"),
        slice=EXPERIMENT.slice(
            "fetch",
            "split",
            "pairs",
            "landmarks",
            "train",
            "restore",
            "evaluate",
            "subgroups",
            "report",
        ),
        files=lambda wildcards, input: " ".join(
            [f"--pairs {o}=data/pairs/{o}/test.parquet" for o in OBJECTIVES]
            + [f"--steps {m}=data/restored/{m}.steps.parquet" for m in STEPPED]
            + [f"--spread {m}=data/restored/{m}.spread.parquet" for m in SAMPLED]
            + [f"--models {m}=data/models/{m}" for m in MODELS]
            + [f"--restored {m}=data/restored/{m}.parquet" for m in METHODS]
            + [f"--scores {path}" for path in input.scores]
            + [f"--images {path}" for path in input.images]
            + [f"--checked {path}" for path in input.checked]
            + [f"--weights {path}" for path in input.weights]
        ),
    message:
        "Writing the report"
    shell:
        "blindface report --params {params.slice:q} --targets {input.targets} --split {input.split} {params.files}"
        " --skipped {input.skipped} --memorisation {input.memorisation} --subgroups {input.subgroups} --groups {input.groups}"
        " --benchmarks logs/benchmarks --output reports 2>&1 | tee {log}"
