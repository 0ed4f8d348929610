"""Several processes that train together do what one would."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
import torch

from blindface.base.errors import DeviceError, ParameterError
from blindface.training.distributed.processes import ALONE, Processes, join

BEGIN = """
import torch
from blindface.base.errors import InputError
from blindface.networks import Discriminator, Generator
from blindface.training.distributed.synchronised import synchronise
from blindface.params import ObjectiveParams, WeightParams
from blindface.training.distributed.processes import ALONE, join
from blindface.training.recipes.progressive.schedule import final_weights, weights_at
from blindface.training.data import Batch
from blindface.training.recipes.progressive.losses import Losses
from blindface.training.recipes.progressive.steps import Steps
from blindface.training.updates import make_adam
torch.set_num_threads(1)

CHOICE = ObjectiveParams(
    adversarial=WeightParams(final=(1.0, 1.0, 1.0)), pixel=WeightParams(final=(10.0, 10.0, 10.0)),
    perceptual=WeightParams(), attention=WeightParams(final=(0.0, 0.5, 0.25)))
SIZES = (32, 64, 128)

def make_runner(processes):
    torch.manual_seed(0)
    networks = Generator(8).double(), Discriminator(4).double()
    if processes.count > 1:
        synchronise(processes, *networks)
    average = processes.average_gradients if processes.count > 1 else None
    adams = [make_adam(network.parameters(), 1e-3, (0.0, 0.99)) for network in networks]
    steps = Steps(*networks, Losses(None), *adams, active=final_weights(CHOICE), average_gradients=average)
    steps.set_weights(weights_at(CHOICE, 0.0))
    return steps

def make_batch(count=4):
    torch.manual_seed(1)
    image = lambda size: torch.rand(count, 3, size, size).double() * 2 - 1
    return Batch(image(16), [image(size) for size in SIZES],
                 [torch.rand(count, 68, 2).double() * size for size in SIZES],
                 torch.tensor([True] * (count - 1) + [False]),
                 [torch.rand(count, 1, 1, 1).double() for _ in SIZES])

def part(batch, processes):
    mine = processes.mine
    return Batch(batch.blind[mine], [x[mine] for x in batch.targets], [x[mine] for x in batch.points],
                 batch.found[mine], [x[mine] for x in batch.draws])

def compare(processes):
    '''Whole passes: terms, gradient norms, weights, running statistics.'''
    batch = make_batch()
    one, many = make_runner(ALONE), make_runner(processes)
    for _ in range(2):
        expected, found = one.run(batch), many.run(part(batch, processes))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(processes.average(found[name]), value, rtol=1e-9, atol=1e-9, msg=name)
    for name in ("generator", "discriminator"):
        ours, other = getattr(many, name).state_dict(), getattr(one, name).state_dict()
        assert ours.keys() == other.keys()
        for name in ours:
            # Adam divides by the root of the mean square: rounding of gradients near zero grows
            torch.testing.assert_close(ours[name], other[name], rtol=1e-7, atol=1e-7, msg=name)

def compile_step_one(processes):
    '''Traced and differentiated as on a GPU, messages between processes included: the gradients of both networks.'''
    whole = make_batch()
    one, many = make_runner(ALONE), make_runner(processes)
    compiled = lambda region: torch.compile(region, dynamic=False, fullgraph=True, backend="aot_eager")
    for runner, batch, wrap in ((one, whole, lambda x: x), (many, part(whole, processes), compiled)):
        output = wrap(runner._generate_region)(batch.blind, 1)
        output.abs().mean().backward()
        wrap(runner._critic_region)(batch.targets[0], output.detach(), batch.draws[0], 1)[0].backward()
    for ours, other in ((many.generator, one.generator), (many.discriminator, one.discriminator)):
        pairs = [(a, b) for a, b in zip(ours.parameters(), other.parameters()) if b.grad is not None]
        assert len(pairs) > 5
        for a, b in pairs:
            torch.testing.assert_close(processes.average(a.grad), b.grad, rtol=1e-9, atol=1e-12)

"""


def run_together(code: str, count: int = 2, timeout: float = 300) -> list[subprocess.CompletedProcess[str]]:
    """Run Python code in processes that find each other, after BEGIN; all are waited for."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    shared = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(count)}
    shared |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", BEGIN + code],
            env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    outputs = [process.communicate(timeout=timeout) for process in started]
    return [
        subprocess.CompletedProcess(process.args, process.returncode, *output)
        for process, output in zip(started, outputs, strict=True)
    ]


AGREE = """
with join(torch.device("cpu")) as (processes, device):
    assert processes.count == 2
    compare(processes)
    compile_step_one(processes)

    # What is said and what fails, together
    assert processes.most(processes.rank, 5 - processes.rank) == [1, 5]
    assert processes.share(lambda: ["of", processes.rank]) == ["of", 0]
    assert processes.together(lambda: processes.rank) == processes.rank
    assert processes.average(torch.tensor([1.0, 2.0]) * processes.rank).tolist() == [0.5, 1.0]
    def fail():
        if processes.rank == 1:
            raise InputError("only one of us tells this")
    try:
        processes.together(fail)
    except InputError as error:
        assert processes.rank == 1 and "only one" in str(error)
    except SystemExit as end:
        assert processes.rank == 0 and end.code == 2
    else:
        raise AssertionError("all went on")
"""


@pytest.mark.slow
def test_two_processes_with_the_same_batch_give_the_weights_and_terms_of_one() -> None:
    """In float64, two batches of 4 and 2 x 2; then the gradients of compiled regions."""
    for done in run_together(AGREE):
        assert done.returncode == 0, done.stderr


def test_one_process_alone_is_left_as_it_is() -> None:
    gradients = [torch.ones(2)]
    ALONE.average_gradients(gradients)
    assert gradients[0].tolist() == [1, 1]
    assert ALONE.most(3, 1) == [3, 1]
    assert ALONE.share(lambda: 7) == ALONE.together(lambda: 7) == 7


def test_a_batch_that_cannot_be_shared_equally_is_refused() -> None:
    assert Processes(0, 4).part_of(32) == 8
    with pytest.raises(ParameterError, match=r"batches of 32 images cannot be shared equally by 3 processes"):
        Processes(1, 3).part_of(32)


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(DeviceError, match=r"process 2 of this machine has no GPU, only 1"), join(torch.device("cuda")):
        pass
