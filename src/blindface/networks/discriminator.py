"""The discriminator (a critic: its scores are not probabilities), with one entry for each of the three sizes.

Besides the scores it gives their gradient with respect to the image, which the gradient penalty is about, as a pass of
its own: the same weights, run backwards. Differentiating that pass takes ordinary first-order gradients. The other way,
differentiating PyTorch's backward pass, is many times slower for convolutions: the gradient with respect to a 3x3
kernel is then computed as a convolution with kernels as large as the image.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from blindface.base.numerics import in_full
from blindface.networks.backwards import leak, unleak, unpool
from blindface.networks.layers import LEAK, EqualisedConv2d, initialise
from blindface.networks.shared_statistics import (
    EPSILON,
    shared_deviation,
    shared_deviation_gradient,
    sum_over_processes,
)

SIZES = (32, 64, 128)
"""Side of the images of steps 1, 2, 3 in pixels."""


class Discriminator(nn.Module):
    """Images of step 1, 2 or 3 to scores.

    A 1x1 convolution and leaky ReLU enter at the stage of the image's size; each stage is [3x3 convolution (equalised),
    leaky ReLU] twice, the first doubling the channels, and a 2x2 average pool; at 16x16 the batch's standard deviation
    becomes one more channel; 3x3 convolution (equalised), leaky ReLU, mean over the pixels, linear to four times the
    channels, leaky ReLU, linear to one. No normalisation: the gradient penalty is about single images.
    With 64 channels at 128x128 these are 8,065,537 parameters, the paper's number.

    channels: of the entry at 128x128; twice and four times as many at 64x64 and 32x32. processes: how many share a
    batch, set by `networks.synchronised.synchronise`.
    """

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        self.channels = channels
        self.processes = 1
        widths = [4 * channels, 2 * channels, channels]
        top = 8 * channels
        self.from_rgb = nn.ModuleList(initialise(nn.Conv2d(3, width, 1), gain=2.0) for width in widths)
        self.stages = nn.ModuleList(Stage(width, 2 * width) for width in widths)
        self.last = EqualisedConv2d(top + 1, top)
        self.hidden = initialise(nn.Linear(top, 4 * top), gain=2.0)
        self.score = nn.Linear(4 * top, 1)
        initialise(self.score, gain=1.0)

    def forward(self, image: Tensor, step: int, groups: int = 1) -> Tensor:
        """Score one batch, or several equally large ones in a row, which is faster than one after the other.

        image: (groups * N, 3, S, S) with S = 32, 64, 128 for step 1, 2, 3; only images of a group see each other.
        Returns (groups * N,) scores, float32 also under autocast: the losses are differences of scores, of which
        bfloat16 would leave little.
        """
        features = self._features(image, step, [])
        hidden = F.leaky_relu(self._convolve_with_deviation(features, groups), LEAK)
        hidden = F.leaky_relu(self.hidden(self._gather(hidden)), LEAK)
        return (hidden.to(self.score.weight.dtype) * self.score.weight[0]).sum(dim=1) + self.score.bias

    def image_gradient(self, image: Tensor, step: int) -> Tensor:
        """The gradient of the sum of the batch's scores with respect to the images, (N, 3, S, S) like them.

        The same values as `autograd.grad(self(image, step).sum(), image)`, as an ordinary function of weights and
        images: its own gradients with respect to the weights are those of a double backward. An image's score depends
        on the whole batch by the deviation channel; that part is included, for the scores of all processes too.
        """
        signs: list[Tensor] = []
        features = self._features(image, step, signs)
        top = self._convolve_with_deviation(features, groups=1)
        hidden = self.hidden(self._gather(F.leaky_relu(top, LEAK)))

        gradient = unleak(self.score.weight.expand(len(image), -1), hidden > 0) @ self.hidden.weight
        gradient = unleak(self._spread(gradient, top), top > 0)
        gradient = self._transpose_with_deviation(gradient, features)
        entry, stages = self._way(step)
        for stage in reversed(stages):
            gradient = stage.transpose(gradient, signs)
        return F.conv_transpose2d(unleak(gradient, signs.pop()), entry.weight)

    def _way(self, step: int) -> tuple[nn.Conv2d, list[Stage]]:
        """Where images of a step enter, and the stages that they pass in order."""
        return self.from_rgb[step - 1], [self.stages[place] for place in range(step - 1, -1, -1)]  # type: ignore

    def _size(self, step: int) -> int:
        """Side of a step's images in pixels."""
        return SIZES[step - 1]

    def _gather(self, features: Tensor) -> Tensor:
        """What the linear layers see of the last features, (N, C, H, W) -> (N, inputs): their mean over the pixels."""
        return features.mean(dim=(2, 3))

    def _spread(self, gradient: Tensor, features: Tensor) -> Tensor:
        """From the gradient with respect to the output of `_gather` to that of its input, of the features' shape."""
        return (gradient / features[0, 0].numel())[:, :, None, None].expand_as(features)

    def _features(self, image: Tensor, step: int, signs: list[Tensor]) -> Tensor:
        """Images to the features of the last stage; the signs before every leaky ReLU are appended in order."""
        assert image.shape[2] == self._size(step), f"step {step} takes {self._size(step)} px, got {image.shape}"
        entry, stages = self._way(step)
        features = leak(entry(image), signs)
        for stage in stages:
            features = stage(features, signs)
        return features

    def _convolve_with_deviation(self, features: Tensor, groups: int) -> Tensor:
        """The last convolution on features and one more channel that holds their deviation over the batch.

        The channel is constant, so its share of the convolution is that of a map of ones, times the deviation: the same
        numbers as for the concatenation, without a convolution over an odd number of channels, which is slow.
        """
        weight = self.last.weight * self.last.scale
        result = F.conv2d(features, weight[:, :-1], self.last.bias, padding=1)
        share = _convolve_ones(weight[:, -1:], features)
        if self.processes == 1:
            deviation = batch_deviation(features, groups)
        else:
            deviation = shared_deviation(features, groups, self.processes)
        extra = deviation.reshape(-1, 1, 1, 1, 1) * share
        extra = extra.expand(-1, len(features) // groups, -1, -1, -1).flatten(0, 1)
        return result + extra.to(result.dtype)

    def _transpose_with_deviation(self, gradient: Tensor, features: Tensor) -> Tensor:
        """From the gradient with respect to the output of `_convolve_with_deviation` to that of its one-group input."""
        weight = self.last.weight * self.last.scale
        result = F.conv_transpose2d(gradient, weight[:, :-1], padding=1)
        share = _convolve_ones(weight[:, -1:], features)
        of_deviation = (in_full(gradient) * share).sum()
        if self.processes == 1:
            deviation_gradient = batch_deviation_gradient(features)
        else:  # the scores of all processes depend on these features
            of_deviation = sum_over_processes(of_deviation)
            deviation_gradient = shared_deviation_gradient(features, self.processes)
        return result + (of_deviation * deviation_gradient).to(result.dtype)


class Stage(nn.Module):
    """[3x3 convolution (equalised), leaky ReLU] twice, pool: (N, inputs, H, W) -> (N, outputs, H / 2, W / 2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualisedConv2d(inputs, outputs)
        self.second = EqualisedConv2d(outputs, outputs)

    def forward(self, features: Tensor, signs: list[Tensor]) -> Tensor:
        """The features of half the size; the signs before both leaky ReLUs are appended."""
        features = leak(self.first(features), signs)
        return F.avg_pool2d(leak(self.second(features), signs), 2)

    def transpose(self, gradient: Tensor, signs: list[Tensor]) -> Tensor:
        """From the gradient with respect to the output to that of the input; takes the signs from the list's end."""
        gradient = self.second.transpose(unleak(unpool(gradient), signs.pop()))
        return self.first.transpose(unleak(gradient, signs.pop()))


def batch_deviation(features: Tensor, groups: int = 1) -> Tensor:
    """The standard deviation over a batch of each value, averaged over channels and pixels: one number per batch.

    The group is the whole batch (Karras et al. 2018, section 3, with one group). It tells the critic how varied a batch
    is. features: (groups * N, C, H, W). Returns (groups,), float32 at least. A small constant under the root keeps its
    second derivative finite where all images agree.
    """
    features = in_full(features)
    batches = features.reshape(groups, -1, *features.shape[1:])
    return torch.sqrt(batches.var(dim=1, correction=0) + EPSILON).mean(dim=(1, 2, 3))


def batch_deviation_gradient(features: Tensor) -> Tensor:
    """The gradient of `batch_deviation`, of one group, with respect to features, (N, C, H, W) like them."""
    features = in_full(features)
    centred = features - features.mean(dim=0)
    deviation = torch.sqrt(centred.square().mean(dim=0) + EPSILON)
    return centred / (deviation * features.numel())


def _convolve_ones(weight: Tensor, features: Tensor) -> Tensor:
    """A one-channel map of ones of the features' size, convolved: (1, outputs, H, W); weight: (outputs, 1, 3, 3)."""
    return F.conv2d(torch.ones_like(features[:1, :1]), weight, padding=1)
