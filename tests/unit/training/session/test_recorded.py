"""Recorded updates: the weights of updates that are started one by one, from inputs, rates and weights that change."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor

from blindface.base.device import numeric_policy
from blindface.params import validate
from blindface.training.data import Batch
from blindface.training.recipes import Setup
from blindface.training.recipes.progressive.recipe import Progressive
from blindface.training.session.recorded import WARM_UP, RecordedUpdates

BATCHES = WARM_UP + 3
BLOCK = {
    "epochs": 10,
    "learning_rate_decay": 1.0,
    "generator_channels": 8,
    "discriminator_channels": 4,
    "objective1": {
        "batch_size": 2,
        "adversarial": {"final": [1, 1, 1], "ramp": 2.0, "start": 0.0},
        "pixel": {"final": [10, 10, 10]},
        "perceptual": {"final": [0, 0, 0]},
    },
}


def make_recipe(device: str = "cpu") -> Progressive:
    params = validate({"train": {"precision": "fp32", "compile": False, "progressive": BLOCK}}).train
    return Progressive(Setup(params, "objective1", torch.device(device)))


def make_batch(number: int, device: str = "cpu") -> Batch:
    torch.manual_seed(number)
    sizes = (32, 64, 128)
    return Batch(
        blind=(torch.rand(2, 3, 16, 16) * 2 - 1).to(device),
        targets=[(torch.rand(2, 3, size, size) * 2 - 1).to(device) for size in sizes],
        points=[(torch.rand(2, 68, 2) * size).to(device) for size in sizes],
        found=torch.tensor([True, number % 2 == 0]).to(device),
        draws=[torch.rand(2, 1, 1, 1).to(device) for _ in sizes],
    )


def state(recipe: Progressive) -> list[Tensor]:
    """Everything that an update moves, as the tensors themselves."""
    moments = [
        value
        for optimiser in recipe.optimisers().values()
        for parameter in optimiser.param_groups[0]["params"]
        for value in optimiser.state[parameter].values()
    ]
    return [*recipe.network.state_dict().values(), *recipe.discriminator.state_dict().values(), *moments]


class Tape:
    """Keeps to a CUDA graph's terms on a CPU: recording moves nothing; each run reads and fills the same tensors."""

    def __init__(self, recipe: Progressive) -> None:
        self.recipe = recipe
        self.runs = 0

    def aside(self) -> AbstractContextManager[None]:
        return nullcontext()

    def record(self, once: Callable[[], dict[str, Tensor]]) -> tuple[Callable[[], None], dict[str, Tensor]]:
        assert all(group["capturable"] for group in self.groups())
        self.tell(capturable=False)  # which PyTorch refuses on a CPU
        before = [value.clone() for value in state(self.recipe)]
        terms = once()
        for value, old in zip(state(self.recipe), before, strict=True):
            value.detach().copy_(old)
            assert value.grad is None

        def replay() -> None:
            self.runs += 1
            for name, value in once().items():
                terms[name].copy_(value)

        return replay, terms

    def groups(self) -> list[dict[str, Any]]:
        return [group for optimiser in self.recipe.optimisers().values() for group in optimiser.param_groups]

    def tell(self, capturable: bool) -> None:
        for group in self.groups():
            group["capturable"] = capturable


class Refusal(Tape):
    """A device that gives up in the middle of a recording."""

    def record(self, once: Callable[[], dict[str, Tensor]]) -> tuple[Callable[[], None], dict[str, Tensor]]:
        weight = next(self.recipe.network.parameters())
        weight.grad = torch.ones_like(weight)
        raise RuntimeError("operation not permitted when stream is capturing")


def train(recipe: Progressive, updates: RecordedUpdates | None = None, device: str = "cpu") -> list[dict[str, float]]:
    """A few batches, each with other images, weights of the losses and rate; the terms of each."""
    found = []
    for number in range(BATCHES):
        recipe.schedule(number / 2)
        batch = make_batch(number, device)
        terms = recipe.update(batch) if updates is None else updates.run(batch)
        found.append({name: float(value) for name, value in terms.items()})
        recipe.after_update()
    return found


def test_a_recording_gives_the_weights_and_terms_of_single_updates() -> None:
    plain, recipe = make_recipe(), make_recipe()
    tape = Tape(recipe)
    assert train(recipe, RecordedUpdates(recipe, tape)) == train(plain)
    assert tape.runs == BATCHES - WARM_UP
    for ours, other in zip(state(recipe), state(plain), strict=True):
        assert torch.equal(ours, other)


def test_each_kind_of_update_has_a_recording_of_its_own() -> None:
    class Alternating(Progressive):
        def kind(self, updates: int) -> str:
            return "even" if updates % 2 == 0 else "odd"

        def update(self, batch: Batch) -> dict[str, Tensor]:
            return {f"{self.kind(self.updates)}/1": batch.blind.sum()}

    recipe = Alternating(make_recipe().setup)
    kinds: list[str] = []

    class Names:
        def aside(self) -> AbstractContextManager[None]:
            return nullcontext()

        def record(self, once: Callable[[], dict[str, Tensor]]) -> tuple[Callable[[], None], dict[str, Tensor]]:
            terms = once()
            kinds.extend(terms)
            return lambda: None, terms

    updates = RecordedUpdates(recipe, Names())
    for number in range(2 * WARM_UP + 4):
        assert list(updates.run(make_batch(number))) == [f"{recipe.kind(number)}/1"]
        recipe.updates += 1
    assert kinds == ["even/1", "odd/1"]


def test_without_a_recording_the_updates_go_on_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    plain, recipe = make_recipe(), make_recipe()
    assert train(recipe, RecordedUpdates(recipe, Refusal(recipe))) == train(plain)
    said = capsys.readouterr()
    assert (said.out + said.err).count("each kernel is started by itself: operation not permitted") == 1
    for ours, other in zip(state(recipe), state(plain), strict=True):
        assert torch.equal(ours, other)


def test_memory_that_does_not_suffice_is_not_hidden() -> None:
    class Full(Tape):
        def record(self, once: Callable[[], dict[str, Tensor]]) -> tuple[Callable[[], None], dict[str, Tensor]]:
            raise torch.OutOfMemoryError("CUDA out of memory")

    recipe = make_recipe()
    with pytest.raises(torch.OutOfMemoryError):
        train(recipe, RecordedUpdates(recipe, Full(recipe)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_cuda_graph_gives_the_weights_of_single_updates() -> None:
    with numeric_policy("fp32", deterministic=True):
        plain, recipe = make_recipe("cuda"), make_recipe("cuda")
        recorded = RecordedUpdates(recipe)
        found, expected = train(recipe, recorded, "cuda"), train(plain, None, "cuda")
    assert recorded._recordings
    for ours, other in zip(found, expected, strict=True):
        assert ours == pytest.approx(other, rel=1e-3, abs=1e-4)
    pairs = list(zip(state(recipe), state(plain), strict=True))
    print(f"to the bit: {sum(torch.equal(*pair) for pair in pairs)} of {len(pairs)} tensors")
    # Should an algorithm sum in another order: Adam's first updates are as large for a gradient of rounding as for any
    away = torch.cat([(ours.double() - other.double()).abs().flatten() for ours, other in pairs])
    assert away.mean() < 1e-5
