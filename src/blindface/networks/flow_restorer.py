"""A rectified flow from the posterior mean to a sample of what may have been: mean and velocity in one module.

Restoring draws noise per image from (seed, image id), so that an image's result depends on no other image, on no batch
size and on no order, up to rounding. More steps are nearer to what photographs look like, fewer to the target; other
seeds give other samples, and where those differ, the flow makes up what the blind image does not say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from blindface.base.images import SIZE
from blindface.base.randomness import derive_seed
from blindface.networks.flow_sampling import flow_start, follow_flow, time_grid
from blindface.networks.unet import RestorationUNet, VelocityUNet, enlarge


@dataclass(frozen=True)
class Sampling:
    """How a flow restores. steps: of Euler's method; power: of its grid, see `time_grid`; seed: of the noise."""

    steps: int = 8
    power: float = 1.0
    seed: int = 2024


class FlowRestorer(nn.Module):
    """Blind images to samples of their targets: the mean's network, frozen, and the velocity's.

    mean, velocity: arguments of RestorationUNet and VelocityUNet; sigma: of the noise around the mean, in units of
    images in [-1, 1]. `sampling` may be set at any time.
    """

    def __init__(self, mean: dict[str, Any], velocity: dict[str, Any], sigma: float = 0.1) -> None:
        super().__init__()
        self.mean = RestorationUNet(**mean).requires_grad_(False)
        self.velocity = VelocityUNet(**velocity)
        self.sigma = sigma
        self.input_size = self.mean.input_size
        self.arguments = {"mean": self.mean.arguments, "velocity": self.velocity.arguments, "sigma": sigma}
        self.sampling = Sampling()

    def forward(self, blind: Tensor, noise: Tensor) -> Tensor:
        """blind: (N, 3, 16 or 128, same) in [-1, 1]; noise: (N, 3, 128, 128) standard normal -> (N, 3, 128, 128)."""
        mean, enlarged = self.mean(blind), enlarge(blind)

        def velocity(state: Tensor, time: Tensor) -> Tensor:
            return self.velocity.velocity(state, time, mean, enlarged)

        start = flow_start(mean, noise, self.sigma)
        return follow_flow(velocity, start, time_grid(self.sampling.steps, self.sampling.power))

    def restore(self, blind: Tensor, ids: Sequence[str]) -> list[Tensor]:
        """One sample of each image, seeded by its id."""
        return [self(blind, draw_noise(self.sampling.seed, ids, 0).to(blind.device))]

    def spread(self, blind: Tensor, ids: Sequence[str], samples: int) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each pixel over samples of different noise, in units of images in [-1, 1].

        The first sample is that of `restore`. Samples are clipped to [-1, 1]. Returns twice (N, 3, 128, 128).
        """
        total, squares = torch.zeros(()), torch.zeros(())
        for sample in range(samples):
            image = (
                self(blind, draw_noise(self.sampling.seed, ids, sample).to(blind.device)).clamp(-1, 1).double().cpu()
            )
            total, squares = total + image, squares + image.square()
        mean = total / samples
        return mean.float(), (squares / samples - mean.square()).clamp_min(0).sqrt().float()


def draw_noise(seed: int, ids: Sequence[str], sample: int) -> Tensor:
    """(N, 3, 128, 128) standard normal on the CPU, each image's a function of (seed, sample, id) alone."""
    result = torch.empty(len(ids), 3, SIZE, SIZE)
    for place, name in enumerate(ids):
        source = torch.Generator().manual_seed(derive_seed(seed, "flow", sample, name) % 2**63)
        result[place].normal_(generator=source)
    return result
