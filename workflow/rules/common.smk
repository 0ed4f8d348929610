# What all rules share: checked parameters, their slices, and the source modules behind each stage.
from experiment import MAE, WEIGHTS_KEYS, Experiment, prepare_environment, training_of
from liveness import take_over

prepare_environment(workflow.basedir)
if workflow.is_main_process:
    take_over(Path.cwd(), dry_run=workflow.dryrun)
EXPERIMENT = Experiment(config, workflow.basedir, workflow.overwrite_configfiles)
OBJECTIVES = ["objective1", "objective2"]
PARTS = ["train", "validation", "test"]

# The rows of the table: our methods, and folders that other programs restored.
OWN = EXPERIMENT.methods
EXTERNAL = EXPERIMENT.external
METHODS = [*OWN, *EXTERNAL]


wildcard_constraints:
    objective="|".join(OBJECTIVES),
    part="|".join(PARTS),
    method="|".join(METHODS),
    model="|".join([*EXPERIMENT.models, f"{MAE}1", f"{MAE}2"]),
    stage="|".join(WEIGHTS_KEYS),


def memory(wildcards, input):
    """Megabytes that a job may need: Python with PyTorch, and its packed inputs twice, read and as arrays."""
    return 4000 + 3 * int(input.size_mb)
