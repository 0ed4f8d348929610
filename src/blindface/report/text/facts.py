"""What was run, as short facts for the head of the table and the foot of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blindface.evaluation.failures import sentences as failure_sentences
from blindface.params.recipes import RECIPES, RecipeName, split_model
from blindface.report.inputs.material import Material
from blindface.report.inputs.names import SOURCES
from blindface.restoration.methods import method_of

Fact = tuple[str, str]

INTERPOLATIONS = {
    "nearest": "nearest-neighbour",
    "linear": "bilinear",
    "cubic": "bicubic",
    "area": "area",
    "lanczos": "Lanczos",
}
"""What the field calls the values of `restore.display`."""


def run_facts(material: Material) -> list[Fact]:
    """Source, split, test images, weights, epochs and backbones: what a reader needs to judge the numbers."""
    params = material.params
    facts = [("Photographs", _photographs(material)), ("Split", _split(material)), ("Test images", _tested(material))]
    decay = f"moving average of the generator, decay {params.train.progressive.ema:g} per batch"
    facts.append(("Weights evaluated", decay if params.restore.weights == "ema" else "the generator's last weights"))
    facts.append(("16×16 blind images", f"enlarged by {INTERPOLATIONS[params.restore.display]} interpolation"))
    facts.append(("Epochs", _epochs(material)))
    seconds = {_label(name): float(run["seconds"]) for name, run in material.runs.items() if "seconds" in run}
    if seconds:
        facts.append(("Training time", ", ".join(f"{name}: {duration_text(spent)}" for name, spent in seconds.items())))
    built = {_label(name): (run.get("versions") or {}).get("commit") for name, run in material.runs.items()}
    if any(built.values()):
        facts.append(("Trained by commit", ", ".join(f"{name}: {commit}" for name, commit in built.items() if commit)))
    if material.runs:
        facts.append(("MLflow runs", _tracked(material)))
    draws = {"fixed": "one fixed draw per image", "fresh": "a fresh draw at every epoch"}[
        params.train.progressive.degradation
    ]
    facts.append(("Degradation in training", f"{draws}; test images always have one fixed draw"))
    facts.append(("Perceptual loss", _perceptual(material)))
    detector = "" if params.landmarks.detector == "none" else f", detector {params.landmarks.detector}"
    facts.append(("Landmarks", f"{params.landmarks.backend}{detector}"))
    facts.append(("LPIPS", f"{params.evaluate.lpips} backbone"))
    frechet = {"inception": "FID, Inception features", "mobilefacenet": "face distance, MobileFaceNet features"}
    facts.append(("Fréchet distance", frechet[params.evaluate.frechet]))
    return facts


def _photographs(material: Material) -> str:
    source = SOURCES[material.params.fetch.source]
    if material.photographs is None:
        return source
    skipped = 0 if material.skipped is None else len(material.skipped)
    return f"{source}: {material.photographs:,}{material.of_people}, {skipped} skipped"


def _split(material: Material) -> str:
    by = {"image": "by photograph", "identity": "by person", "official": "LFW's official development lists"}
    counts = ", ".join(f"{count:,} {part}" for part, count in material.parts.items())
    return by[material.params.split.by] + (f": {counts}" if counts else "")


def _tested(material: Material) -> str:
    sizes = sorted({score.images for score in material.scores.values()})
    batches = sorted({score.batch_size for score in material.scores.values()})
    if not sizes:
        return "none scored"
    return f"{' or '.join(f'{n:,}' for n in sizes)}, in batches of {' or '.join(map(str, batches))}"


def _epochs(material: Material) -> str:
    """Epochs by model; where a training was left early, of how many."""
    done = {name: int(frame["epoch"].nunique()) for name, frame in material.history.items()}
    if not done:
        return "no history was given"
    texts = []
    for name, count in done.items():
        asked = material.params.train.of(_recipe(name)).epochs
        texts.append(f"{_label(name)}: {count}" + ("" if count == asked else f" of {asked}"))
    return ", ".join(texts)


def _recipe(model: str) -> RecipeName:
    """The recipe that trained a model; rows of one loss alone and models of before recipes are the paper's."""
    return next((recipe for recipe in RECIPES if split_model(model)[0] == recipe), "progressive")


def _tracked(material: Material) -> str:
    """Without the store's address, which may hold a password."""
    runs = [
        f"{_label(name)}: {run.run_id} ({run.run_name}, experiment {run.experiment})"
        for name, run in material.tracked.items()
    ]
    return ", ".join(runs) or "none is noted beside the models"


def _label(model: str) -> str:
    return method_of(model).label


def duration_text(seconds: float) -> str:
    """`48 s`, `12 min` or `3 h 5 min`."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _perceptual(material: Material) -> str:
    chosen = material.params.train.perceptual
    if chosen.backbone == "none":
        return "none"
    if "missing" in material.weights.get(chosen.backbone, {}):
        return f"left out: the weights of {chosen.backbone} could not be had"
    return f"{chosen.backbone}: {', '.join(chosen.layers)}"


def caveats(material: Material) -> list[str]:
    """Sentences that say why our numbers and the paper's may not be compared as they stand."""
    params, sentences = material.params, []
    if params.fetch.source != "lfw":
        sentences.append(
            f"The paper used LFW at 250×250; this run used {SOURCES[params.fetch.source]}"
            + (", so its numbers only show that everything works." if params.fetch.source == "embedded" else ".")
        )
    if params.split.train_limit or params.split.test_limit:
        limits = {"training": params.split.train_limit, "test": params.split.test_limit}
        named = " and ".join(f"{count} {part} photographs" for part, count in limits.items() if count)
        sentences.append(f"The run was limited to {named}.")
    if params.split.by == "image" and 0 < (material.people or 0) < (material.photographs or 0):
        sentences.append(
            "The split is by photograph, as in the paper: people with several photographs may be both in training and "
            "in the test."
        )
    if any(0 < int(frame["epoch"].nunique()) < 102 for frame in material.history.values()):
        sentences.append(f"The paper trained for 102 epochs; this run: {_epochs(material)}.")
    return sentences + failures(material)


def failures(material: Material) -> list[str]:
    """What looks like a failure among the restored images: `theirs: 6 of 12 images are of a single colour.`"""
    scored = [
        (method.label, material.scores[method.name]) for method in material.methods if method.name in material.scores
    ]
    return [
        f"{label}: {text}." for label, scores in scored for text in failure_sentences(scores.failures, scores.images)
    ]


def run_records(material: Material) -> list[tuple[str, list[Fact]]]:
    """What the data check counted, and per model what its run.json records: durations, device, hashes."""
    records = [("Check of the data", _flatten(material.checked))] if material.checked else []
    for name in material.models:
        if name in material.runs:
            facts = [
                (key, value)
                for key, value in _flatten(material.runs[name])
                if not key.startswith(("params.", "pairs."))
            ]
            records.append((f"Training record, {_label(name)}", facts[:40]))
    return records


def _flatten(values: Mapping[str, Any], prefix: str = "") -> list[Fact]:
    facts: list[Fact] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            facts += _flatten(value, f"{prefix}{key}.")
        elif isinstance(value, bool) or value is None or isinstance(value, str | int):
            facts.append((f"{prefix}{key}", str(value)))
        elif isinstance(value, float):
            facts.append((f"{prefix}{key}", f"{value:.6g}"))
    return facts


def versions(material: Material) -> list[Fact]:
    """Versions of the libraries that computed the metrics."""
    return sorted({(name, str(value)) for score in material.scores.values() for name, value in score.versions.items()})
