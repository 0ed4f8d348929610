# From photographs to report. The includes follow the data; parameters are checked before any rule is read.
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "src"))
sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))


configfile: str(Path(workflow.basedir) / "params.yaml")


include: "workflow/rules/common.smk"
include: "workflow/rules/fetch.smk"
include: "workflow/rules/split.smk"
include: "workflow/rules/pairs.smk"
include: "workflow/rules/landmarks.smk"
include: "workflow/rules/check.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/restore.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/subgroups.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        rules.write_report.output,


# Named targets: `snakemake --cores 4 data` makes and checks the pairs and landmarks, and stops there.
rule data:
    input:
        expand(rules.check_data.output.checked, objective=OBJECTIVES),


rule models:
    input:
        expand("data/models/{model}/generator.safetensors", model=MODELS),
