"""Our metrics against pyiqa's, on seeded pictures and with the mirror's pristine model on photographs."""

from __future__ import annotations

import importlib.util
import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image as Pillow

from blindface.base.images import Image, resize, to_unit
from blindface.base.randomness import generator
from blindface.metrics.ms_ssim import ms_ssim
from blindface.metrics.niqe import PristineModel, _normalised, niqe
from blindface.metrics.psnr import psnr
from blindface.metrics.pyiqa_metric import PyiqaMetric
from blindface.metrics.ssim import similarity_maps, ssim, ssim_y
from blindface.metrics.stacks import as_stack
from tests.unit.pictures import grey, noisy, textured

pytestmark = pytest.mark.skipif(importlib.util.find_spec("pyiqa") is None, reason="pyiqa is not installed")


def test_psnr_equals_pyiqa() -> None:
    pictures = textured(2)
    damaged = noisy(pictures, 9)
    # pyiqa adds 1e-8 to the error, which is 1e-5 of this one
    assert psnr(damaged, pictures).numpy() == pytest.approx(PyiqaMetric("psnr")(damaged, pictures).numpy(), abs=1e-4)


def test_ssim_in_colour_equals_pyiqa_apart_from_its_clamp_of_negative_structure() -> None:
    pictures = textured(2)
    damaged = noisy(pictures, 40)
    planes = (to_unit(as_stack(stack)).double() for stack in (damaged, pictures))
    luminance, structure = similarity_maps(*planes)
    clamped = (luminance * structure.clamp(min=0)).mean(dim=(1, 2, 3))
    theirs = PyiqaMetric("ssimc")(damaged, pictures)
    assert clamped.numpy() == pytest.approx(theirs.numpy(), abs=1e-6)
    # the clamp itself moves the value by less than a thousandth even under this much noise
    assert ssim(damaged, pictures).numpy() == pytest.approx(theirs.numpy(), abs=1e-3)


def test_ssim_on_the_luma_equals_pyiqa() -> None:
    pictures = grey(textured(2))
    damaged = noisy(pictures, 5)
    assert ssim_y(grey(damaged), pictures).numpy() == pytest.approx(
        PyiqaMetric("ssim")(grey(damaged), pictures).numpy(), abs=1e-5
    )


def test_ms_ssim_equals_pyiqa_where_five_scales_fit() -> None:
    pictures = grey(textured(2, size=192))
    damaged = grey(noisy(pictures, 5))
    # pyiqa takes the luma, which of a grey picture is the picture
    theirs = PyiqaMetric("ms_ssim")(damaged, pictures)
    assert ms_ssim(damaged, pictures).numpy() == pytest.approx(theirs.numpy(), abs=1e-5)


def _random_model(path: Path) -> PristineModel:
    random = generator(4, "pristine")
    root = random.normal(size=(36, 36))
    scipy.io.savemat(path, {"mu_prisparam": random.random((1, 36)), "cov_prisparam": root @ root.T / 36 + np.eye(36)})
    return PristineModel.load(path)


@pytest.mark.parametrize("size", [128, 192])
def test_niqe_equals_pyiqa_with_one_block_and_with_four(tmp_path: Path, size: int) -> None:
    model = _random_model(tmp_path / "model.mat")
    pictures = grey(textured(2, size=size))
    theirs = PyiqaMetric("niqe", tmp_path / "model.mat")(pictures)
    # pyiqa halves the picture in float32, which moves a fitted shape by one step of its table now and then
    assert niqe(pictures, model).numpy() == pytest.approx(theirs.numpy(), rel=1e-3)


def photographs(mirror: Path, count: int) -> Image:
    """The first photographs of LFW at 128 px."""
    found = []
    with tarfile.open(mirror / "lfw" / "lfw-original-150.tar") as archive:
        for member in archive:
            if member.name.endswith(".jpg"):
                file = archive.extractfile(member)
                assert file is not None
                picture = np.asarray(Pillow.open(io.BytesIO(file.read())).convert("RGB"))
                if picture.shape == (150, 150, 3):
                    found.append(resize(picture, 128, "area"))
            if len(found) == count:
                break
    return np.stack(found)


@pytest.mark.mirror
def test_niqe_of_photographs_agrees_with_pyiqa_but_for_flat_backgrounds_and_luma_ties(mirror: Path) -> None:
    path = mirror / "weights" / "niqe_modelparameters.mat"
    sharp = photographs(mirror, 6)
    blurred = np.stack([cv2.GaussianBlur(picture, (0, 0), 1.5) for picture in sharp])
    model, reference = PristineModel.load(path), PyiqaMetric("niqe", path)
    for pictures in (sharp, blurred):
        difference = niqe(pictures, model) - reference(pictures)
        # measured on 32 photographs: medians 0.003 and 0.009, means -0.010 and -0.035, largest 0.10 and 0.37
        assert difference.abs().median().item() < 0.03
        assert abs(difference.mean().item()) < 0.15
    assert niqe(sharp, model).mean() < niqe(blurred, model).mean()
    assert torch.isfinite(niqe(sharp, model)).all()


def test_flat_places_have_no_contrast_here_and_a_negative_one_in_pyiqa() -> None:
    from pyiqa.archs.func_util import normalize_img_with_gauss

    # a float32 window whose weights sum to 1 + 1e-8: the reason for most of the differences on photographs
    flat = torch.full((1, 1, 96, 96), 200.0, dtype=torch.float64)
    assert (normalize_img_with_gauss(flat, padding="replicate") < 0).all()
    assert (_normalised(flat) == 0).all()


@pytest.mark.mirror
def test_niqe_of_a_public_photograph_is_that_of_pyiqa(mirror: Path) -> None:
    data = pytest.importorskip("skimage.data")
    # Eileen Collins, NASA, public domain: 25 blocks, few flat windows
    picture = data.astronaut()[None]
    path = mirror / "weights" / "niqe_modelparameters.mat"
    value = niqe(picture, PristineModel.load(path)).item()
    assert value == pytest.approx(PyiqaMetric("niqe", path)(picture).item(), abs=3e-3)
    # our value, so that a later change of the method is noticed
    assert value == pytest.approx(3.0602, abs=1e-4)
