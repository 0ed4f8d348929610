"""Training that begins with the weights of a generator file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from blindface.base.errors import InputError, ParameterError
from blindface.base.files import sha256_file, write_json
from blindface.networks import Generator
from blindface.networks.model_file import HEADER, load_generator, read_header, save_generator
from blindface.params import Params
from blindface.tracking.record import record_key
from blindface.training.session import engine
from blindface.training.session.engine import TrainFiles, train
from blindface.training.session.run import TrainingRun
from blindface.training.state import TrainingState
from tests.unit.training.session import test_session as test_training
from tests.unit.training.session.test_checkpoint import killed_at
from tests.unit.training.session.test_session import PARAMS, digest, params_with

files, _quiet_process = test_training.files, test_training._quiet_process
CPU = torch.device("cpu")


def write_model(path: Path, seed: int = 0, channels: int = 8, encoder: str = "none", blocks: int = 0) -> Path:
    """A published file: averaged kernels in half precision, and statistics that are not those of a new network."""
    torch.manual_seed(seed)
    network = Generator(channels, encoder, blocks)  # type: ignore[arg-type]
    network(torch.randn(4, 3, network.input_size, network.input_size))
    for name, parameter in network.named_parameters():
        if name.endswith("gate"):
            torch.nn.init.constant_(parameter, 0.5)
    halves = {name: tensor.half() if tensor.dim() > 1 else tensor for name, tensor in network.state_dict().items()}
    objective = "objective1" if encoder == "none" else "objective2"
    save_generator(path, {"ema": halves}, network.arguments, objective=objective)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "published.safetensors")


def beginning_with(path: Path | str, **changes: object) -> Params:
    return params_with(objective1={**PARAMS["train"]["objective1"], "initial": str(path), **changes})


@pytest.fixture(scope="module")
def whole_run(files: TrainFiles, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that began with the file and that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    params = beginning_with(model)
    assert train(params.train, "objective1", files, folder, pairs=params.pairs) == "finished"
    return folder


Begin = Callable[[Params], TrainingState]


@pytest.fixture
def begin(files: TrainFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """What a run of given parameters holds before its first batch."""

    def begin(params: Params) -> TrainingState:
        states: list[TrainingState] = []

        def leave(run: TrainingRun, *_: object) -> str:
            states.append(run.state)
            return "time"

        monkeypatch.setattr(engine, "train_to_the_end", leave)
        train(params.train, "objective1", files, tmp_path / "run", pairs=params.pairs)
        return states[0]

    return begin


@pytest.mark.parametrize("blocks", [0, 2])
def test_the_start_is_the_function_of_the_file_refined_or_not(begin: Begin, model: Path, blocks: int) -> None:
    state = begin(beginning_with(model, refinement_blocks=blocks))
    blind = torch.rand(3, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        expected = load_generator(model)(blind)
        for network in (state.average, deepcopy(state.generator).eval()):
            for ours, theirs in zip(network(blind), expected, strict=True):
                torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert state.generator.training
    assert all(parameter.requires_grad for parameter in state.generator.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in state.generator.parameters())


def test_a_refined_file_gives_its_refinement_too(begin: Begin, tmp_path: Path) -> None:
    refined = write_model(tmp_path / "refined.safetensors", blocks=2)
    state = begin(beginning_with(refined, refinement_blocks=2))
    assert same(state.average.state_dict(), load_generator(refined).state_dict())


def test_what_the_file_lacks_is_drawn_as_without_it(begin: Begin, model: Path) -> None:
    params = beginning_with(model, refinement_blocks=2)
    drawn = TrainingState(params.train, "objective1", params.train.objective1, CPU)
    state = begin(params)
    assert drawn.generator.refinement is not None
    assert state.generator.refinement is not None
    assert same(state.generator.refinement.state_dict(), drawn.generator.refinement.state_dict())
    assert same(state.discriminator.state_dict(), drawn.discriminator.state_dict())
    assert not same(state.generator.stem.state_dict(), drawn.generator.stem.state_dict())


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_record_names_the_hash_of_the_file(whole_run: Path, model: Path) -> None:
    assert json.loads((whole_run / "run.json").read_text())["data"]["initial"] == sha256_file(model)


def test_a_run_stopped_after_every_batch_ends_the_same_and_reads_the_file_once(
    files: TrainFiles, whole_run: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = beginning_with(model)

    def work(time_limit: float | None) -> str:
        return train(params.train, "objective1", files, tmp_path, pairs=params.pairs, time_limit=time_limit)

    assert work(0.0) == "time"
    monkeypatch.delattr(engine, "begin_with")
    assert [work(0.0), work(None)] == ["time", "finished"]
    assert digest(tmp_path) == digest(whole_run)


@pytest.mark.parametrize("point", [2, 9])
def test_a_killed_run_ends_with_the_same_weights(
    files: TrainFiles, whole_run: Path, model: Path, tmp_path: Path, point: int
) -> None:
    """Killed at its second change of a file, before any checkpoint, and at its ninth."""
    params = beginning_with(model)

    def work() -> None:
        train(params.train, "objective1", files, tmp_path, pairs=params.pairs)

    assert killed_at(point, tmp_path, work)
    work()
    assert digest(tmp_path) == digest(whole_run)


def test_another_file_is_refused_and_the_same_one_elsewhere_is_not(
    files: TrainFiles, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(params: Params) -> str:
        return train(params.train, "objective1", files, tmp_path / "run", pairs=params.pairs, time_limit=0.0)

    assert work(beginning_with(model)) == "time"
    other = write_model(tmp_path / "other.safetensors", seed=1)
    with pytest.raises(ParameterError, match=r"unfinished run of other parameters or data \(data.initial: [^;]*\)"):
        work(beginning_with(other))
    with pytest.raises(ParameterError, match=r"data.initial: .* -> null"):
        work(params_with())
    shutil.copy(model, tmp_path / "moved.safetensors")
    monkeypatch.chdir(tmp_path)
    assert work(beginning_with("moved.safetensors")) == "time"


def test_runs_from_before_this_choice_count_as_those_without_it(files: TrainFiles, tmp_path: Path) -> None:
    params = params_with(epochs=1)
    train(params.train, "objective1", files, tmp_path, pairs=params.pairs)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["data"].pop("initial", "absent") is None
    before = record_key(json.loads((tmp_path / "run.json").read_text()))
    del record["params"]["train"]["objective1"]["initial"]
    write_json(tmp_path / "run.json", record)
    assert train(params.train, "objective1", files, tmp_path, pairs=params.pairs) == "finished"
    assert json.loads((tmp_path / "run.json").read_text()) == record
    assert record_key(record) == before


def rewrite(source: Path, target: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(source)
    change(tensors)
    save_file(tensors, target, {HEADER: json.dumps(read_header(source))})


def spoilt(name: str, path: Path, model: Path) -> None:
    """A file that training on `model`'s shape cannot begin with."""
    bias = "ema.to_rgb.0.bias"
    if name == "wider":
        write_model(path, channels=16)
    elif name == "refined":
        write_model(path, blocks=2)
    elif name == "of the other objective":
        write_model(path, encoder="plain")
    elif name == "cut":
        path.write_bytes(model.read_bytes()[:-100])
    elif name == "lacking":
        rewrite(model, path, lambda tensors: tensors.pop(bias))
    elif name == "with more":
        rewrite(model, path, lambda tensors: tensors.update({"ema.more": torch.zeros(1)}))
    elif name == "of another shape":
        rewrite(model, path, lambda tensors: tensors.update({bias: torch.zeros(4)}))


