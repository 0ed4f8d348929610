"""A method whose results failed, in everything that the report writes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from blindface.base.files import read_json, write_json
from blindface.report import build_report
from tests.unit.report.inputs import write_inputs


def test_text_page_and_csv_say_of_how_many_images_a_number_is_and_what_failed(tmp_path: Path) -> None:
    sources = write_inputs(tmp_path / "in", count=12)
    path = next(path for path in sources.scores if path.stem not in ("blind1", "blind2", "sequence"))
    content = read_json(path)
    content["metrics"]["niqe"] |= {"batch_mean": 1.0, "image_mean": 1.0, "interval": [0.9, 1.1], "counted": 6}
    content["failures"] = {"flat": {"images": 6, "first": "Person_000/Person_000_0001"}}
    write_json(path, content)
    build_report(sources, tmp_path / "out")
    text, page = ((tmp_path / "out" / name).read_text() for name in ("metrics.md", "index.html"))
    for written in (text, page):
        assert "6 of 12 images" in written
        assert "6 of 12 images are of a single colour" in written
    assert "**1.00**" not in text
    assert "<strong>1.00</strong>" not in page
    rows = pd.read_csv(tmp_path / "out" / "plots" / "metrics.csv")
    row = rows[(rows["method"] == path.stem) & (rows["metric"] == "niqe")].iloc[0]
    assert (row["counted"], row["images"]) == (6, 12)
    assert read_json(tmp_path / "out" / "metrics.json")[path.stem]["niqe_counted"] == 6
