"""Restoring: the methods, the model file, and what is said about files that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file, save_file

from blindface.base import image_table
from blindface.base.device import choose_device
from blindface.base.errors import DeviceError, InputError
from blindface.base.images import resize, signed_to_uint8, to_signed
from blindface.networks import Generator
from blindface.networks.model_file import hash_tensors, load_generator, save_generator
from blindface.params import RestoreParams
from blindface.restoration.models import CACHED, restore_images
from blindface.restoration.stage import restore, restore_spread, restore_steps


def write_pairs(path: Path, size: int, count: int = 5) -> np.ndarray:
    images = np.random.default_rng(7).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    with image_table.ImageTableWriter(path, {"id": pa.string()}, {"blind": (size, size, 3)}) as writer:
        writer.append({"id": [f"a/a_{i:04}" for i in range(count)]}, {"blind": images})
    return images


def write_model(path: Path, encoder: str = "none", seed: int = 0) -> Generator:
    torch.manual_seed(seed)
    network = Generator(8, encoder)  # type: ignore[arg-type]
    # statistics of their own, so that evaluation and training mode differ
    network(torch.randn(4, 3, network.input_size, network.input_size))
    raw = {
        name: tensor + 0.01 if tensor.is_floating_point() else tensor for name, tensor in network.state_dict().items()
    }
    save_generator(path, {"ema": network.state_dict(), "raw": raw}, network.arguments)
    return network.eval()


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_blind_images_are_only_enlarged_for_display(tmp_path: Path, interpolation: str) -> None:
    images = write_pairs(tmp_path / "pairs.parquet", 16)
    count = restore(
        "blind1", tmp_path / "pairs.parquet", [], tmp_path / "out.parquet", params=RestoreParams(display=interpolation)
    )
    shown = image_table.read_images(tmp_path / "out.parquet", "image")
    assert count == 5
    np.testing.assert_array_equal(shown, [resize(image, 128, interpolation) for image in images])


def test_blind_images_of_full_size_stay_as_they_are(tmp_path: Path) -> None:
    images = write_pairs(tmp_path / "pairs.parquet", 128)
    restore("blind2", tmp_path / "pairs.parquet", [], tmp_path / "out.parquet")
    np.testing.assert_array_equal(image_table.read_images(tmp_path / "out.parquet", "image"), images)
    assert list(image_table.read_table(tmp_path / "out.parquet")["id"]) == [f"a/a_{i:04}" for i in range(5)]


def test_sequence_hands_the_second_model_a_uint8_image(tmp_path: Path) -> None:
    images = write_pairs(tmp_path / "pairs.parquet", 16)
    first, second = write_model(tmp_path / "1.safetensors"), write_model(tmp_path / "2.safetensors", "plain", 1)
    models = [tmp_path / "1.safetensors", tmp_path / "2.safetensors"]
    restore(
        "sequence", tmp_path / "pairs.parquet", models, tmp_path / "out.parquet", params=RestoreParams(batch_size=5)
    )
    with torch.no_grad():
        middle = signed_to_uint8(first(to_signed(torch.tensor(images)))[-1])
        expected = signed_to_uint8(second(to_signed(middle))[-1]).numpy()
    np.testing.assert_array_equal(image_table.read_images(tmp_path / "out.parquet", "image"), expected)


def test_what_the_first_model_restored_already_is_not_made_again(tmp_path: Path) -> None:
    pairs, begun = tmp_path / "pairs.parquet", tmp_path / "begun.parquet"
    write_pairs(pairs, 16)
    for name, encoder, seed in (("1", "none", 0), ("other", "none", 3), ("2", "plain", 1)):
        write_model(tmp_path / f"{name}.safetensors", encoder, seed)
    first, other, second = (tmp_path / f"{name}.safetensors" for name in ("1", "other", "2"))
    restore("progressive1", pairs, [first], begun, params=RestoreParams(batch_size=2))
    results = []
    for models, given in (([first, second], None), ([first, second], begun), ([other, second], begun)):
        restore("sequence", pairs, models, tmp_path / "out.parquet", params=RestoreParams(batch_size=3), begun=given)
        results.append(image_table.read_images(tmp_path / "out.parquet", "image"))
    np.testing.assert_array_equal(results[1], results[2])  # the first model is not asked
    assert np.abs(results[0].astype(int) - results[1]).max() <= 1  # batches of 2 and 3 round differently


def test_what_the_method_does_not_begin_with_is_refused(tmp_path: Path) -> None:
    pairs, fewer, output = tmp_path / "pairs.parquet", tmp_path / "fewer.parquet", tmp_path / "out.parquet"
    write_pairs(pairs, 16)
    write_pairs(fewer, 16, 3)
    write_model(tmp_path / "1.safetensors")
    write_model(tmp_path / "2.safetensors", "plain")
    models = [tmp_path / "1.safetensors", tmp_path / "2.safetensors"]
    restore("blind1", pairs, [], tmp_path / "blind1.parquet")
    restore("progressive1", fewer, models[:1], tmp_path / "progressive1.parquet")
    with pytest.raises(
        InputError, match=r"blind1\.parquet is the result of blind1, but sequence begins with that of pro"
    ):
        restore("sequence", pairs, models, output, begun=tmp_path / "blind1.parquet")
    with pytest.raises(InputError, match=r"progressive1 begins with no other's: leave it out"):
        restore("progressive1", pairs, models[:1], output, begun=tmp_path / "progressive1.parquet")
    with pytest.raises(InputError, match=r"progressive1\.parquet holds other images than .*pairs\.parquet"):
        restore("sequence", pairs, models, output, begun=tmp_path / "progressive1.parquet")
    assert not output.exists()


def test_result_depends_on_no_other_image_of_the_batch(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.parquet", 16)
    write_model(tmp_path / "m.safetensors")
    for size in (1, 5):
        restore(
            "progressive1",
            tmp_path / "pairs.parquet",
            [tmp_path / "m.safetensors"],
            tmp_path / f"{size}.parquet",
            params=RestoreParams(batch_size=size),
        )
    one, all_at_once = (image_table.read_images(tmp_path / f"{size}.parquet", "image").astype(int) for size in (1, 5))
    assert np.abs(one - all_at_once).max() <= 1  # convolutions of other batch sizes round differently


def test_a_processor_takes_no_more_images_at_a_time_than_its_cache_holds(tmp_path: Path) -> None:
    network, taken = write_model(tmp_path / "m.safetensors"), []
    network.register_forward_pre_hook(lambda _, given: taken.append(len(given[0])))
    images = np.random.default_rng(1).integers(0, 256, (2 * CACHED + 1, 16, 16, 3), dtype=np.uint8)
    whole = restore_images(network, images)
    assert taken == [CACHED, CACHED, 1]
    for step in range(3):
        np.testing.assert_array_equal(whole[step][-1:], restore_images(network, images[-1:])[step])
    assert [step.shape[:2] for step in restore_images(network, images[:0])] == [(0, 32), (0, 64), (0, 128)]


def test_steps_are_kept_for_the_first_examples_only(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.parquet", 16)
    write_model(tmp_path / "m.safetensors")
    restore("progressive1", tmp_path / "pairs.parquet", [tmp_path / "m.safetensors"], tmp_path / "all.parquet")
    count = restore_steps(tmp_path / "pairs.parquet", tmp_path / "m.safetensors", tmp_path / "steps.parquet", 3)
    assert count == 3
    assert image_table.read_images(tmp_path / "steps.parquet", "step1").shape == (3, 32, 32, 3)
    assert image_table.read_images(tmp_path / "steps.parquet", "step2").shape == (3, 64, 64, 3)
    last = image_table.read_images(tmp_path / "steps.parquet", "step3").astype(int)
    assert np.abs(last - image_table.read_images(tmp_path / "all.parquet", "image")[:3]).max() <= 1


@pytest.mark.parametrize(("value", "level"), [(-3.0, 0), (-1.0, 0), (0.0, 128), (0.001, 128), (1.0, 255), (9.0, 255)])
def test_outputs_are_clipped_and_rounded(value: float, level: int) -> None:
    assert signed_to_uint8(torch.full((1, 3, 1, 1), value)).unique().tolist() == [level]


def test_raw_and_averaged_weights_are_told_apart(tmp_path: Path) -> None:
    write_model(tmp_path / "m.safetensors")
    ema, raw = (load_generator(tmp_path / "m.safetensors", kind).state_dict() for kind in ("ema", "raw"))
    torch.testing.assert_close(raw["to_rgb.0.bias"], ema["to_rgb.0.bias"] + 0.01)


def test_half_precision_files_are_read(tmp_path: Path) -> None:
    network = write_model(tmp_path / "m.safetensors")
    half = {
        name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in network.state_dict().items()
    }
    save_generator(tmp_path / "half.safetensors", {"ema": half, "raw": half}, network.arguments)
    loaded = load_generator(tmp_path / "half.safetensors")
    assert all(parameter.dtype == torch.float32 for parameter in loaded.parameters())
    blind = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(loaded(blind)[-1], network(blind)[-1], atol=0.02, rtol=0.02)


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_model(tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_hash_sees_one_changed_bit_and_the_name() -> None:
    tensors = {"a": torch.zeros(3), "b": torch.ones(2)}
    assert hash_tensors(tensors) == hash_tensors(dict(reversed(tensors.items())))
    assert hash_tensors(tensors) != hash_tensors({"a": torch.tensor([0.0, 0.0, -0.0]), "b": torch.ones(2)})
    assert hash_tensors(tensors) != hash_tensors({"b": torch.zeros(3), "a": torch.ones(2)})


def test_broken_and_foreign_model_files_are_named(tmp_path: Path) -> None:
    write_model(tmp_path / "m.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "m.safetensors").read_bytes()[:-100])
    save_file({"x": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    (tmp_path / "pickle.safetensors").write_bytes(b"\x80\x04N.")
    state = load_file(tmp_path / "m.safetensors")
    state.pop("ema.to_rgb.0.bias")
    save_file(
        state, tmp_path / "lacking.safetensors", {"blindface": '{"arguments": {"channels": 8, "encoder": "none"}}'}
    )
    for name in ("cut", "foreign", "pickle", "lacking", "missing"):
        with pytest.raises(InputError, match=f"{name}.safetensors"):
            load_generator(tmp_path / f"{name}.safetensors")


def test_a_model_of_the_other_objective_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.parquet", 16)
    write_model(tmp_path / "m.safetensors", "plain")
    with pytest.raises(InputError, match="128 px, but gets 16 px"):
        restore("progressive1", tmp_path / "pairs.parquet", [tmp_path / "m.safetensors"], tmp_path / "out.parquet")
    with pytest.raises(InputError, match="passes 2 models, got 1"):
        restore("sequence", tmp_path / "pairs.parquet", [tmp_path / "m.safetensors"], tmp_path / "out.parquet")
    assert [path.name for path in tmp_path.glob("out*")] == []


def test_a_gpu_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(DeviceError, match="set device to cpu or auto"):
        choose_device("cuda")


def test_a_model_without_samples_has_no_spread(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.parquet", 16)
    write_model(tmp_path / "m.safetensors")
    with pytest.raises(InputError, match=r"m\.safetensors makes one image of each blind one"):
        restore_spread(tmp_path / "pairs.parquet", tmp_path / "m.safetensors", tmp_path / "out", 2, RestoreParams())
