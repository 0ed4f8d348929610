"""Which metrics the installed pyiqa has: its own table, read from its file without importing pyiqa.

Importing pyiqa takes seconds, and parameters are checked by every command. The file holds one dictionary and imports
nothing but the standard library.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

NOT_PER_IMAGE = {
    "fid": "it is of two folders: evaluate.frechet has it",
    "sfid": "it is of two folders: evaluate.frechet has such a distance",
    "fid_dinov2": "it is of two folders: evaluate.frechet has such a distance",
    "inception_score": "it is of a folder of many classes",
    "clipscore": "it compares an image with a caption",
    "fgresq_pair": "it ranks two images and gives no single number",
}
"""What pyiqa has that is no number of one image, and why."""


@dataclass(frozen=True)
class PyiqaEntry:
    """A metric of pyiqa: whether it sees the target, and which way it improves."""

    name: str
    full_reference: bool
    better: Literal["higher", "lower"]


@cache
def pyiqa_table() -> Mapping[str, PyiqaEntry] | None:
    """The metrics by name, or None where pyiqa is not installed."""
    found = importlib.util.find_spec("pyiqa")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / "default_model_configs.py"
    spec = importlib.util.spec_from_file_location("blindface_pyiqa_table", path)
    if spec is None or spec.loader is None or not path.is_file():
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {
        name: PyiqaEntry(name, entry.get("metric_mode") == "FR", "lower" if entry.get("lower_better") else "higher")
        for name, entry in module.DEFAULT_CONFIGS.items()
    }


def objection(name: str) -> str | None:
    """Why a name cannot be asked for, with the nearest names, or None; without pyiqa every name will do."""
    if name in NOT_PER_IMAGE:
        return f"pyiqa's '{name}' has no value per image: {NOT_PER_IMAGE[name]}"
    table = pyiqa_table()
    if table is None or name in table:
        return None
    known = [other for other in table if other not in NOT_PER_IMAGE]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"the nearest are {', '.join(near)}" if near else "`pyiqa -ls` lists them"
    return f"pyiqa has no metric '{name}': {hint}"
