# What all rules share: checked parameters, their slices, and the source modules behind each stage.
from experiment import WEIGHTS_KEYS, Experiment, prepare_environment

prepare_environment(workflow.basedir)
EXPERIMENT = Experiment(config, workflow.basedir, workflow.overwrite_configfiles)
OBJECTIVES = ["objective1", "objective2"]
PARTS = ["train", "validation", "test"]

# What each restored set is made from: its pairs, and the models it passes in order.
METHODS = {
    "blind1": {"pairs": "objective1", "models": []},
    "objective1": {"pairs": "objective1", "models": ["objective1"]},
    "sequence": {"pairs": "objective1", "models": ["objective1", "objective2"]},
    "blind2": {"pairs": "objective2", "models": []},
    "objective2": {"pairs": "objective2", "models": ["objective2"]},
}


wildcard_constraints:
    objective="|".join(OBJECTIVES),
    part="|".join(PARTS),
    method="|".join(METHODS),
    stage="|".join(WEIGHTS_KEYS),


def memory(wildcards, input):
    """Megabytes that a job may need: Python with PyTorch, and its packed inputs twice, read and as arrays."""
    return 4000 + 3 * int(input.size_mb)
