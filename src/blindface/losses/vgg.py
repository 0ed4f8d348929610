"""VGG19's convolutions up to a wanted depth, in two forms, frozen, read from a weight file.

`vgg19`: torchvision's, trained on ImageNet (Simonyan and Zisserman 2015). Zero padding.
`vgg19_normalised`: the same layers with weights rescaled so that each filter's mean activation over natural images is 1
(Gatys et al. 2015, Li et al. 2017), up to relu3_1, behind a 1x1 convolution that makes BGR levels around the mean of
what RGB in [0, 1] it gets. Reflection padding.
"""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blindface.base.errors import ExternalFileError, ParameterError

Backbone = Literal["vgg19", "vgg19_normalised"]
BLOCKS = (2, 2, 4, 4, 4)
"""Convolutions of each block; a 2x2 max pool lies between blocks."""
WIDTHS = (64, 128, 256, 512, 512)
"""Channels of each block."""
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""Of ImageNet's RGB values in [0, 1], as torchvision's weights expect."""


def layer_names(backbone: Backbone) -> list[str]:
    """The layers whose features can be had, from the shallowest: relu1_1, relu1_2, relu2_1, ..."""
    names = [f"relu{block}_{place}" for block, count in enumerate(BLOCKS, 1) for place in range(1, count + 1)]
    return names if backbone == "vgg19" else names[: names.index("relu3_1") + 1]


def _file_keys(backbone: Backbone) -> Iterator[str]:
    """The names of the convolutions in the weight file, from the shallowest: their place among all layers."""
    # torchvision: conv, relu, conv, relu, pool; normalised: preprocessing, then pad, conv, relu, pad, conv, relu, pool.
    place = 0 if backbone == "vgg19" else 2
    width = 2 if backbone == "vgg19" else 3
    prefix = "features." if backbone == "vgg19" else ""
    for count in BLOCKS:
        for _ in range(count):
            yield f"{prefix}{place}"
            place += width
        place += 1


class VGG19(nn.Module):
    """Features of the named layers, in the given order.

    images: (N, 3, H, W) RGB in [-1, 1] -> one tensor per layer. The network is frozen and always in evaluation mode;
    gradients reach the images. Without a weight file its tensors lie on the meta device: fit to count work, never to
    compute numbers. Errors: ParameterError for a layer that the backbone has not, ExternalFileError for a file that
    does not hold its weights.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, backbone: Backbone, layers: Sequence[str], weight_file: Path | None) -> None:
        super().__init__()
        known = layer_names(backbone)
        unknown = [layer for layer in layers if layer not in known]
        if unknown or not layers:
            problem = f"does not have {', '.join(unknown)}" if unknown else "needs at least one layer"
            raise ParameterError(f"train.perceptual.layers: backbone {backbone} {problem}; it has {', '.join(known)}")
        self.backbone = backbone
        self.layers = tuple(layers)
        depth = max(known.index(layer) for layer in layers) + 1
        self.names = known[:depth]
        self.padding: Literal["zeros", "reflect"] = "zeros" if backbone == "vgg19" else "reflect"
        weights = _read(weight_file, backbone, depth) if weight_file else _blank(depth)
        self.convolutions = nn.ModuleList(_convolution(weight, bias, self.padding) for weight, bias in weights)
        # [-1, 1] to what torchvision's weights expect; the other form has this folded into its first convolution.
        mean, deviation = (MEAN, DEVIATION) if backbone == "vgg19" else ((0.5,) * 3, (0.5,) * 3)
        device = weights[0][0].device
        self.register_buffer("mean", (2 * torch.tensor(mean) - 1).reshape(1, 3, 1, 1).to(device))
        self.register_buffer("deviation", (2 * torch.tensor(deviation)).reshape(1, 3, 1, 1).to(device))
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> VGG19:
        """Stay in evaluation mode."""
        return super().train(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the features of the wanted layers."""
        x = (images - self.mean) / self.deviation
        features = {}
        for name, convolution in zip(self.names, self.convolutions, strict=True):
            if name.endswith("_1") and name != "relu1_1":
                x = F.max_pool2d(x, 2)
            x = F.relu(convolution(x))
            features[name] = x
        return [features[layer] for layer in self.layers]


def random_weights(backbone: Backbone, path: Path) -> Path:
    """Write a file of random weights in the form that `VGG19` reads, fit to be timed and nothing else."""
    depth = len(layer_names(backbone))
    state: dict[str, Tensor] = {}
    for key, (weight, bias) in zip(itertools.islice(_file_keys(backbone), depth), _blank(depth), strict=True):
        random = torch.empty_like(weight, device="cpu")
        nn.init.kaiming_normal_(random)
        state |= {f"{key}.weight": random, f"{key}.bias": torch.zeros(bias.shape)}
    if backbone == "vgg19_normalised":
        state |= {"0.weight": torch.eye(3)[:, :, None, None], "0.bias": torch.zeros(3)}
    torch.save(state, path)
    return path


def _convolution(weight: Tensor, bias: Tensor, padding: Literal["zeros", "reflect"]) -> nn.Conv2d:
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, padding_mode=padding, device=weight.device)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)  # type: ignore[union-attr]
    return layer


def _blank(depth: int) -> list[tuple[Tensor, Tensor]]:
    widths = [3, *(width for width, count in zip(WIDTHS, BLOCKS, strict=True) for _ in range(count))]
    shapes = list(itertools.pairwise(widths))[:depth]
    return [(torch.empty(out, into, 3, 3, device="meta"), torch.empty(out, device="meta")) for into, out in shapes]


def _read(path: Path, backbone: Backbone, depth: int) -> list[tuple[Tensor, Tensor]]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ExternalFileError(f"weights of {backbone} are missing: {path}; fetch them again") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ExternalFileError(f"{path} cannot be read as weights of {backbone} ({reason}): fetch it again") from None
    keys = list(itertools.islice(_file_keys(backbone), depth))
    needed = [f"{key}.{kind}" for key in keys for kind in ("weight", "bias")]
    needed += ["0.weight", "0.bias"] if backbone == "vgg19_normalised" else []
    missing = [key for key in needed if not isinstance(state, dict) or key not in state]
    if missing:
        raise ExternalFileError(f"{path} does not hold the weights of {backbone}: {missing[0]} is not in it")
    weights = [(state[f"{key}.weight"].float(), state[f"{key}.bias"].float()) for key in keys]
    if backbone == "vgg19_normalised":
        weights[0] = _fold(state["0.weight"].float()[:, :, 0, 0], state["0.bias"].float(), *weights[0])
    return weights


def _fold(matrix: Tensor, offset: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Merge the preprocessing v = matrix (x + 1) / 2 + offset of x in [-1, 1] into the convolution after it.

    Exact, since reflection padding commutes with it; and in half precision better, as levels around 100 are never
    rounded. What remains before the convolution, (x - mean) / deviation of `VGG19`, is (x - 0) / 1.
    """
    folded = torch.einsum("oihw,ij->ojhw", weight, matrix / 2)
    constant = weight.sum(dim=(2, 3)) @ (matrix.sum(dim=1) / 2 + offset)
    return folded, bias + constant
