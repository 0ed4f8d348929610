"""Features of FID's Inception through pytorch-fid, the only module that imports it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from blindface.base.errors import ExternalFileError
from blindface.base.images import to_unit
from blindface.metrics.stacks import Stack, as_stack

DIMENSIONS = 2048


class Inception:
    """The 2048 numbers after the last pooling of the TensorFlow Inception that FID is defined by.

    pytorch-fid takes its weights from torch hub's cache without looking at their hash; here they come from a verified
    file. It brings the images to 299x299 (bilinear) and [-1, 1] itself. float32, no TF32.
    """

    def __init__(self, weight_file: Path, device: torch.device | None = None) -> None:
        """Build the network and load it. Errors: ExternalFileError if the file does not fit it."""
        from blindface.base.torchvision_repair import repair

        repair()
        from pytorch_fid import inception

        self.device = device or torch.device("cpu")
        usual = inception.load_state_dict_from_url
        inception.load_state_dict_from_url = lambda *_, **__: torch.load(
            weight_file, map_location="cpu", weights_only=True
        )
        try:
            network = inception.InceptionV3([inception.InceptionV3.BLOCK_INDEX_BY_DIM[DIMENSIONS]])
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise ExternalFileError(
                f"{weight_file} does not hold FID's Inception ({reason}): fetch it again"
            ) from error
        finally:
            inception.load_state_dict_from_url = usual
        self.network: Any = network.eval().to(self.device)

    @torch.inference_mode()
    def features(self, images: Stack) -> torch.Tensor:
        """Features of uint8 images (N, H, W, 3): float32 (N, 2048), on the network's device."""
        unit = to_unit(as_stack(images).to(self.device))
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            pooled: torch.Tensor = self.network(unit)[0]
        return pooled.flatten(1)
