"""The models that the repository publishes do what their records say, on this machine too; so does the README."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest

from blindface.base.files import sha256_file
from blindface.degradation import Degrader
from blindface.metrics.lpips_distance import Lpips
from blindface.metrics.psnr import psnr
from blindface.metrics.ssim import ssim
from blindface.networks.model_file import load_generator
from blindface.params import Objective, PairsParams
from blindface.photographs.decode import decode_target
from blindface.publish.readme import BEGIN, END, results_table
from blindface.publish.results import read_results
from blindface.publish.sample import sample_sheet
from blindface.restoration.stage import restore_images

ROOT = Path(__file__).parents[3]
MODELS = ROOT / "models"
objectives = pytest.mark.parametrize("objective", get_args(Objective))


def test_readme_shows_the_published_results() -> None:
    wanted = f"{BEGIN}\n\n{results_table(read_results(ROOT / 'reports' / 'lfw'))}\n\n{END}"
    assert wanted in (ROOT / "README.md").read_text(), "run `make readme`"


@objectives
def test_published_file_is_the_one_of_its_record_and_small(objective: Objective) -> None:
    path = MODELS / f"{objective}.safetensors"
    assert sha256_file(path) == json.loads(path.with_suffix(".json").read_text())["sha256"]
    assert sha256_file(path) in path.with_suffix(".md").read_text()
    assert path.stat().st_size <= 20e6


@objectives
def test_published_model_restores_rendered_faces_as_when_it_was_published(objective: Objective) -> None:
    sheet = sample_sheet(MODELS / f"{objective}.safetensors", objective).astype(int)
    stored = cv2.cvtColor(cv2.imread(str(MODELS / f"{objective}.png")), cv2.COLOR_BGR2RGB).astype(int)
    away = np.abs(sheet - stored)
    # Other processors round their sums otherwise: a level here and there, never a pixel that is seen
    assert away.max() <= 3
    assert (away > 1).mean() < 1e-3


@objectives
def test_published_model_reaches_its_metrics_on_64_photographs(objective: Objective, mirror: Path) -> None:
    published = json.loads((MODELS / f"{objective}.json").read_text())
    record = published["images"]
    assert len(record) == 64
    with tarfile.open(mirror / "lfw" / "lfw-original-150.tar") as archive:
        contents = [archive.extractfile(f"lfw/{name}.jpg").read() for name in record]  # type: ignore[union-attr]
    targets = np.stack([decode_target(content, 128, "area", 64).image for content in contents])
    with Degrader(objective, PairsParams(), workers=1) as degrader:
        blinds = np.stack([degrader.one(target, name)[1] for target, name in zip(targets, record, strict=True)])
    restored = restore_images(load_generator(MODELS / f"{objective}.safetensors"), blinds)[-1]
    lpips = Lpips("squeeze", mirror / "weights" / "squeezenet1_1_features.derived.pth")
    for metric, measured, tolerance in (
        ("psnr", psnr(restored, targets), 0.05),
        ("ssim", ssim(restored, targets), 0.002),
        ("lpips_squeeze", lpips(restored, targets), 0.005),
    ):
        wanted = [values[metric] for values in record.values()]
        if published["self_ensemble"] is not None:  # the mean with the mirror image's result, which is no more
            assert abs(np.mean(np.asarray(measured)) - np.mean(wanted)) < 3 * tolerance, metric
            continue
        np.testing.assert_allclose(np.asarray(measured), wanted, rtol=0, atol=tolerance, err_msg=metric)
