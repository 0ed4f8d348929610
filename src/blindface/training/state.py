"""All that moves during training: networks, optimisers, their average; to tensors and back."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.optim import Adam

from blindface.base.randomness import derive_seed
from blindface.networks import Discriminator, FaceDiscriminator, Generator
from blindface.params.training import ObjectiveParams, TrainParams
from blindface.training.distributed.processes import ALONE, Processes
from blindface.training.distributed.synchronised import synchronise
from blindface.training.recipes.progressive.steps import make_face_discriminator, make_networks
from blindface.training.updates import Optimisers, average_decay, make_optimisers, update_average


class TrainingState:
    """The generator, the moving average of its weights, the discriminators, and one Adam for each.

    face_discriminator: None where its loss has no weight.
    """

    def __init__(
        self,
        params: TrainParams,
        objective: str,
        choice: ObjectiveParams,
        device: torch.device,
        processes: Processes = ALONE,
    ) -> None:
        # Drawn on the CPU, so that the initial weights are those of the seed on every device.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(params.seed, "weights", objective) % 2**63)
            generator, discriminator = make_networks(params, choice)
            faces = make_face_discriminator(params, choice)
        layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
        self.generator: Generator = generator.to(device).to(memory_format=layout).train()  # type: ignore[call-overload]
        self.discriminator: Discriminator = discriminator.to(device).to(memory_format=layout).train()  # type: ignore[call-overload]
        self.face_discriminator: FaceDiscriminator | None = None
        if faces is not None:
            self.face_discriminator = faces.to(device).to(memory_format=layout).train()  # type: ignore[call-overload]
        self.average = deepcopy(self.generator).eval().requires_grad_(False)
        if processes.count > 1 and params.batch_statistics == "batch":
            # Not in the average: one process measures its statistics, without the others
            synchronise(processes, self.generator, self.discriminator, self.face_discriminator)
        self.optimisers: Optimisers = make_optimisers(
            self.generator,
            self.discriminator,
            params.learning_rate,
            params.betas,
            self.face_discriminator,
            params.discriminator_rate,
        )
        self.decay = params.ema
        self.updates = 0

    def after_batch(self) -> None:
        """Move the average towards the new weights."""
        update_average(self.average, self.generator, average_decay(self.decay, self.updates))
        self.updates += 1

    def tensors(self) -> dict[str, Tensor]:
        """Everything under flat names: `generator.*`, `average.*`, `discriminator.*`, `optimiser_*.<place>.*`."""
        result = {f"{part}.{name}": value for part, network in self._networks() for name, value in network.items()}
        for part, optimiser in self._optimisers():
            for place, moments in optimiser.state_dict()["state"].items():
                result |= {f"{part}.{place}.{name}": value for name, value in moments.items()}
        result["updates"] = torch.tensor(self.updates)
        return result

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        for part, network in self._networks():
            for name, value in network.items():
                value.copy_(tensors[f"{part}.{name}"])
        for part, optimiser in self._optimisers():
            _load_moments(optimiser, part, tensors)
        self.updates = int(tensors["updates"])

    def _networks(self) -> list[tuple[str, dict[str, Tensor]]]:
        networks: dict[str, nn.Module] = {"generator": self.generator, "average": self.average}
        networks["discriminator"] = self.discriminator
        if self.face_discriminator is not None:
            networks["face_discriminator"] = self.face_discriminator
        return [(part, dict(network.state_dict())) for part, network in networks.items()]

    def _optimisers(self) -> list[tuple[str, Adam]]:
        names = ("optimiser_generator", "optimiser_discriminator", "optimiser_face_discriminator")
        return list(zip(names, self.optimisers.all(), strict=False))


def _load_moments(optimiser: Adam, part: str, tensors: Mapping[str, Tensor]) -> None:
    parameters: list[Tensor] = optimiser.param_groups[0]["params"]
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
