"""What the Snakefile asks of Python: checked parameters, slices of them, and the code behind each stage."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from blindface.base.code import deciding_files, digest_code
from blindface.base.errors import BlindfaceError
from blindface.params import Objective, RecipeName, TrainParams, model_name, validate
from blindface.params.progressive import ProgressiveParams, pixel_loss_alone
from blindface.params.recipes import split_model
from blindface.params.training import EXECUTION, decisive
from blindface.restoration.methods import Method, chosen_methods

WEIGHTS_KEYS = {
    "landmarks": ("landmarks.backend", "landmarks.detector"),
    "train": ("train.perceptual", "train.validation_lpips"),
    # All that decides the metrics: it is recorded beside the files, and later commands measure by it.
    "evaluate": ("evaluate", "-evaluate.device", "landmarks", "-landmarks.score", "-landmarks.device"),
}
GRAPH_KEYS = {
    "train.recipes": "decides which models and rows the graph has",
    "restore.methods": "decides which rows the graph has, and so which jobs there are",
    "restore.external": "a row each, whose folder is read by import_external",
}
"""Parameters that reach no stage on purpose, and what they do instead; a test finds all others in a command."""
MAE = "mae"
"""mae1 and mae2 are models too, for the rows of that name."""
EXECUTION_SETTINGS = ("track", *(f"train.{key}" for key in EXECUTION))


def prepare_environment(root: str | Path) -> None:
    """Set what the jobs read from the environment.

    A relative BLINDFACE_MIRROR means the folder seen from where the user called, not from --directory; BLINDFACE_ROOT
    is for the scripts of workflow/envs.
    """
    os.environ["BLINDFACE_ROOT"] = str(root)
    for name in ("BLINDFACE_MIRROR", "BLINDFACE_CACHE"):
        place = os.environ.get(name)
        if place and not Path(place).is_absolute():
            os.environ[name] = str((Path(os.environ.get("PWD", ".")) / place).resolve())


class Experiment:
    """The parameters of one run, checked once, handed to the rules in slices."""

    def __init__(self, config: Mapping[str, Any], root: str | Path, overlays: Sequence[str | Path] = ()) -> None:
        self.root = Path(root)
        self.source = self.root / "src"
        # By the value of `code`, the files behind it: dvc.yaml names them.
        self.code_files: dict[str, tuple[Path, ...]] = {}
        self.codes: dict[tuple[str, str | None, str | None], str] = {}
        try:
            self.values = validate(config, "parameters").model_dump(mode="json")
        except BlindfaceError as error:
            # Snakemake would wrap an exception in a traceback; a user's mistake deserves one sentence.
            print(f"blindface: {error}", file=sys.stderr)
            raise SystemExit(2) from None
        if not self.values["track"]["overlay"]:
            self.values["track"]["overlay"] = "+".join(Path(overlay).stem for overlay in overlays)

    def slice(self, *keys: str) -> str:
        """The named keys (`block`, `block.key`, `-block.key` to leave one out) as JSON for `blindface --params`."""
        result: dict[str, Any] = {}
        for key in keys:
            block, _, name = key.removeprefix("-").partition(".")
            if key.startswith("-"):
                del result[block][name]
            elif name:
                result.setdefault(block, {})[name] = self.values[block][name]
            else:
                result[block] = dict(self.values[block])
        return as_json(result)

    def export_for_jobs(self) -> None:
        """Set BLINDFACE_TRACK and BLINDFACE_EXECUTION for the jobs: what changes no result is no param."""
        os.environ["BLINDFACE_TRACK"] = self.slice("track")
        os.environ["BLINDFACE_EXECUTION"] = self.execution_settings()

    def folder_state(self) -> str:
        """What changes when the folder of photographs does; empty for other sources. A missing one is said at once."""
        if self.values["fetch"]["source"] != "folder":
            return ""
        from blindface.photographs.folder import check_folder

        folder = Path(self.values["fetch"]["folder"])
        _or_exit(lambda: check_folder(folder))
        return folder_state(str(folder))

    def external_state(self, method: str) -> str:
        """What changes when the folder that an external method restored does."""
        from blindface.restoration.external import check_folder

        folder = self.external[method]["folder"]
        _or_exit(lambda: check_folder(Path(folder)))
        return folder_state(folder)

    @property
    def mirror(self) -> str:
        """Whether a mirror is given, where files may be left out: it may hold now what was missing before."""
        given = self.values["fetch"]["missing"] == "skip" and os.environ.get("BLINDFACE_MIRROR")
        return "given" if given else ""

    def weights_slice(self, stage: str) -> str:
        """What decides which weight files a stage needs, and nothing more."""
        return self.slice("fetch.missing", *WEIGHTS_KEYS[stage])

    def check_slice(self, objective: str) -> str:
        """What the data of one objective must fit to."""
        return self.slice("split", "pairs", f"-pairs.{_other(objective)}")

    def pairs_slice(self, objective: str) -> str:
        """The degradation of one objective: a change of the other one's ranges leaves it alone."""
        return self.slice("pairs", f"-pairs.{_other(objective)}")

    def train_slice(self, model: str) -> str:
        """The training of one model; the degradation only where it is drawn anew at every epoch.

        mae1 and mae2 are the paper's recipe with the absolute error alone: every other loss has no weight, and what
        only those losses read is left out.
        """
        recipe, objective = training_of(model)
        train = decisive(self.values["train"], recipe, objective)
        values: dict[str, Any] = {"train": train}
        if model.startswith(MAE):
            block = ProgressiveParams.model_validate_json(json.dumps(train["progressive"]))
            train["progressive"][objective] = pixel_loss_alone(block.of(objective)).model_dump(mode="json")
            train["perceptual"] = {"backbone": "none"}
            for key in ("penalty", "discriminator_channels"):
                train["progressive"].pop(key)
        if train[recipe]["degradation"] == "fresh":
            values |= json.loads(self.pairs_slice(objective))
        return as_json(values)

    def pairs_of(self, model: str, part: str) -> str:
        """The pairs of a model's objective."""
        return f"data/pairs/{training_of(model)[1]}/{part}.parquet"

    def begin(self, model: str) -> list[str]:
        """The generator file of the model that a training begins with, if it does."""
        recipe, objective = training_of(model)
        source = TrainParams().of(recipe).begins_with
        return [f"data/models/{model_name(source, objective)}/generator.safetensors"] if source else []

    def execution_settings(self) -> str:
        """What training is told besides, and what changes no result: where it is tracked, how often it is saved."""
        return self.slice(*EXECUTION_SETTINGS)

    @property
    def methods(self) -> dict[str, Method]:
        """The methods of ours that are asked for, by name, in the order of the table."""
        return chosen_methods(self.values["restore"]["methods"], self.recipes)

    @property
    def recipes(self) -> list[str]:
        """The recipes whose models are rows."""
        return list(self.values["train"].get("recipes", ["progressive"]))

    @property
    def external(self) -> dict[str, dict[str, Any]]:
        """Other people's restorers by name."""
        return {entry["name"]: entry for entry in self.values["restore"]["external"]}

    @property
    def objectives(self) -> dict[str, str]:
        """Whose blind images each row sees, ours and other people's."""
        ours = {name: str(method.objective) for name, method in self.methods.items()}
        return ours | {name: entry["objective"] for name, entry in self.external.items()}

    def models(self, *rows: str) -> list[str]:
        """The names of the models that these rows pass; other people's pass none of ours."""
        passed = [model for row in rows if row in self.methods for model in self.methods[row].models]
        return list(dict.fromkeys(passed))

    def restore_slice(self, method: str) -> str:
        """What one method reads, so that another one's settings leave it alone."""
        return self.slice(*self.methods[method].settings)

    def gpus(self, stage: str, of_use: bool = True) -> int:
        """GPUs that a job takes: one where the stage's device may be one and it is of use."""
        return int(of_use and self.values[stage]["device"] != "cpu")

    def code(self, command: str, recipe: str | None = None, way: str | None = None) -> str:
        """What changes when code does that decides the result of `blindface <command>`; recipe: which one it trains.

        way: the module by which a method restores, which its declaration names. A value and no input files: Snakemake
        would compare those by their place and with every comment.
        """
        if (command, recipe, way) not in self.codes:
            text = f"{way or command} {digest_code(command, recipe, self.source, way)[:16]}"
            self.codes[command, recipe, way] = text
            self.code_files[text] = deciding_files(command, recipe, self.source, way)
        return self.codes[command, recipe, way]

    def restore_code(self, method: str) -> str:
        """The code that restores by one method: another way's module leaves it alone."""
        return self.code("restore", way=self.methods[method].way)


def as_json(values: Mapping[str, Any]) -> str:
    """JSON without braces in its texts: Snakemake would take `{draft}` or `${HOME}` there for a wildcard."""
    return re.sub(
        r'"(?:[^"\\]|\\.)*"',
        lambda text: text[0].replace("{", "\\u007b").replace("}", "\\u007d"),
        json.dumps(values),
    )


def _or_exit(check: Callable[[], None]) -> None:
    """Run a check of what the user gave: Snakemake would wrap its exception in a traceback."""
    try:
        check()
    except BlindfaceError as error:
        print(f"blindface: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def folder_state(folder: str) -> str:
    """A hash of the names, sizes and times of a folder's images."""
    from blindface.photographs import folder as photographs

    return photographs.folder_state(Path(folder))


def training_of(model: str) -> tuple[RecipeName, Objective]:
    """Recipe and objective by which a model is trained."""
    recipe, objective = split_model(model)
    return ("progressive" if recipe == MAE else recipe), objective


def _other(objective: str) -> str:
    return "objective2" if objective == "objective1" else "objective1"
