"""How weights move: Adam, one descent, the learning rate over the run, and the exponential moving average."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

AverageGradients = Callable[[list[Tensor]], None]
"""Replaces each gradient by its mean over several processes."""


def make_adam(
    parameters: Iterable[nn.Parameter], learning_rate: float, betas: tuple[float, float], weight_decay: float = 0.0
) -> Adam:
    """Adam, with `weight_decay` AdamW; on a GPU fused into one kernel, with the learning rate as a tensor there.

    A recorded update (`session.recorded`) reads the rate of the time when it runs, not of that when it was recorded.
    """
    parameters = list(parameters)
    more: dict[str, Any] = {"betas": betas, "lr": learning_rate}
    if parameters[0].is_cuda:
        more |= {"lr": torch.tensor(learning_rate, device=parameters[0].device), "fused": True}
    return AdamW(parameters, weight_decay=weight_decay, **more) if weight_decay else Adam(parameters, **more)


def set_learning_rate(optimiser: Optimizer, rate: float) -> None:
    """Set the rate, in place where it is a tensor."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def decayed(rate: float, share: float, epochs: int, place: float, least: float = 0.0) -> float:
    """A rate at an epoch (from 0, with fractions): constant, then linear to `least` times it over the last `share`."""
    if share == 0:
        return rate
    left = (epochs - place) / (share * epochs)
    return rate * min(1.0, least + (1.0 - least) * left)


def descend(
    optimiser: Optimizer, loss: Tensor, average_gradients: AverageGradients | None = None, most: float | None = None
) -> Tensor:
    """One step of one optimiser down a loss; returns the norm of the gradient before `most` limits it.

    average_gradients: called between backward and step, for several processes. Nothing waits for the device.
    """
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
    if average_gradients is not None:
        average_gradients(gradients)
    norm = torch.nn.utils.get_total_norm(gradients)
    if most is not None:
        torch._foreach_mul_(gradients, (most / (norm + 1e-6)).clamp(max=1.0))
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return norm


def load_optimiser(optimiser: Optimizer, part: str, tensors: Mapping[str, Tensor]) -> None:
    """Take back the moments from tensors named `<part>.<place>.<moment>`."""
    parameters: list[Tensor] = [p for group in optimiser.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        head, _, rest = name.partition(".")
        if head != part:
            continue
        place, _, moment = rest.partition(".")
        parameter = parameters[int(place)]
        if value.shape == parameter.shape and moment != "step":
            # A fused update reads parameter and moments in memory order: the moments take the parameter's.
            value = torch.empty_like(parameter, requires_grad=False).copy_(value)
        state.setdefault(int(place), {})[moment] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def average_decay(decay: float, updates: int) -> float:
    """The decay of the EMA after so many updates: it starts small, so that the first weights are forgotten."""
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
