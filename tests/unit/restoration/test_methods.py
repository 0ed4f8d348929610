"""Methods beside the trained objectives: classical, parallel, and the number that validation chooses for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
import torch

from blindface.base import image_table
from blindface.base.errors import InputError, ParameterError
from blindface.base.images import Image, resize, signed_to_uint8, to_signed
from blindface.metrics.psnr import psnr
from blindface.params import Params, RestoreParams, validate
from blindface.restoration.blending import blend
from blindface.restoration.classical import Classical, denoise
from blindface.restoration.methods import FORMER, METHODS, Tuned, chosen_methods, lead_of, objective_of
from blindface.restoration.stage import restore
from blindface.restoration.tuning import Choice, tune
from blindface.restoration.ways import Restorer
from tests.unit.pictures import noisy, textured
from tests.unit.restoration.test_stage import write_model, write_pairs


def pack(path: Path, column: str, images: Image, first: int = 0) -> Path:
    with image_table.ImageTableWriter(path, {"id": pa.string()}, {column: images.shape[1:]}) as writer:
        writer.append({"id": [f"a/a_{number:04}" for number in range(first, first + len(images))]}, {column: images})
    return path


def choose(
    restorer: Restorer, values: tuple[float, ...], pairs: Path | None, targets: Path | None, *more: Any
) -> Choice:
    return tune(restorer, Tuned("strengths", "strength"), values, pairs, targets, *more)


def smooth(count: int) -> Image:
    return np.stack([cv2.GaussianBlur(picture, (0, 0), 4) for picture in textured(count)])


def test_rows_are_made_where_their_recipe_is_and_the_optional_ones_where_they_are_asked_for() -> None:
    rows = ["blind1", "progressive1", "sequence", "blind2", "progressive2"]
    assert list(chosen_methods((), ["progressive"])) == rows
    assert list(chosen_methods(("parallel", "mae1"), ["progressive"])) == [rows[0], "mae1", *rows[1:], "parallel"]
    assert list(chosen_methods(("parallel", "fidelity2"), ["gan", "mean"])) == [
        *("blind1", "mean1", "gan1", "blind2", "mean2", "gan2", "fidelity2")
    ]


def test_the_parameters_take_their_names_from_the_table() -> None:
    with pytest.raises(ParameterError, match="the rows to choose from are classical1, mae1, fidelity1, classical2"):
        validate({"restore": {"methods": ["blind1"]}})
    for name in (*METHODS, *FORMER):
        with pytest.raises(ParameterError, match="a method of its own of that name"):
            validate({"restore": {"external": [{"name": name, "objective": "objective1", "folder": "f"}]}})


def test_every_method_reads_parameters_that_there_are_and_passes_models_of_its_recipe() -> None:
    values = Params().model_dump()
    for method in METHODS.values():
        for block, _, key in (name.partition(".") for name in method.settings):
            assert key in values[block], (method.name, key)
        assert {objective_of(model) for model in method.models[:1]} <= {method.objective}
        assert method.begins is None or METHODS[method.begins].models == method.models[:1]
        assert (method.recipe is None) == (not method.models)


def test_the_leading_row_is_the_best_recipe_that_is_there() -> None:
    assert [lead_of("objective2", names) for names in ((), ("blind2", "sequence"), ("gan1",))] == [None] * 3
    found = [lead_of("objective1", names) for names in (("progressive1", "blind1"), ("gan1", "mean1"))]
    assert [method and method.name for method in found] == ["progressive1", "gan1"]


def test_strength_zero_leaves_the_image_and_a_fitting_one_takes_the_noise_away() -> None:
    clean = smooth(2)
    damaged = noisy(clean, 15)
    assert np.array_equal(denoise(damaged[0], 0), damaged[0])
    cleaned = np.stack([denoise(image, 15) for image in damaged])
    # noise of 15 levels: 24.6 dB
    assert (psnr(cleaned, clean) > psnr(damaged, clean) + 4).all()


def test_colours_keep_their_places_in_the_classical_method() -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    (restored,) = Classical().finish(red[None], 5.0)
    assert restored.shape == (128, 128, 3)
    assert np.abs(restored.astype(int) - (200, 0, 0)).max() <= 3  # CIELAB in whole levels and back


def test_the_classical_method_enlarges_with_lanczos_after_it_denoised() -> None:
    images = noisy(textured(1, size=16), 10)
    expected = resize(denoise(images[0], 8.0), 128, "lanczos")
    assert np.array_equal(Classical().finish(images, 8.0)[0], expected)


class Beside:
    """A blend of the blind images and the targets."""

    def __init__(self, targets: Image) -> None:
        self.targets = targets

    def prepare(self, images: Image, ids: Any, first: Image | None = None) -> tuple[Image, Image]:
        return images, self.targets[: len(images)]

    def finish(self, prepared: tuple[Image, Image], value: float) -> Image:
        return blend(*prepared, value)


def test_a_blend_lies_between_its_parts_and_rounds_halves_up() -> None:
    first, second = np.full((1, 2, 2, 3), 11, np.uint8), np.full((1, 2, 2, 3), 20, np.uint8)
    assert np.array_equal(blend(first, second, 1.0), first)
    assert np.array_equal(blend(first, second, 0.0), second)
    assert blend(first, second, 0.5).max() == 16  # 15.5


def test_the_highest_mean_over_the_validation_images_decides(tmp_path: Path) -> None:
    targets = textured(3)
    pairs = pack(tmp_path / "pairs", "blind", noisy(targets, 12))
    pack(tmp_path / "targets", "target", targets)
    # the second part of the blend is the target itself: the least weight of the first is the best
    method, weights = Beside(targets), (0.9, 0.2, 0.6)
    found = choose(method, weights, pairs, tmp_path / "targets", "psnr", 3)
    assert found.value == 0.2
    assert found.images == 3
    mixed = blend(noisy(targets, 12), targets, 0.6)
    assert found.means["0.6"] == pytest.approx(psnr(mixed, targets).mean().item(), abs=1e-5)
    assert choose(method, weights, pairs, tmp_path / "targets", "ssim", 2 + 1).value == 0.2


def test_batches_do_not_change_the_choice(tmp_path: Path) -> None:
    targets = smooth(5)
    pairs = pack(tmp_path / "pairs", "blind", noisy(targets, 10))
    pack(tmp_path / "targets", "target", targets)
    one, all_at_once = (choose(Classical(), (0.0, 8.0), pairs, tmp_path / "targets", "psnr", size) for size in (2, 5))
    assert one == all_at_once
    assert one.value == 8.0


def test_a_single_value_needs_no_validation_part_and_a_choice_does(tmp_path: Path) -> None:
    assert choose(Classical(), (4.0,), None, None, "psnr", 8).value == 4.0
    with pytest.raises(InputError, match=r"split\.validation above 0"):
        choose(Classical(), (4.0, 5.0), None, None, "psnr", 8)
    empty = pack(tmp_path / "empty", "blind", textured(1)[:0])
    with pytest.raises(InputError, match=r"single value in restore\.strengths"):
        choose(Classical(), (4.0, 5.0), empty, tmp_path / "targets", "psnr", 8)


def test_parallel_gives_objective_1_the_reduced_image_and_records_what_was_chosen(tmp_path: Path) -> None:
    images = write_pairs(tmp_path / "pairs.parquet", 128)
    restorer, upscaler = write_model(tmp_path / "2.safetensors", "plain"), write_model(tmp_path / "1.safetensors")
    with torch.no_grad():
        reduced = np.stack([resize(image, 16, "area") for image in images])
        first, second = (
            signed_to_uint8(network(to_signed(torch.tensor(stack)))[-1]).numpy()
            for network, stack in ((restorer, images), (upscaler, reduced))
        )
    pack(tmp_path / "targets.parquet", "target", blend(first, second, 0.3))
    params = RestoreParams(batch_size=5, blend=(0.0, 0.3, 1.0))
    tuning = {"reduction": "area", "validation": tmp_path / "pairs.parquet", "targets": tmp_path / "targets.parquet"}
    models = [tmp_path / "2.safetensors", tmp_path / "1.safetensors"]
    output = tmp_path / "out.parquet"
    assert restore("parallel", tmp_path / "pairs.parquet", models, output, params, **tuning) == 5
    np.testing.assert_array_equal(image_table.read_images(output, "image"), blend(first, second, 0.3))
    chosen = json.loads(image_table.read_metadata(output)["chosen"])
    assert (chosen["value"], chosen["criterion"], chosen["images"]) == (0.3, "psnr", 5)
    assert chosen["means"]["0.3"] == 100  # the targets themselves
    assert "weight of progressive 2" in chosen["what"]
    begun, again = tmp_path / "begun.parquet", tmp_path / "again.parquet"
    restore("progressive2", tmp_path / "pairs.parquet", models[:1], begun, params)
    restore("parallel", tmp_path / "pairs.parquet", models, again, params, begun=begun, **tuning)
    np.testing.assert_array_equal(image_table.read_images(again, "image"), image_table.read_images(output, "image"))
    given = RestoreParams(blend=(1.0,))
    write_model(tmp_path / "other.safetensors", "plain", 5)
    models[0] = tmp_path / "other.safetensors"
    restore("parallel", tmp_path / "pairs.parquet", models, again, given, reduction="area", begun=begun)
    np.testing.assert_array_equal(image_table.read_images(again, "image"), first)  # objective 2's model is not asked


def test_parallel_refuses_models_that_do_not_fit(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.parquet", 128)
    write_model(tmp_path / "2.safetensors", "plain")
    write_model(tmp_path / "1.safetensors")
    with pytest.raises(InputError, match=r"2\.safetensors restores images of 128 px, but should get .* reduced"):
        restore("parallel", tmp_path / "pairs.parquet", [tmp_path / "2.safetensors"] * 2, tmp_path / "out.parquet")
    with pytest.raises(InputError, match=r"1\.safetensors restores images of 16 px, but gets 128 px"):
        restore("parallel", tmp_path / "pairs.parquet", [tmp_path / "1.safetensors"] * 2, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_methods_without_a_choice_record_none(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.parquet", 16)
    restore("blind1", tmp_path / "pairs.parquet", [], tmp_path / "out.parquet")
    assert image_table.read_metadata(tmp_path / "out.parquet") == {"method": "blind1", "objective": "objective1"}
