"""All metrics of one evaluation: what each needs is loaded once, what cannot be had is recorded with its reason.

On a GPU nothing waits for a result before all stacks are measured: values and features stay there until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blindface.base.errors import ExternalFileError
from blindface.base.images import Image
from blindface.evaluation.catalogue import FRECHET_NAMES
from blindface.external.weights import Weights
from blindface.landmarks.choices import WEIGHTS
from blindface.metrics.high_frequency import high_frequency_error, high_frequency_ratio
from blindface.metrics.identity import cosine_similarity
from blindface.metrics.landmark_distance import measure_landmarks
from blindface.metrics.lpips_distance import TRUNK_FILES, Lpips
from blindface.metrics.ms_ssim import combined, scales
from blindface.metrics.niqe import PristineModel, niqe
from blindface.metrics.psnr import decibels, mean_squared_error
from blindface.metrics.ssim import ssim_y
from blindface.params import EvaluateParams, LandmarksParams

Values = NDArray[np.float64]
Part = torch.Tensor | NDArray[np.floating]
"""What one stack gives: on the device until all stacks are measured, or an array of what is computed on the CPU."""
LANDMARKS = "landmark_distance"
NO_LANDMARKS = "it needs the targets' landmarks, and no landmark file was given: add --landmarks"


@dataclass(frozen=True)
class Faces:
    """Where the faces of a stack are: points (N, 68, 2) and boxes (N, 4) in pixels of the target, found (N,) bool."""

    points: NDArray[np.float32]
    found: NDArray[np.bool_]
    boxes: NDArray[np.float32] | None = None

    def part(self, rows: slice) -> Faces:
        """Those of some images."""
        return Faces(self.points[rows], self.found[rows], None if self.boxes is None else self.boxes[rows])


@dataclass
class Meters:
    """Measures stacks of image pairs; Fréchet features are kept until `features` is asked for."""

    params: EvaluateParams
    device: torch.device
    unavailable: dict[str, str] = field(default_factory=dict)
    backbones: dict[str, str] = field(default_factory=dict)
    _loaded: dict[str, Any] = field(default_factory=dict, repr=False)
    _features: list[tuple[Part, Part]] = field(default_factory=list, repr=False)

    @classmethod
    def load(
        cls,
        params: EvaluateParams,
        weights: Weights,
        device: torch.device,
        faces_known: bool,
        network: LandmarksParams | None = None,
    ) -> Meters:
        """Load every backbone that the parameters ask for and that is there; network: what found the landmarks."""
        meters = cls(params, device)
        trunk = params.lpips
        meters._take(weights, TRUNK_FILES[trunk], [f"lpips_{trunk}"], lambda path: Lpips(trunk, path, device))
        meters._take(weights, "niqe", ["niqe"], PristineModel.load)
        if params.frechet == "inception":
            meters._take(weights, "inception", ["fid"], lambda path: _inception(path, device))
        meters._load_faces(weights, faces_known)
        meters._load_landmarks(weights, faces_known, network)
        return meters

    def _load_faces(self, weights: Weights, faces_known: bool) -> None:
        of_features = [FRECHET_NAMES["mobilefacenet"]] if self.params.frechet == "mobilefacenet" else []
        metrics = ["identity", *of_features]
        if self.params.identity == "none":
            self.unavailable["identity"] = "evaluate.identity is none"
            metrics = of_features
        if not faces_known:
            self.unavailable.update(dict.fromkeys(metrics, NO_LANDMARKS))
        elif metrics:
            self._take(weights, "mobilefacenet", metrics, lambda path: _embedder(path, self.device))

    def _load_landmarks(self, weights: Weights, faces_known: bool, network: LandmarksParams | None) -> None:
        if self.params.landmarks == "none":
            reason = "evaluate.landmarks is none"
        elif not faces_known:
            reason = NO_LANDMARKS
        elif network is None or network.backend == "exact":
            reason = "the targets' landmarks are exact, and no network that found them can look at restored images"
        else:
            name = WEIGHTS[network.backend]
            self._take(
                weights, name, [LANDMARKS], lambda path: _landmark_network(path, network, self.device), LANDMARKS
            )
            return
        self.unavailable[LANDMARKS] = reason

    @property
    def takes_boxes(self) -> bool:
        """Whether a landmark network looks at the restored images, for which it needs the targets' face boxes."""
        return LANDMARKS in self._loaded

    def _take(
        self, weights: Weights, name: str, metrics: list[str], build: Callable[[Any], Any], key: str | None = None
    ) -> None:
        try:
            self._loaded[key or name] = build(weights.path(name))
            self.backbones[name] = weights.entries[name]["sha256"]
        except ExternalFileError as error:
            # a file that is there but broken stops the run: only a recorded lack makes a metric n/a
            if weights.reason(name) is None:
                raise
            self.unavailable.update(dict.fromkeys(metrics, str(error)))

    @torch.inference_mode()
    def measure(self, images: Image, targets: Image, faces: Faces | None) -> dict[str, Part]:
        """One value per image and available metric, for uint8 stacks (N, H, W, 3); keeps the Fréchet features.

        Values are float64 (N,), tensors on the device or arrays; `joined` brings those of all stacks together.
        """
        x = torch.from_numpy(np.array(images)).to(self.device)
        y = torch.from_numpy(np.array(targets)).to(self.device)
        error = mean_squared_error(x, y)
        compared = scales(x, y)
        ratio = high_frequency_ratio(x, y)
        found: dict[str, Part] = {
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
        if faces is not None:
            found |= self._measure_faces(images, targets, faces)
        return found

    def _measure_faces(self, images: Image, targets: Image, faces: Faces) -> dict[str, Part]:
        values: dict[str, Part] = {}
        if "mobilefacenet" in self._loaded:
            embedder = self._loaded["mobilefacenet"]
            a, b = (embedder.embed(stack, faces.points, faces.found) for stack in (images, targets))
            if self.params.frechet == "mobilefacenet":
                self._features.append((a[faces.found], b[faces.found]))
            if self.params.identity == "mobilefacenet":
                values["identity"] = np.where(faces.found, cosine_similarity(a, b), np.nan)
        if LANDMARKS in self._loaded and faces.boxes is not None:
            network = self._loaded[LANDMARKS]
            values[LANDMARKS] = measure_landmarks(network, images, faces.points, faces.boxes, faces.found)
        return values

    def features(self) -> tuple[Values, Values] | None:
        """The Fréchet features of all measured images and of their targets, paired rows; None without a backbone."""
        if not self._features:
            return None
        images, targets = (joined(side) for side in zip(*self._features, strict=True))
        return images, targets


def joined(parts: Iterable[Part]) -> Values:
    """Values or features of all stacks, in order, as one float64 array."""
    arrays = [part.double().cpu().numpy() if isinstance(part, torch.Tensor) else part for part in parts]
    return np.concatenate(arrays).astype(np.float64, copy=False)


def _inception(path: Any, device: torch.device) -> Any:
    from blindface.metrics.inception import Inception

    return Inception(path, device)


def _embedder(path: Any, device: torch.device) -> Any:
    from blindface.evaluation.faces import FaceEmbedder

    return FaceEmbedder(path, torch.get_num_threads(), device)


def _landmark_network(path: Any, network: LandmarksParams, device: torch.device) -> Any:
    from blindface.landmarks.choices import make_backend

    return make_backend(network.backend, path, network.detector, network.margin, str(device), network.batch_size)
