"""The ablations: the plan that the repository holds is valid, data is linked once, rows and spreads are right."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from blindface.params import load_params

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def ablations() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ablations_benchmark", ROOT / "benchmarks/ablations.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_variant_of_the_plan_is_valid_and_differs_from_the_others(ablations: ModuleType) -> None:
    common, variants = ablations.read_plan(ROOT / "benchmarks/ablations.yaml")
    overlays = ["config/light.yaml", "config/tuned.yaml"]
    found = {
        variant.name: load_params([*(str(ROOT / path) for path in overlays), json.dumps(merged)])
        for variant in variants
        for merged in [ablations.merge(common, variant.changes)]
    }
    assert len(found) == len(variants)
    assert len({variant.folder for variant in variants}) == len(variants)
    budgets = {(params.train.progressive.epochs, params.split.train_limit) for params in found.values()}
    assert len(budgets) == 1, "equal budgets"
    assert found["without attention"].train.progressive.objective1.attention.final == (0, 0, 0)
    seeds = {found[name].train.seed for name in found if name.startswith("objective 1")}
    assert len(seeds) == 3
    assert {params.train.seed for name, params in found.items() if "seed" not in name} == {2024}


def test_merging_goes_into_blocks(ablations: ModuleType) -> None:
    below = {"train": {"seed": 1, "objective1": {"batch_size": 4}}, "split": 1}
    above = {"train": {"objective1": {"encoder": "none"}}}
    assert ablations.merge(below, above) == {
        "train": {"seed": 1, "objective1": {"batch_size": 4, "encoder": "none"}},
        "split": 1,
    }
    assert below["train"] == {"seed": 1, "objective1": {"batch_size": 4}}


def test_data_is_linked_and_results_are_left_behind(ablations: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("data/targets.parquet", "data/models/progressive1/run.json", ".snakemake/metadata/record"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    ablations.link_data(source, tmp_path / "variant")
    assert (tmp_path / "variant/data/targets.parquet").stat().st_nlink == 2
    assert (tmp_path / "variant/.snakemake/metadata/record").stat().st_nlink == 1
    assert not (tmp_path / "variant/data/models").exists()


def test_rows_are_read_and_seeds_give_their_spread(ablations: ModuleType, tmp_path: Path) -> None:
    variants = [
        ablations.Variant("objective 1", "objective1"),
        ablations.Variant("other", "objective1", {"train": {"flip": False}}),
        ablations.Variant("objective 1, seed 7", "objective1", {"train": {"seed": 7}}, of="objective 1"),
    ]
    for variant, psnr in zip(variants[:1] + variants[2:], (20.0, 22.0), strict=True):
        folder = tmp_path / variant.folder / "data"
        for path, content in (
            (
                folder / "scores/progressive1.json",
                {"images": 3, "metrics": {"psnr_batch": {"batch_mean": psnr}, "lpips_vgg": {"batch_mean": None}}},
            ),
            (folder / "models/progressive1/run.json", {"seconds": 5.0, "weights_sha256": "ab", "device": {}}),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
    rows = [row for variant in variants if (row := ablations.read_row(variant, tmp_path))]
    assert [row["name"] for row in rows] == ["objective 1", "objective 1, seed 7"]
    lines = ablations.markdown(rows).splitlines()
    assert lines[2] == "| objective 1 | 20.00 | n/a | n/a | n/a | n/a | n/a |"
    assert lines[3] == "| ± over 2 seeds | 1.41 | n/a | n/a | n/a | n/a | n/a |"
    assert len(lines) == 4
