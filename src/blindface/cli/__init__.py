"""The `blindface` command: one module per stage, in the order of the data.

Importing a module here registers its commands; heavy libraries are imported inside the commands, so that
`blindface --help` answers at once.
"""

# isort: off
from blindface.cli import params
from blindface.cli import fetch, photographs, targets, weights, embedded
from blindface.cli import split, pairs, export, calibrate, landmarks, check
from blindface.cli import train, tracking, restore, external, evaluate, memorisation, compare, attributes, subgroups
from blindface.cli import report, difference, publish

__all__ = [
    "attributes",
    "calibrate",
    "check",
    "compare",
    "difference",
    "embedded",
    "evaluate",
    "export",
    "external",
    "fetch",
    "landmarks",
    "memorisation",
    "pairs",
    "params",
    "photographs",
    "publish",
    "report",
    "restore",
    "split",
    "subgroups",
    "targets",
    "tracking",
    "train",
    "weights",
]
