# What all rules share: checked parameters, their slices, and one run at a time.
from blindface.params import RECIPES
from blindface.restoration.methods import BLIND
from experiment import MAE, WEIGHTS_KEYS, Experiment, prepare_environment, training_of
from one_run import hold

prepare_environment(workflow.basedir)
EXPERIMENT = Experiment(config, workflow.basedir, workflow.overwrite_configfiles)
EXPERIMENT.export_for_jobs()
OBJECTIVES = ["objective1", "objective2"]
PARTS = ["train", "validation", "test"]

# The rows of the table: our methods, and folders that other programs restored.
OWN = EXPERIMENT.methods
EXTERNAL = EXPERIMENT.external
METHODS = [*OWN, *EXTERNAL]
# The models behind the rows.
MODELS = EXPERIMENT.models(*OWN)
LEARNED = [name for name in OWN if EXPERIMENT.models(name)]
SAMPLED = EXPERIMENT.models(
    *(
        name
        for name in OWN
        if OWN[name].samples and EXPERIMENT.values["restore"]["flow"]["samples"]
    )
)
STEPPED = EXPERIMENT.models(*(name for name in OWN if OWN[name].steps))


onstart:
    # Before the first job, and never on a dry run; jobs on a cluster read this file too.
    if workflow.is_main_process:
        hold(Path.cwd())


wildcard_constraints:
    objective="|".join(OBJECTIVES),
    part="|".join(PARTS),
    number="[12]",
    method="|".join(METHODS),
    model=f"({'|'.join([*RECIPES, MAE])})[12]",
    stage="|".join(WEIGHTS_KEYS),


def memory(wildcards, input):
    """Megabytes that a job may need: Python with PyTorch, and its packed inputs twice, read and as arrays."""
    return 4000 + 3 * int(input.size_mb)
