"""LPIPS v0.1 (Zhang et al. 2018) through the lpips package, the only module that imports it.

The package takes the trunk from torch hub's cache without looking at its hash; here it comes from a verified file. The
linear heads are those in the package's wheel.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal

import torch

from blindface.base.errors import ExternalFileError
from blindface.base.images import to_signed
from blindface.metrics.stacks import Stack, as_pair

Trunk = Literal["vgg", "alex", "squeeze"]
TRUNK_FILES: dict[str, str] = {"vgg": "vgg16", "alex": "alexnet", "squeeze": "squeezenet1_1"}
"""The registry's name of each trunk's weights."""


class Lpips:
    """LPIPS with one trunk; float32 (no TF32), inputs in [-1, 1], mean over places."""

    def __init__(self, trunk: Trunk, weight_file: Path, device: torch.device | None = None) -> None:
        """Build the network and load the trunk. Errors: ExternalFileError if the file does not fit it."""
        from blindface.base.torchvision_repair import repair

        repair()
        import lpips

        self.device = device or torch.device("cpu")
        with warnings.catch_warnings():
            # lpips asks torchvision in a way that it calls deprecated; nothing a user can change
            warnings.simplefilter("ignore", UserWarning)
            network = lpips.LPIPS(net=trunk, version="0.1", pnet_rand=True, verbose=False)
        _load_trunk(network.net, trunk, weight_file)
        self.network: Any = network.eval().requires_grad_(False).to(self.device)

    def __call__(self, images: Stack, targets: Stack) -> torch.Tensor:
        """The distance of each pair of uint8 stacks (N, H, W, 3): float64 (N,)."""
        first, second = as_pair(images, targets)
        return self.between(to_signed(first.to(self.device)), to_signed(second.to(self.device)))

    @torch.inference_mode()
    def between(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """The distance of float (N, 3, H, W) stacks in [-1, 1]: float64 (N,)."""
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            distance: torch.Tensor = self.network(first, second)
        return distance.flatten().double()


def _load_trunk(network: torch.nn.Module, trunk: str, path: Path) -> None:
    """Fill lpips' slices from a torchvision classifier's file, or from its `features.*` alone."""
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        features = {key.removeprefix("features."): value for key, value in stored.items() if "classifier" not in key}
        # lpips names a layer slice2.3.squeeze.weight that torchvision names features.3.squeeze.weight
        network.load_state_dict({key: features[key.split(".", 1)[1]] for key in network.state_dict()})
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ExternalFileError(f"{path} does not hold the LPIPS trunk '{trunk}' ({reason}): fetch it again") from error
