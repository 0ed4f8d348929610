"""How weights move: one Adam per network, and the moving average of the generator."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Adam


@dataclass(frozen=True)
class Optimisers:
    """One Adam per network.

    discriminator_rate: the discriminators' learning rate over the generator's.
    """

    generator: Adam
    discriminator: Adam
    face_discriminator: Adam | None = None
    discriminator_rate: float = 1.0

    def all(self) -> tuple[Adam, ...]:
        """The generator's, then those of the discriminators."""
        faces = () if self.face_discriminator is None else (self.face_discriminator,)
        return self.generator, self.discriminator, *faces

    def set_learning_rate(self, rate: float) -> None:
        """Set the generator's rate, and with it the others, in place where they are tensors."""
        for optimiser in self.all():
            own = rate if optimiser is self.generator else rate * self.discriminator_rate
            for group in optimiser.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(own)
                else:
                    group["lr"] = own


def make_optimisers(
    generator: nn.Module,
    discriminator: nn.Module,
    learning_rate: float,
    betas: tuple[float, float],
    face_discriminator: nn.Module | None = None,
    discriminator_rate: float = 1.0,
) -> Optimisers:
    """Adam for each network; on a GPU fused into one kernel, with the learning rate as a tensor there.

    A recorded update (`recorded_steps`) reads the rate of the time when it runs, not of the time when it was recorded.
    """

    def adam(network: nn.Module) -> Adam:
        parameters = list(network.parameters())
        if not parameters[0].is_cuda:
            return Adam(parameters, lr=learning_rate, betas=betas)
        rate = torch.tensor(learning_rate, device=parameters[0].device)
        return Adam(parameters, lr=rate, betas=betas, fused=True)

    faces = None if face_discriminator is None else adam(face_discriminator)
    optimisers = Optimisers(adam(generator), adam(discriminator), faces, discriminator_rate)
    optimisers.set_learning_rate(learning_rate)
    return optimisers


def average_decay(decay: float, updates: int) -> float:
    """The decay of a moving average after so many updates: it starts small, so that the first weights are forgotten."""
    return min(decay, (1 + updates) / (10 + updates))


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move `average` towards `network`: a <- decay a + (1 - decay) w, weights and running statistics alike.

    The averaged statistics only serve until `networks.recalibrate` measures them anew.
    """
    ours, theirs = average.state_dict(), network.state_dict()
    moving = [name for name, value in ours.items() if value.is_floating_point()]
    torch._foreach_lerp_([ours[name] for name in moving], [theirs[name] for name in moving], 1.0 - decay)
    for name in ours.keys() - set(moving):
        ours[name].copy_(theirs[name])
