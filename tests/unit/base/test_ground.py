"""Randomness, ranges and atomic files."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from blindface.base import files, images, randomness
from blindface.base.errors import InputError


def test_generators_depend_on_every_word_of_the_purpose():
    draws = {
        tuple(randomness.generator(seed, *purpose).integers(0, 2**32, 4))
        for seed in (1, 2)
        for purpose in [("a",), ("b",), ("a", "b"), ("ab",), ("a", 1), ("a", 2)]
    }
    assert len(draws) == 12


def test_generator_is_the_same_on_every_machine():
    # SHA-256 of "2024\x1fpairs", first 16 bytes, computed with sha256sum
    assert randomness.derive_seed(2024, "pairs") == 0x516D30F3DDA2EB413C2BCB37E1549CC5


def test_uint8_survives_the_way_to_the_network_and_back():
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).expand(1, 16, 16, 3)
    signed = images.to_signed(levels)
    assert signed.min() == -1
    assert signed.max() == 1
    assert torch.equal(images.signed_to_uint8(signed), levels)


def test_values_out_of_range_are_clipped_not_wrapped():
    out = images.signed_to_uint8(torch.tensor([-3.0, 3.0, 0.0]).reshape(1, 3, 1, 1))
    assert out.flatten().tolist() == [0, 255, 128]


def test_resize_keeps_an_image_of_the_right_size():
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert images.resize(image, 4, "linear") is image
    assert images.resize(image, 8, "area").shape == (8, 8, 3)


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o007, 0o660)])
def test_files_are_for_whom_the_umask_says_whatever_the_writer_thinks(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with files.atomic_path(tmp_path / "model.safetensors") as temporary:
            save_file({"x": torch.zeros(1)}, temporary)
        with files.atomic_path(tmp_path / "table.csv") as temporary:
            temporary.write_text("a,b\n")
    finally:
        os.umask(before)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "model.safetensors": mode,
        "table.csv": mode,
    }


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_broken_json_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match=r"a\.json is not valid JSON"):
        files.read_json(tmp_path / "a.json")
