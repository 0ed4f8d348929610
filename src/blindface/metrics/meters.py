"""All metrics of one evaluation: what each needs is loaded once, what cannot be had is recorded with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blindface.errors import ExternalFileError
from blindface.external.weights import Weights
from blindface.images import Image
from blindface.metrics.catalogue import FRECHET_NAMES
from blindface.metrics.high_frequency import high_frequency_error, high_frequency_ratio
from blindface.metrics.identity import cosine_similarity
from blindface.metrics.lpips_distance import TRUNK_FILES, Lpips
from blindface.metrics.ms_ssim import combined, scales
from blindface.metrics.niqe import PristineModel, niqe
from blindface.metrics.psnr import decibels, mean_squared_error
from blindface.metrics.ssim import ssim_y
from blindface.params import EvaluateParams

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Faces:
    """Where the faces of a stack are: points (N, 68, 2) in pixels of the 128 px target, found (N,) bool."""

    points: NDArray[np.float32]
    found: NDArray[np.bool_]


@dataclass
class Meters:
    """Measures stacks of image pairs; Fréchet features are kept until `features` is asked for."""

    params: EvaluateParams
    device: torch.device
    unavailable: dict[str, str] = field(default_factory=dict)
    backbones: dict[str, str] = field(default_factory=dict)
    _loaded: dict[str, Any] = field(default_factory=dict, repr=False)
    _features: list[tuple[Values, Values]] = field(default_factory=list, repr=False)

    @classmethod
    def load(cls, params: EvaluateParams, weights: Weights, device: torch.device, faces_known: bool) -> Meters:
        """Load every backbone that the parameters ask for and that is there."""
        meters = cls(params, device)
        frechet = FRECHET_NAMES[params.frechet]
        trunk = params.lpips
        meters._take(weights, TRUNK_FILES[trunk], [f"lpips_{trunk}"], lambda path: Lpips(trunk, path, device))
        meters._take(weights, "niqe", ["niqe"], PristineModel.load)
        if params.frechet == "inception":
            meters._take(weights, "inception", [frechet], lambda path: _inception(path, device))
        needs_faces = ["identity"] + ([frechet] if params.frechet == "mobilefacenet" else [])
        if faces_known:
            meters._take(weights, "mobilefacenet", needs_faces, _embedder)
        else:
            reason = "it needs the targets' landmarks, and no landmark file was given: add --landmarks"
            meters.unavailable.update(dict.fromkeys(needs_faces, reason))
        return meters

    def _take(self, weights: Weights, name: str, metrics: list[str], build: Callable[[Any], Any]) -> None:
        try:
            self._loaded[name] = build(weights.path(name))
            self.backbones[name] = weights.entries[name]["sha256"]
        except ExternalFileError as error:
            # a file that is there but broken stops the run: only a recorded lack makes a metric n/a
            if weights.reason(name) is None:
                raise
            self.unavailable.update(dict.fromkeys(metrics, str(error)))

    @torch.inference_mode()
    def measure(self, images: Image, targets: Image, faces: Faces | None) -> dict[str, Values]:
        """One value per image and available metric, for uint8 stacks (N, H, W, 3); keeps the Fréchet features."""
        x = torch.from_numpy(np.array(images)).to(self.device)
        y = torch.from_numpy(np.array(targets)).to(self.device)
        error = mean_squared_error(x, y)
        compared = scales(x, y)
        ratio = high_frequency_ratio(x, y)
        found = {
            "mse": error,
            "psnr": decibels(error),
            "ssim": compared.similarity[0],
            "ssim_y": ssim_y(x, y),
            "ms_ssim": combined(compared, 5),
            "ms_ssim_4": combined(compared, 4),
            "high_frequency_ratio": ratio,
            "high_frequency_error": high_frequency_error(ratio),
        }
        trunk = self.params.lpips
        if TRUNK_FILES[trunk] in self._loaded:
            found[f"lpips_{trunk}"] = self._loaded[TRUNK_FILES[trunk]](x, y)
        if "niqe" in self._loaded:
            found["niqe"] = niqe(x, self._loaded["niqe"])
        if "inception" in self._loaded:
            network = self._loaded["inception"]
            self._features.append((network.features(x), network.features(y)))
        values = {name: np.asarray(value.cpu().numpy(), dtype=np.float64) for name, value in found.items()}
        if "mobilefacenet" in self._loaded and faces is not None:
            values["identity"] = self._identity(images, targets, faces)
        return values

    def _identity(self, images: Image, targets: Image, faces: Faces) -> Values:
        embedder = self._loaded["mobilefacenet"]
        pair = tuple(np.asarray(embedder.embed(stack, faces.points, faces.found)) for stack in (images, targets))
        if self.params.frechet == "mobilefacenet":
            self._features.append((pair[0][faces.found], pair[1][faces.found]))
        return np.where(faces.found, cosine_similarity(*pair), np.nan)

    def features(self) -> tuple[Values, Values] | None:
        """The Fréchet features of all measured images and of their targets, paired rows; None without a backbone."""
        if not self._features:
            return None
        images, targets = (np.concatenate(side) for side in zip(*self._features, strict=True))
        return images, targets


def _inception(path: Any, device: torch.device) -> Any:
    from blindface.metrics.inception import Inception

    return Inception(path, device)


def _embedder(path: Any) -> Any:
    from blindface.faces import FaceEmbedder

    return FaceEmbedder(path, torch.get_num_threads())
