"""What a method's failures may not do: improve its numbers in silence."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from blindface.base.errors import InputError, MetricUnavailableError
from blindface.base.image_table import ImageTableWriter, read_table
from blindface.base.images import Image
from blindface.base.threads import in_order
from blindface.cli.external import lines
from blindface.degradation import degrade_many
from blindface.degradation.stage import COLUMNS, _metadata
from blindface.evaluation.consistency import Observed
from blindface.evaluation.failures import Failures, flat_images, sentences
from blindface.evaluation.stage import evaluate
from blindface.external.weights import Weights
from blindface.params import EvaluateParams, PairsParams
from tests.unit.pictures import noisy, textured

PARAMS = EvaluateParams(lpips="squeeze", frechet="mobilefacenet", batch_size=4, bootstrap=50, device="cpu")


def _write(path: Path, column: str, ids: list[str], images: Image) -> Path:
    with ImageTableWriter(path, {"id": pa.string()}, {column: images.shape[1:]}) as writer:
        writer.append({"id": ids}, {column: images})
    return path


def _score(folder: Path, restored: Image, targets: Image, **given: Any) -> dict[str, Any]:
    ids = [f"p{n // 2:02d}/{n:03d}" for n in range(len(targets))]
    _write(folder / "restored", "image", ids, restored)
    _write(folder / "targets", "target", ids, targets)
    options: dict[str, Any] = {"weights": Weights.load(None), "params": PARAMS, "method": "theirs"} | given
    return evaluate(
        folder / "restored", folder / "targets", None, images_out=folder / "i", output=folder / "o", **options
    )


def test_flat_repeated_and_copied_results_are_counted_and_said(tmp_path: Path) -> None:
    targets = textured(8)
    restored = noisy(targets, 9)
    restored[1], restored[3] = 0, 0  # black, and so equal to each other
    restored[4] = (200, 120, 90)  # one colour, not black
    restored[5] = targets[5]
    content = _score(tmp_path, restored, targets)
    assert {kind: entry["images"] for kind, entry in content["failures"].items()} == {
        "flat": 3,
        "repeated": 2,
        "target": 1,
    }
    assert content["failures"]["flat"]["first"] == "p00/001"
    printed = "\n".join(lines(content))
    assert "note: 3 of 8 images are of a single colour" in printed
    assert "note: 1 of 8 images is equal to the target, byte for byte" in printed


def test_a_nearly_black_image_is_flat_and_a_dark_picture_is_not() -> None:
    dark = textured(1) // 8
    dithered = np.random.default_rng(1).integers(0, 2, (1, 128, 128, 3)).astype(np.uint8)
    assert flat_images(np.concatenate([dark, dithered])).tolist() == [False, True]


@pytest.mark.skipif(importlib.util.find_spec("pyiqa") is None, reason="pyiqa is not installed")
def test_a_metric_without_reference_has_no_value_for_a_flat_image(tmp_path: Path) -> None:
    targets = textured(6)
    restored = noisy(targets, 9)
    restored[:2] = 0
    # a flat image has the best entropy for whoever wants it low, and a value of 0 for whoever averages
    params = PARAMS.model_copy(update={"pyiqa": ("entropy", "gmsd")})
    content = _score(tmp_path, restored, targets, params=params)
    assert content["metrics"]["pyiqa_entropy"]["counted"] == 4
    assert content["metrics"]["pyiqa_gmsd"]["counted"] == 6
    assert "pyiqa_entropy" in read_table(tmp_path / "i").columns
    assert "(pyiqa)" in "\n".join(lines(content))
    assert "of 4 of 6 images" in "\n".join(lines(content))


def test_counts_of_nothing_give_no_sentence() -> None:
    failures = Failures()
    failures.add(noisy(textured(2), 5), textured(2))
    assert failures.found(["a", "b"]) == {}
    assert sentences({}, 2) == []


def _pairs(path: Path, ids: list[str], targets: Image, params: PairsParams) -> Path:
    from blindface.degradation import draw

    draws = [draw(params.seed, "objective2", name, params.objective2) for name in ids]
    columns: dict[str, Any] = {key: [getattr(one, key) for one in draws] for key in ("k", "sigma", "s", "delta", "q")}
    columns |= {"id": ids, "target_sha256": [""] * len(ids), "blind_sha256": [""] * len(ids)}
    blind = degrade_many(targets, ids, "objective2", params, workers=1)
    metadata = _metadata("objective2", "test", params)
    with ImageTableWriter(path, COLUMNS, {"blind": blind.shape[1:]}, metadata) as writer:
        writer.append(columns, {"blind": blind})
    return path


def test_the_target_explains_its_blind_image_exactly_and_another_picture_does_not(tmp_path: Path) -> None:
    targets, ids = textured(6), [f"p{n // 2:02d}/{n:03d}" for n in range(6)]
    params = PairsParams(seed=7, kernel="odd_up", chroma="444")
    pairs = _pairs(tmp_path / "pairs", ids, targets, params)
    observed = Observed.load(pairs, ids)
    assert observed.params == params.model_copy(update={"objective1": observed.params.objective1})
    (blind,) = observed.blind(16)
    assert observed.consistency(targets, blind, 0).tolist() == [100.0] * 6
    other = observed.consistency(targets[::-1].copy(), blind, 0)
    near = observed.consistency(noisy(targets, 4), blind, 0)
    assert (other < near).all()
    assert (near < 100).all()
    content = _score(tmp_path, targets, targets, pairs=pairs)
    entry = content["metrics"]["consistency"]
    assert (entry["image_mean"], entry["interval"], content["objective"]) == (100, [100, 100], "objective2")


def test_pairs_of_other_images_are_refused_and_pairs_without_draws_give_no_number(tmp_path: Path) -> None:
    targets = textured(2)
    pairs = _pairs(tmp_path / "pairs", ["a/1", "a/2"], targets, PairsParams())
    with pytest.raises(InputError, match="lacks 1 of the restored images, first a/3"):
        Observed.load(pairs, ["a/1", "a/3"])
    bare = _write(tmp_path / "bare", "blind", ["a/1"], targets[:1])
    with pytest.raises(MetricUnavailableError, match="does not say how"):
        Observed.load(bare, ["a/1"])


def test_stacks_measured_side_by_side_come_in_order_and_errors_in_their_place() -> None:
    done: list[int] = []

    def work(item: int) -> int:
        if item == 30:
            raise ValueError("thirty")
        return item * item

    with pytest.raises(ValueError, match="thirty"):
        for value in in_order(work, range(50), 3):
            done.append(value)
    assert done == [n * n for n in range(30)]
    assert list(in_order(work, range(5), 1)) == [0, 1, 4, 9, 16]


def test_the_number_of_threads_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    targets = textured(40)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    _score(tmp_path, noisy(targets, 9), targets)
    first = (tmp_path / "i").read_bytes()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    _score(tmp_path, noisy(targets, 9), targets)
    assert (tmp_path / "i").read_bytes() == first
