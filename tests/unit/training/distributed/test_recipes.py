"""The recipes mean, gan and flow trained by two processes: the same as by one."""

from __future__ import annotations

import pytest

from tests.unit.training.distributed.test_processes import run_together

AGREE = """
from blindface.params import validate
from blindface.training.recipes import Setup, make_recipe

NARROW = {"channels": [4, 4, 4, 8], "blocks": [1, 1, 1, 1]}
PARAMS = validate({"train": {
    "perceptual": {"backbone": "none"},
    "mean": {**NARROW, "batch_size": 4}, "flow": {**NARROW, "batch_size": 4},
    "gan": {"batch_size": 4, "discriminator_channels": [8, 8], "penalty_every": 2}}}).train

def make(name, processes):
    '''In float64, with weights that are nowhere zero, so that every layer takes part.'''
    recipe = make_recipe(name, Setup(PARAMS, "objective1", torch.device("cpu"), processes))
    torch.manual_seed(7)
    for network in (*recipe.networks().values(), recipe.ema):
        network.double()
    for network in recipe.networks().values():
        for value in network.parameters():
            value.data.add_(0.05 * torch.randn_like(value))
    recipe.schedule(0.5)
    return recipe

with join(torch.device("cpu")) as (processes, device):
    torch.manual_seed(1)
    blind, target = (torch.rand(4, 3, size, size).double() * 2 - 1 for size in (16, 128))
    for name in ("mean", "gan", "flow"):
        one, many = make(name, ALONE), make(name, processes)
        for number in range(2):
            draws = [numbers.double() for numbers in one.draws(0, number, 2)]
            batch = Batch(blind, [target], [], torch.zeros(4, dtype=torch.bool), draws)
            expected, found = one.update(batch), many.update(part(batch, processes))
            assert found.keys() == expected.keys()
            for term, value in expected.items():
                torch.testing.assert_close(processes.average(found[term]), value, rtol=1e-7, atol=1e-9, msg=term)
            one.after_update()
            many.after_update()
        ours, other = many.tensors(), one.tensors()
        assert ours.keys() == other.keys()
        for key in ours:
            if key.startswith(("generator.", "discriminator.", "ema.")):
                # Adam divides by the root of the mean square: rounding of gradients near zero grows
                torch.testing.assert_close(ours[key], other[key], rtol=1e-7, atol=1e-7, msg=key)
"""


@pytest.mark.slow
def test_two_processes_train_mean_gan_and_flow_as_one_does() -> None:
    """Two updates on a batch of 4 and on 2 x 2, with the penalties of the gan and without: terms, weights, averages."""
    for done in run_together(AGREE):
        assert done.returncode == 0, done.stderr
