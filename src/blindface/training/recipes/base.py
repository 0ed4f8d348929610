"""What a session needs of a recipe, and what all recipes share.

A recipe knows its networks, losses, one update on a batch, what restores, and its block of parameters. The session
(`training.session`) knows epochs, batches, checkpoints, validation, history, records and several processes. It does,
for every batch, in this order:

    recipe.schedule(place)                          rates and weights, in tensors that stay
    batch = images, blind images, recipe.draws(...) all of it functions of the position
    terms = recipe.update(batch)                    the device's work alone: may be recorded as a CUDA graph
    recipe.after_update()                           the moving average

A new recipe is a package beside this module with a subclass of `Recipe`, a block of parameters (`params.recipes`), and
a line in `recipes.recipe_class`. Code that two recipes share is a module beside this one, or one imports the other's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from blindface.base.randomness import derive_seed
from blindface.networks.model_file import halve, save_generator
from blindface.params import Objective, TrainParams
from blindface.params.recipes import RecipeName, RecipeParams
from blindface.training.data import Batch
from blindface.training.distributed.processes import ALONE, Processes
from blindface.training.updates import average_decay, load_optimiser, update_average

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Setup:
    """What a recipe is made for.

    device: also `meta`, on which the plan counts the work of an update without values; perceptual: the weight file of
    the perceptual backbone, or None and why it is `perceptual_missing`; faces: training images that have landmarks.
    """

    params: TrainParams
    objective: Objective
    device: torch.device
    processes: Processes = ALONE
    perceptual: Path | None = None
    perceptual_missing: str | None = None
    faces: int = 1

    @property
    def compile(self) -> bool:
        """Whether a recipe should compile its update (`compiled`)."""
        return self.params.compile and self.device.type == "cuda"


class Recipe(ABC):
    """One training by a recipe: networks, optimisers and losses on the device.

    A subclass draws its networks in `__init__`, under `drawn_weights`, and sets the attributes `network`, `ema` and,
    where a loss cannot be computed, `left_out` (loss -> reason).

    name: of the recipe and its block. steps: of a restoration, one row of the history per epoch each; images of 128 px
    alone have one. columns: of the history, what `update` and `schedule` return besides what every recipe has.
    told: those that say most about how a run is doing, for the line of an epoch.
    period: after so many updates `kind` repeats. advice: what to try, besides a lower rate, where a metric explodes.
    """

    name: ClassVar[RecipeName]
    steps: ClassVar[tuple[int, ...]] = (1,)
    columns: ClassVar[tuple[str, ...]]
    told: ClassVar[tuple[str, ...]] = ()
    period: ClassVar[int] = 1
    advice: ClassVar[Mapping[str, str]] = {}

    network: nn.Module
    """What restores, as it is trained. Like every network of a generator file it has `arguments`, for its constructor,
    and `input_size`, the side of its blind images."""
    ema: nn.Module
    """Its copy with averaged weights (`copy_for_ema`), which validates and is published."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.left_out: dict[str, str] = {}
        self.updates = 0

    @property
    def params(self) -> RecipeParams:
        """The recipe's own block. Subclasses give their own type."""
        return self.setup.params.of(self.name)

    @property
    def batch_size(self) -> int:
        """Images per batch, those of all processes together."""
        return self.params.batch_size_of(self.setup.objective)

    # What differs between recipes

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """All trained networks by name, `network` among them as `generator`; `ema` is no part of it."""

    @abstractmethod
    def optimisers(self) -> dict[str, Optimizer]:
        """All optimisers by name. On a GPU their rates are tensors (`updates.make_adam`)."""

    @abstractmethod
    def schedule(self, place: float) -> dict[str, float]:
        """Set rates and weights for a position, epochs from 0 with fractions, in place; returns them for the history.

        Named `<column>`, or `<column>/<step>` where the steps differ. Calling it twice is calling it once.
        """

    def draws(self, epoch: int, batch: int, batches: int) -> tuple[Tensor, ...]:
        """Random numbers of one whole batch on the device, first dimension the batch, for `Batch.draws`.

        Functions of seed, objective and position alone, so that a resumed run draws the same; the session cuts out the
        part of each process. batches: in the epoch. See `random_tensor`.
        """
        return ()

    def kind(self, updates: int) -> str:
        """The kind of update that comes after so many: each is recorded as a CUDA graph of its own.

        For what is not done at every update, such as a penalty at every fourth; `period` says when it repeats.
        """
        return ""

    @abstractmethod
    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Update all networks once, as `kind(self.updates)` says; see `updates.descend` for one network.

        Returns detached scalars on the device for the history, named `<column>/<step>`. Nothing here waits for the
        device or copies from the CPU, and all randomness is in `batch.draws`. Of several processes each has its part of
        the batch, and gradients are averaged over them.
        """

    def begin_with(self, path: Path) -> None:
        """Take over the generator file of `params.begins_with`; called once, where no checkpoint follows.

        Errors: InputError if the file is broken or of another shape.
        """
        raise NotImplementedError(f"{self.name} begins with random weights")

    def refresh_ema(self, blinds: Tensor) -> None:  # noqa: B027  (most recipes have nothing to do)
        """Make `ema` ready to restore: called before each validation and at the end, by the leading process alone.

        blinds: (N, u, u, 3) uint8, the blind images of the fixed pairs, on the device.
        """

    def restore(self, blind: Tensor, ids: Sequence[str]) -> list[Tensor]:
        """The images of every step of `steps`, by `ema`: lists of (N, 3, S, S), the last S = 128, not clipped.

        blind: (N, 3, u, u) in [-1, 1]; ids: of the images, by which a recipe that samples seeds its noise.
        """
        images: list[Tensor] = self.ema(blind)
        return images

    # What all recipes do alike

    def after_update(self) -> None:
        """Count the update and move the average towards the new weights."""
        update_average(self.ema, self.network, average_decay(self.params.ema, self.updates))
        self.updates += 1

    def tensors(self) -> dict[str, Tensor]:
        """All that moves, under flat names: `<network>.*`, `ema.*`, `optimiser_<name>.<place>.*`, `updates`."""
        parts = {**self.networks(), "ema": self.ema}
        result = {f"{part}.{name}": value for part, net in parts.items() for name, value in net.state_dict().items()}
        for part, optimiser in self.optimisers().items():
            for place, moments in optimiser.state_dict()["state"].items():
                result |= {f"optimiser_{part}.{place}.{name}": value for name, value in moments.items()}
        result["updates"] = torch.tensor(self.updates)
        return result

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        for part, network in {**self.networks(), "ema": self.ema}.items():
            for name, value in network.state_dict().items():
                value.copy_(tensors[f"{part}.{name}"])
        for part, optimiser in self.optimisers().items():
            load_optimiser(optimiser, f"optimiser_{part}", tensors)
        self.updates = int(tensors["updates"])

    def save(self, path: Path, *, half: bool = False, **more: Any) -> str:
        """Write the generator file and return the SHA-256 of its tensors.

        half: averaged weights alone, in half precision, as published; more: JSON values for the header.
        """
        state = self.ema.state_dict()
        if half:
            weights = {"ema": {name: halve(value) for name, value in state.items()}}
        else:
            weights = {"ema": state, "raw": self.network.state_dict()}
        more = {"objective": self.setup.objective, "recipe": self.name, **more}
        return save_generator(path, weights, self.network.arguments, **more)  # type: ignore[arg-type]

    # Helpers of subclasses

    def on_device(self, network: Network) -> Network:
        """A network on the device, in its memory layout, in training mode."""
        layout = torch.channels_last if self.setup.device.type == "cuda" else torch.contiguous_format
        return network.to(self.setup.device).to(memory_format=layout).train()  # type: ignore[call-overload, no-any-return]

    @contextmanager
    def drawn_weights(self, *purpose: str) -> Iterator[None]:
        """Within the block PyTorch draws from (seed, `weights`, purpose, objective): on the CPU, everywhere alike."""
        with torch.random.fork_rng(devices=[]):
            seed = derive_seed(self.setup.params.seed, "weights", *purpose, self.setup.objective)
            torch.manual_seed(seed % 2**63)
            yield

    def random_tensor(self, shape: Sequence[int], *purpose: str | int, normal: bool = True) -> Tensor:
        """Standard normal or uniform [0, 1) numbers on the device, functions of seed, objective and purpose.

        purpose: what it is for and the position, such as `"noise", epoch, batch`.
        """
        device = self.setup.device if self.setup.device.type == "cuda" else torch.device("cpu")
        source = torch.Generator(device)
        source.manual_seed(derive_seed(self.setup.params.seed, self.name, *purpose, self.setup.objective) % 2**63)
        make = torch.randn if normal else torch.rand
        return make(tuple(shape), generator=source, device=device).to(self.setup.device)


def copy_for_ema(network: Network) -> Network:
    """A copy in evaluation mode that no gradient reaches."""
    return deepcopy(network).eval().requires_grad_(False)
