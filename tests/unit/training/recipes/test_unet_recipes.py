"""The recipes mean, gan and flow: what they learn, how they go on, and what their files restore."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from typer.testing import CliRunner

import blindface.training.monitor.plan
from blindface.base import image_table
from blindface.base.errors import InputError, ParameterError
from blindface.base.images import resize, to_signed
from blindface.cli.app import app
from blindface.networks.flow_restorer import FlowRestorer, Sampling, draw_noise
from blindface.networks.model_file import load_generator, read_header
from blindface.networks.unet import RestorationUNet
from blindface.params import Params, merge, validate
from blindface.params.training import decisive
from blindface.rendered.render import render_photograph
from blindface.training.data import Batch
from blindface.training.recipes import Setup, make_recipe
from blindface.training.session import engine
from blindface.training.session.engine import TrainFiles, train

NARROW = {"channels": [4, 8, 8, 12], "blocks": [1, 1, 1, 1]}
SHORT = {"epochs": 2, "batch_size": 2, "ema": 0.9}
PARAMS: dict[str, Any] = {
    "recipes": ["mean", "gan", "flow"],
    "checkpoint_seconds": 0.02,
    "perceptual": {"backbone": "none"},
    "mean": {**NARROW, **SHORT},
    "gan": {**SHORT, "discriminator_channels": [8, 8]},
    "flow": {**NARROW, **SHORT, "steps": 2},
}
RECIPES = ("mean", "gan", "flow")


def params_with(**changes: Any) -> Params:
    return validate({"train": merge(PARAMS, changes)})


@pytest.fixture(scope="module", autouse=True)
def _quiet_process() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "hash_code", lambda *_: "code")
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TrainFiles:
    """Five rendered faces: four to train, one to validate."""
    folder = tmp_path_factory.mktemp("data")
    ids = [f"p{i}/p{i}_0001" for i in range(5)]
    targets = np.stack([resize(render_photograph(i + 1, 1, 2024).image, 128, "area") for i in range(5)])
    with image_table.ImageTableWriter(
        folder / "targets.parquet", {"id": pa.string()}, {"target": (128, 128, 3)}
    ) as writer:
        writer.append({"id": ids}, {"target": targets})
    for name, part in (("train", slice(0, 4)), ("validation", slice(4, 5))):
        with image_table.ImageTableWriter(
            folder / f"{name}.parquet", {"id": pa.string()}, {"blind": (16, 16, 3)}
        ) as writer:
            blinds = np.stack([resize(target, 16, "linear") for target in targets[part]])
            writer.append({"id": ids[part]}, {"blind": blinds})
    return TrainFiles(*(folder / f"{name}.parquet" for name in ("targets", "train", "validation")))


def run(recipe: Any, files: TrainFiles, folder: Path, params: Params | None = None, **more: Any) -> str:
    params = params or params_with()
    return train(params.train, recipe, "objective1", files, folder, pairs=params.pairs, **more)


@pytest.fixture(scope="module")
def models(files: TrainFiles, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[TrainFiles, Path]]:
    """Each recipe trained without a disturbance, with the files it read."""
    made: dict[str, tuple[TrainFiles, Path]] = {}
    for recipe in RECIPES:
        begin = made["mean"][1] / "generator.safetensors" if made else None
        own = TrainFiles(files.targets, files.train, files.validation, begin=begin)
        folder = tmp_path_factory.mktemp(recipe)
        assert run(recipe, own, folder) == "finished"
        made[recipe] = own, folder
    return made


def digest(folder: Path) -> str:
    return str(json.loads((folder / "run.json").read_text())["weights_sha256"])


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_stopped_after_every_batch_ends_with_the_same_weights(models: Any, recipe: str, tmp_path: Path) -> None:
    own, whole = models[recipe]
    states = [run(recipe, own, tmp_path, time_limit=0.0) for _ in range(4)]
    assert states == ["time", "time", "time", "finished"]
    assert digest(tmp_path) == digest(whole)


def killed_after(seconds: float, work: Callable[[], object]) -> bool:
    """Do some work in a copy of this process and kill it after so long; whether it was still at work."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_killed_at_any_instant_ends_with_the_same_weights(models: Any, recipe: str, tmp_path: Path) -> None:
    own, whole = models[recipe]
    chance = random.Random(f"kill {recipe}")

    def work() -> None:
        run(recipe, own, tmp_path)

    kills = [killed_after(chance.uniform(0.05, 0.9), work) for _ in range(6)]
    assert any(kills)
    work()
    assert digest(tmp_path) == digest(whole)
    assert (tmp_path / "generator.safetensors").read_bytes() == (whole / "generator.safetensors").read_bytes()


