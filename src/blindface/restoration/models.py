"""A trained model as what restores: uint8 images in, uint8 images out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blindface.base.errors import DeviceError, InputError
from blindface.base.images import Image, signed_to_uint8, to_signed

if TYPE_CHECKING:
    # Loading PyTorch takes seconds, which the methods without a model need not spend.
    import torch

    from blindface.networks.model_file import Restoring
    from blindface.params.results import FlowParams

CACHED = 8
"""Images at a time on a processor: features of more do not fit its cache, which more than doubles the time."""


@dataclass(frozen=True)
class Model:
    """A loaded generator file; `input_size`: the side of its blind images in px."""

    path: Path
    network: Restoring

    @property
    def input_size(self) -> int:
        """The side of the images it takes, in px."""
        return self.network.input_size

    def __call__(self, images: Image, ids: Sequence[str]) -> Image:
        """Restore uint8 (N, S, S, 3), S the input size, to (N, 128, 128, 3); ids: of the images, for what is drawn."""
        return restore_images(self.network, images, ids)[-1]


def load_model(
    path: Path, weights: str = "ema", device: torch.device | str = "cpu", flow: FlowParams | None = None
) -> Model:
    """Load a generator file of any recipe; flow: how one of that recipe restores.

    Errors: InputError if it is missing or broken.
    """
    from blindface.networks.flow_restorer import FlowRestorer, Sampling
    from blindface.networks.model_file import load_generator

    network = load_generator(path, weights, device)
    if isinstance(network, FlowRestorer) and flow is not None:
        network.sampling = Sampling(flow.steps, seed=flow.seed)
    return Model(Path(path), network)


def restore_images(network: Restoring, images: Image, ids: Sequence[str] | None = None) -> list[Image]:
    """Restore a batch of uint8 images (N, S, S, 3), S the network's input size, into the uint8 images of all steps.

    ids: of the images, by which a flow seeds its noise; None: their places. A network's output in [-1, 1] is clipped
    and rounded to the nearest of 256 levels: round((x + 1) * 127.5).
    Errors: InputError if the images do not fit the network; DeviceError if the GPU's memory does not suffice.
    """
    import torch

    if images.shape[1] != network.input_size:
        raise InputError(f"the model restores images of {network.input_size} px, got {images.shape[1]} px")
    device = next(network.parameters()).device
    at_a_time = CACHED if device.type == "cpu" else max(len(images), 1)
    names = [str(place) for place in range(len(images))] if ids is None else list(ids)
    try:
        with torch.inference_mode():
            parts = torch.split(torch.tensor(images, device=device), at_a_time)
            starts = range(0, max(len(images), 1), at_a_time)
            outputs = [
                network.restore(to_signed(part), names[start : start + at_a_time])
                for start, part in zip(starts, parts, strict=True)
            ]
        return [
            torch.cat([signed_to_uint8(image) for image in step]).cpu().numpy() for step in zip(*outputs, strict=True)
        ]
    except torch.cuda.OutOfMemoryError as error:
        raise DeviceError(
            f"the GPU's memory does not suffice for {len(images)} images at a time: lower restore.batch_size"
        ) from error