@pytest.mark.parametrize(
    ("name", "blocks", "sentence"),
    [
        ("missing", 0, r"model \S+ is missing: train it with `blindface train`, or give another path"),
        ("cut", 0, "is not a generator file of Blindface .*: train the model again, or give another path"),
        ("of the other objective", 0, "is a model of objective2: give one of objective1, or null for random weights"),
        ("wider", 0, "a generator of channels 16, but the parameters ask for channels 8: ask for what the file has"),
        ("refined", 0, "a generator of refinement_blocks 2, but the parameters ask for refinement_blocks 0: ask for"),
        ("refined", 4, "a generator of refinement_blocks 2, but the parameters ask for refinement_blocks 4: ask for"),
        ("lacking", 0, r"holds no fitting generator \(.*Missing .*to_rgb.0.bias.*\): train the model again"),
        ("with more", 0, r"holds no fitting generator \(.*Unexpected .*more.*\): train the model again"),
        ("of another shape", 0, r"holds no fitting generator \(.*size mismatch for to_rgb.0.bias.*\): train the"),
    ],
)
def test_a_file_that_does_not_fit_is_one_sentence(
    begin: Begin, model: Path, tmp_path: Path, name: str, blocks: int, sentence: str
) -> None:
    path = tmp_path / "given.safetensors"
    spoilt(name, path, model)
    with pytest.raises(InputError, match=r"^train.objective1.initial: .*given.safetensors") as caught:
        begin(beginning_with(path, refinement_blocks=blocks))
    assert caught.match(sentence)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_encoder_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "unet.safetensors", encoder="unet")
    params = params_with(objective2={"batch_size": 2, "encoder": "residual", "initial": str(path)})
    state = TrainingState(params.train, "objective2", params.train.objective2, CPU)
    with pytest.raises(InputError, match=r"encoder unet, but the parameters ask for encoder residual"):
        engine.begin_with(state, path, "objective2")