@pytest.mark.parametrize("recipe", ["progressive", *RECIPES])
def test_the_command_tells_the_plan_of_a_recipe(
    files: TrainFiles, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blindface.training.monitor.plan, "PROBE_SECONDS", 0.0)
    params = json.dumps({"train": {**PARAMS, "device": "cpu"}})
    words = ["train", "--plan", "--recipe", recipe, "--objective", "objective1"]
    result = CliRunner().invoke(app, [*words, "--train", str(files.train), "--params", params])
    assert result.exit_code == 0, result.output
    for expected in (f"{recipe}1", "4 images", "GFLOP per image", "images/s on the CPU"):
        assert expected in result.output


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_leaves_its_history(models: Any, recipe: str) -> None:
    rows = list(csv.DictReader((models[recipe][1] / "history.csv").open()))
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "1"), ("2", "1")]
    columns = make_recipe(recipe, Setup(params_with().train, "objective1", torch.device("meta"))).columns  # type: ignore[arg-type]
    computed = [name for name in columns if name != "perceptual"]  # without weights of its backbone
    for row in rows:
        assert all(np.isfinite(float(row[name])) for name in (*computed, "psnr", "ssim"))


@pytest.mark.parametrize("recipe", RECIPES)
def test_its_file_is_loaded_by_the_one_function_and_restores(models: Any, files: TrainFiles, recipe: str) -> None:
    path = models[recipe][1] / "generator.safetensors"
    assert read_header(path)["recipe"] == recipe
    network = load_generator(path)
    assert isinstance(network, FlowRestorer if recipe == "flow" else RestorationUNet)
    blind = to_signed(torch.from_numpy(image_table.read_images(files.train, "blind")))
    (image,) = network.restore(blind, ["a", "b", "c", "d"])
    assert image.shape == (4, 3, 128, 128)
    assert torch.isfinite(image).all()


def test_gan_and_flow_begin_with_the_mean(models: Any) -> None:
    mean = load_generator(models["mean"][1] / "generator.safetensors").state_dict()
    for recipe in ("gan", "flow"):
        made = make_recipe(recipe, Setup(params_with().train, "objective1", torch.device("cpu")))  # type: ignore[arg-type]
        made.begin_with(models["mean"][1] / "generator.safetensors")
        network = made.ema.mean if recipe == "flow" else made.ema
        assert all(torch.equal(value, mean[name]) for name, value in network.state_dict().items())  # type: ignore[union-attr]
    trained = load_generator(models["flow"][1] / "generator.safetensors")
    assert isinstance(trained, FlowRestorer)
    assert all(torch.equal(value, mean[name]) for name, value in trained.mean.state_dict().items())


def test_a_mean_of_another_shape_is_refused(models: Any, tmp_path: Path) -> None:
    params = params_with(mean={"channels": [4, 8, 8, 16]})
    with pytest.raises(InputError, match="begins with"):
        run("gan", models["gan"][0], tmp_path, params)


def test_a_gan_without_a_mean_is_refused(files: TrainFiles, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="mean1"):
        run("gan", files, tmp_path)


def test_a_parameter_reaches_its_own_recipe_and_those_that_begin_with_it() -> None:
    before = params_with().train.model_dump(mode="json")

    def changed(block: str, key: str, value: Any) -> set[str]:
        after = merge(before, {block: {key: value}})
        return {
            name
            for name in ("progressive", *RECIPES)
            if decisive(before, name, "objective1") != decisive(after, name, "objective1")  # type: ignore[arg-type]
        }

    assert changed("mean", "ema", 0.5) == {"mean", "gan", "flow"}
    assert changed("gan", "ema", 0.5) == {"gan"}
    assert changed("flow", "sigma", 0.5) == {"flow"}
    assert changed("progressive", "ema", 0.5) == {"progressive"}
    assert changed("gan", "objective2", {"pixel": 5.0}) == set()


def batch_of(files: TrainFiles, recipe: Any) -> Batch:
    targets = to_signed(torch.from_numpy(image_table.read_images(files.targets, "target")))[:2]
    blind = to_signed(torch.from_numpy(image_table.read_images(files.train, "blind")))[:2]
    return Batch(blind, (targets,), (), torch.zeros(2, dtype=torch.bool), recipe.draws(0, 0, 1))


@pytest.mark.parametrize(("recipe", "term"), [("mean", "squared_error"), ("gan", "pixel"), ("flow", "velocity_error")])
def test_its_error_on_rendered_faces_goes_down(files: TrainFiles, recipe: str, term: str) -> None:
    fast = {"learning_rate": 2e-3, "warm_up": 0.0, "gradient_norm": 10.0}
    params = params_with(mean=fast, gan={**fast, "betas": [0.9, 0.99]}, flow=fast).train
    made = make_recipe(recipe, Setup(params, "objective1", torch.device("cpu")))  # type: ignore[arg-type]
    made.schedule(0.0)
    batch = batch_of(files, made)
    errors = [float(made.update(batch)[f"{term}/1"]) for _ in range(60 if recipe == "gan" else 30)]
    assert errors[-1] < 0.93 * errors[0]


