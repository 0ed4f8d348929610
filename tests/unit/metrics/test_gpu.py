"""On a GPU all metrics are what they are on the CPU, and no stack waits for another. Skipped where there is none."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from blindface.base.randomness import generator
from blindface.evaluation.meters import Faces, Meters, joined
from blindface.external.weights import Weights
from blindface.params import EvaluateParams, LandmarksParams
from tests.unit.pictures import noisy, textured

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
TOLERANCES = {"lpips_squeeze": 1e-4, "identity": 1e-3, "landmark_distance": 1e-2}
"""Networks compute in float32, in another order. Everything else is float64: SSIM was seen to differ by 1.3e-9."""


def test_every_metric_agrees_with_the_cpu() -> None:
    manifest = os.environ.get("BLINDFACE_WEIGHTS")
    weights = Weights.load(Path(manifest) if manifest else None)
    params = EvaluateParams(lpips="squeeze", frechet="mobilefacenet")
    pictures = textured(8)
    points = generator(1, "points").uniform(30, 90, (8, 68, 2)).astype(np.float32)
    faces = Faces(points, np.ones(8, bool), np.tile(np.float32([20, 20, 110, 110]), (8, 1)))
    found = {}
    for name in ("cpu", "cuda"):
        network = LandmarksParams(backend="compressed_fan", detector="yunet")
        meters = Meters.load(params, weights, torch.device(name), True, network)
        values = meters.measure(noisy(pictures, 12), pictures, faces)
        found[name] = {key: joined([value]) for key, value in values.items()}
    assert found["cpu"].keys() == found["cuda"].keys()
    for key, expected in found["cpu"].items():
        assert found["cuda"][key] == pytest.approx(expected, rel=TOLERANCES.get(key, 1e-7), abs=1e-9), key
