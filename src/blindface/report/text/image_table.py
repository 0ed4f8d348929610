"""Every test image of every method in one table, for own work: `pandas.read_csv("reports/per_image.csv")`.

| column | unit | meaning |
|---|---|---|
| id | | the test image |
| method | | as in `metrics.json` |
| any other | the metric's | its value for this image; empty where it has none, or where the method has no such metric |
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from blindface.base.files import write_text
from blindface.report.inputs.material import Material

NAME = "per_image.csv"
DIGITS = 5
"""Significant digits: means over images agree with the tables in every printed digit, and eight methods of the whole
LFW test part, some 21,000 rows, take about 3 MB."""
KEYS = ["id", "method"]


def image_frame(material: Material) -> pd.DataFrame:
    """One row per method and image: methods in the order of the table, the images of each by id; not rounded."""
    frames = [
        material.per_image[method.name].sort_values("id").assign(method=method.name)
        for method in material.rows(material.per_image)
    ]
    whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=KEYS)
    return whole[[*KEYS, *(name for name in whole if name not in KEYS)]]


def write_image_table(material: Material, folder: Path, photographs: bool) -> None:
    """Write the table below `folder`; without photographs, one left by an earlier run is removed: it holds ids."""
    path = folder / NAME
    if photographs:
        text = image_frame(material).to_csv(index=False, float_format=f"%.{DIGITS}g", lineterminator="\n")
        write_text(path, text)
    else:
        path.unlink(missing_ok=True)