def test_the_discriminator_tells_target_from_restored(files: TrainFiles) -> None:
    quiet = {"adversarial": 0.0, "pixel": 0.001, "gamma": [0.1, 0.1]}
    params = params_with(gan={"objective1": quiet, "learning_rate": 2e-3}).train
    made = make_recipe("gan", Setup(params, "objective1", torch.device("cpu")))
    made.schedule(0.0)
    batch = batch_of(files, made)
    gaps = [float(made.update(batch)["score_gap/1"]) for _ in range(20)]
    assert gaps[-1] > gaps[0] + 0.1


def test_penalties_at_every_second_update_count_twice(files: TrainFiles) -> None:
    made = [
        make_recipe("gan", Setup(params_with(gan={"penalty_every": every}).train, "objective1", torch.device("cpu")))
        for every in (1, 2)
    ]
    for gan in made:
        gan.schedule(2.0)
    batch = batch_of(files, made[0])
    terms = [[gan.update(batch), gan.after_update(), gan.update(batch)] for gan in made]
    assert ["r1/1" in found for found in (terms[0][0], terms[0][2], terms[1][0], terms[1][2])] == [True] * 3 + [False]  # type: ignore[operator]
    assert terms[1][0]["r1/1"] == terms[0][0]["r1/1"]  # type: ignore[index]
    single, double = (found[0]["gradient_norm_discriminator/1"] for found in terms)  # type: ignore[index]
    assert double != single


def test_gamma_falls_by_a_cosine_and_the_adversarial_weight_rises() -> None:
    params = params_with(gan={"epochs": 4, "objective1": {"gamma": [3.0, 1.0], "adversarial_ramp": 2.0}}).train
    made = make_recipe("gan", Setup(params, "objective1", torch.device("cpu")))
    shown = [made.schedule(place) for place in (0.0, 1.0, 2.0, 4.0)]
    assert [round(row["weight_gamma/1"], 6) for row in shown] == [3.0, round(2 + 0.5**0.5, 6), 2.0, 1.0]
    full = params.gan.objective1.adversarial
    assert [row["weight_adversarial/1"] for row in shown] == [0.0, full / 2, full, full]


def awake_flow() -> FlowRestorer:
    torch.manual_seed(3)
    network = FlowRestorer({**NARROW, "input_size": 16}, NARROW)
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.05 * torch.randn_like(value))
    return network.eval()


def test_a_sample_depends_on_seed_and_id_and_on_no_other_image() -> None:
    network = awake_flow()
    blind, ids = torch.rand(5, 3, 16, 16) * 2 - 1, ["a", "b", "c", "d", "e"]
    with torch.inference_mode():
        (together,) = network.restore(blind, ids)
        (alone,) = network.restore(blind[2:3], ids[2:3])
        (turned,) = network.restore(blind.flip(0), ids[::-1])
        network.sampling = Sampling(seed=7)
        (other,) = network.restore(blind, ids)
    torch.testing.assert_close(alone, together[2:3], rtol=0, atol=1e-5)
    torch.testing.assert_close(turned.flip(0), together, rtol=0, atol=1e-5)
    assert not torch.allclose(other, together, atol=1e-2)


def test_noise_is_a_function_of_seed_sample_and_id() -> None:
    assert torch.equal(draw_noise(1, ["a", "b"], 0)[1], draw_noise(1, ["b"], 0)[0])
    noise = [draw_noise(1, ["a"], 0), draw_noise(1, ["a"], 1), draw_noise(2, ["a"], 0), draw_noise(1, ["b"], 0)]
    assert all(not torch.equal(noise[0], other) for other in noise[1:])
    assert abs(float(noise[0].mean())) < 0.02
    assert abs(float(noise[0].std()) - 1) < 0.02


def test_the_spread_is_mean_and_deviation_of_samples() -> None:
    network = awake_flow()
    blind, ids = torch.rand(2, 3, 16, 16) * 2 - 1, ["a", "b"]
    with torch.inference_mode():
        mean, deviation = network.spread(blind, ids, 3)
        samples = torch.stack([network(blind, draw_noise(2024, ids, place)).clamp(-1, 1) for place in range(3)])
    torch.testing.assert_close(mean, samples.mean(dim=0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(deviation, samples.std(dim=0, correction=0), atol=1e-4, rtol=1e-3)
    with torch.inference_mode():
        assert float(network.spread(blind, ids, 1)[1].max()) < 1e-3
