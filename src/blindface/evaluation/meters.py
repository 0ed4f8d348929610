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

from blindface.base.errors import ExternalFileError, MetricUnavailableError
from blindface.base.images import Image
from blindface.evaluation.catalogue import below_name, pyiqa_name, set_names
from blindface.evaluation.failures import flat_images
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


@dataclass(frozen=True)
class Measured:
    """What one stack gives: values per image by metric, and the features of images and targets with a usable face."""

    values: dict[str, Part]
    features: tuple[Part, Part] | None = None


@dataclass
class Meters:
    """Measures stacks of image pairs. Nothing is kept between stacks, so several threads may measure at once."""

    params: EvaluateParams
    device: torch.device
    unavailable: dict[str, str] = field(default_factory=dict)
    backbones: dict[str, str] = field(default_factory=dict)
    _loaded: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def load(
        cls,
        params: EvaluateParams,
        weights: Weights,
        device: torch.device,
        faces_known: bool,
        network: LandmarksParams | None = None,
        threads: int | None = None,
    ) -> Meters:
        """Load every backbone that the parameters ask for and that is there.

        network: what found the landmarks; threads: of the face embedding.
        """
        meters = cls(params, device)
        trunk = params.lpips
        meters._take(weights, TRUNK_FILES[trunk], [f"lpips_{trunk}"], lambda path: Lpips(trunk, path, device))
        meters._take(weights, "niqe", ["niqe"], PristineModel.load)
        if params.frechet == "inception":
            meters._take(weights, "inception", set_names(params), lambda path: _inception(path, device))
        meters._load_faces(weights, faces_known, threads or torch.get_num_threads())
        meters._load_landmarks(weights, faces_known, network)
        meters._load_pyiqa(weights)
        return meters

    def _load_faces(self, weights: Weights, faces_known: bool, threads: int) -> None:
        of_features = set_names(self.params) if self.params.frechet == "mobilefacenet" else []
        of_identity = ["identity", below_name(self.params)]
        metrics = [*of_identity, *of_features]
        if self.params.identity == "none":
            self.unavailable |= dict.fromkeys(of_identity, "evaluate.identity is none")
            metrics = of_features
        if not faces_known:
            self.unavailable.update(dict.fromkeys(metrics, NO_LANDMARKS))
        elif metrics:
            self._take(weights, "mobilefacenet", metrics, lambda path: _embedder(path, self.device, threads))

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

    def _load_pyiqa(self, weights: Weights) -> None:
        from blindface.metrics.pyiqa_metric import load_metric

        for name in self.params.pyiqa:
            column = pyiqa_name(name)
            try:
                self._loaded[column] = load_metric(name, weights, column, self.device)
                self.backbones |= {key: weights.entries[key]["sha256"] for key in weights.of(column)}
            except MetricUnavailableError as error:
                self.unavailable[column] = str(error)

    def why_none(self, name: str) -> str:
        """Why no image at all has a value of a metric that was measured."""
        failure = getattr(self._loaded.get(name), "failure", None)
        return f"no image has a value: {failure or 'no face was found, or the images have no contrast'}"

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
    def measure(self, images: Image, targets: Image, faces: Faces | None) -> Measured:
        """One value per image and available metric, for uint8 stacks (N, H, W, 3), and the features.

        Values are float64 (N,), tensors on the device or arrays; `joined` brings those of all stacks together.
        """
        flat = flat_images(images)
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
            natural = niqe(x, self._loaded["niqe"])
            found["niqe"] = torch.where(torch.from_numpy(flat).to(self.device), torch.nan, natural)
        for name in self.params.pyiqa:
            metric = self._loaded.get(pyiqa_name(name))
            if metric is not None:
                value = metric(x, y)
                found[pyiqa_name(name)] = value if metric.full_reference else np.where(flat, np.nan, value)
        features: tuple[Part, Part] | None = None
        if "inception" in self._loaded:
            network = self._loaded["inception"]
            features = (network.features(x), network.features(y))
        if faces is not None:
            values, of_faces = self._measure_faces(images, targets, faces)
            return Measured(found | values, of_faces or features)
        return Measured(found, features)

    def _measure_faces(
        self, images: Image, targets: Image, faces: Faces
    ) -> tuple[dict[str, Part], tuple[Part, Part] | None]:
        values: dict[str, Part] = {}
        features: tuple[Part, Part] | None = None
        if "mobilefacenet" in self._loaded:
            embedder = self._loaded["mobilefacenet"]
            a, b = (embedder.embed(stack, faces.points, faces.found) for stack in (images, targets))
            if self.params.frechet == "mobilefacenet":
                features = (a[faces.found], b[faces.found])
            if self.params.identity == "mobilefacenet":
                same = np.where(faces.found, cosine_similarity(a, b), np.nan)
                values["identity"] = same
                below = np.where(np.isnan(same), np.nan, same < self.params.identity_threshold)
                values[below_name(self.params)] = below
        if LANDMARKS in self._loaded and faces.boxes is not None:
            network = self._loaded[LANDMARKS]
            values[LANDMARKS] = measure_landmarks(network, images, faces.points, faces.boxes, faces.found)
        return values, features


def joined(parts: Iterable[Part]) -> Values:
    """Values or features of all stacks, in order, as one float64 array."""
    arrays = [part.double().cpu().numpy() if isinstance(part, torch.Tensor) else part for part in parts]
    return np.concatenate(arrays).astype(np.float64, copy=False)


def _inception(path: Any, device: torch.device) -> Any:
    from blindface.metrics.inception import Inception

    return Inception(path, device)


def _embedder(path: Any, device: torch.device, threads: int) -> Any:
    from blindface.evaluation.faces import FaceEmbedder

    return FaceEmbedder(path, threads, device)


def _landmark_network(path: Any, network: LandmarksParams, device: torch.device) -> Any:
    from blindface.landmarks.choices import make_backend

    return make_backend(network.backend, path, network.detector, network.margin, str(device), network.batch_size)
