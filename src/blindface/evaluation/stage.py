"""Evaluation of one method: values per image as one table, and the numbers of the report as JSON.

`data/scores/<method>.parquet`, one row per restored image in the order of ids:

| column | unit | meaning |
|---|---|---|
| id | | image id |
| mse | 0 to 1, squared | mean squared error over RGB; from it the PSNR of any group of images |
| psnr, ssim, ssim_y, ms_ssim, ms_ssim_4 | dB, 1 | fidelity to the target |
| lpips_<trunk>, niqe, identity | 1 | perceived distance, naturalness, same person |
| identity_below_<n> | 0 or 1 | whether the identity similarity is below the threshold (in hundredths) |
| landmark_distance | inter-ocular distances | how far the 68 points are from the target's |
| consistency | dB | how well the image, degraded again, agrees with its blind image |
| pyiqa_<name> | the metric's | what `evaluate.pyiqa` asks for |
| high_frequency_ratio, high_frequency_error | 1 | detail over the target's, and its distance from it in octaves |

A metric whose weights are missing has no column; NaN is a value that an image does not have (no face found).
The JSON holds no time and no path: a rerun gives the same bytes.
"""

from __future__ import annotations

import itertools
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from blindface.base.device import choose_device
from blindface.base.errors import InputError, MetricUnavailableError
from blindface.base.files import write_json
from blindface.base.image_table import ImageTableWriter, image_shape, iterate_images, read_metadata, read_table
from blindface.base.images import Image
from blindface.base.progress import track
from blindface.base.threads import in_order, opencv_single_threaded
from blindface.evaluation.catalogue import KERNEL_SCALE, Description, descriptions, set_names
from blindface.evaluation.consistency import Observed
from blindface.evaluation.failures import Failures
from blindface.evaluation.meters import Faces, Measured, Meters, Values, joined
from blindface.evaluation.statistics import bootstrap_mean, over_batches, people_of
from blindface.external.weights import Weights
from blindface.landmarks.table import read_landmarks, read_points
from blindface.metrics.frechet import frechet_deviation, frechet_distance
from blindface.metrics.kernel_distance import kernel_deviation, kernel_distance
from blindface.metrics.precision_recall import NEIGHBOURS, precision_and_recall
from blindface.metrics.psnr import CEILING
from blindface.params import EvaluateParams, LandmarksParams

STACK = {"cpu": 16, "cuda": 256}
"""Images measured at a time: fixed by the device, so that the paper's batch size moves no bit of an image's values."""
NORMAL = 1.96
"""Half the width of a normal 95 % interval, in standard errors."""
DECIMALS = 6
PACKAGES = ("blindface", "torch", "numpy", "scipy", "lpips", "pytorch-fid", "onnxruntime")


@dataclass(frozen=True)
class Inputs:
    """The files of one evaluation, of the same ids: image columns `image` and `target`."""

    restored: Path
    targets: Path
    landmarks: Path | None = None


@dataclass
class Results:
    """What was measured of all images, in the order of the file."""

    ids: list[str]
    people: NDArray[np.str_]
    values: dict[str, Values]
    features: tuple[Values, Values] | None
    owners: NDArray[np.str_]
    """Whose face each row of the features is."""
    failures: Failures


def evaluate(
    restored: Path,
    targets: Path,
    landmarks: Path | None,
    weights: Weights,
    params: EvaluateParams,
    method: str,
    images_out: Path,
    output: Path,
    network: LandmarksParams | None = None,
    pairs: Path | None = None,
) -> dict[str, Any]:
    """Measure the images of `restored` (column image) against `targets` (column target) of the same ids.

    network: what found the landmarks, which looks at the restored images too; pairs: the pairs whose blind images were
    restored. Writes the table per image and the JSON, and returns the JSON's content. Errors: InputError if the files
    do not fit each other; ExternalFileError if a weight file that should be there is broken; DeviceError.
    """
    inputs = Inputs(restored, targets, landmarks)
    ids = _checked_ids(restored, targets)
    device = choose_device(params.device)
    # On a CPU stacks are measured side by side; a GPU is kept busy by one thread.
    workers = torch.get_num_threads() if device.type == "cpu" else 1
    threads = 1 if workers > 1 else None
    meters = Meters.load(params, weights, device, landmarks is not None, network, threads)
    observed: Observed | None = None
    try:
        observed = _observed(pairs, ids)
    except MetricUnavailableError as error:
        meters.unavailable["consistency"] = str(error)
    results = _measure(inputs, ids, meters, observed, STACK[device.type], workers)
    columns = {"id": pa.string()} | dict.fromkeys(results.values, pa.float64())
    made = {} if pairs is None else {"objective": read_metadata(pairs).get("objective", "")}
    made = {name: value for name, value in (made | read_metadata(restored)).items() if value}
    with ImageTableWriter(images_out, columns, metadata=_recorded(method, made, params, network)) as writer:
        writer.append({"id": ids, **results.values}, {})
    content = {
        "method": method,
        "objective": made.get("objective"),
        "images": len(ids),
        "people": len(set(results.people)),
        "batch_size": params.batch_size,
        "device": device.type,
        "chosen": json.loads(made.get("chosen", "null")),
        "failures": results.failures.found(ids),
        "metrics": summarise(results, meters, params),
        "backbones": meters.backbones,
        "versions": _versions(params),
    }
    write_json(output, content)
    return content


def _recorded(
    method: str, made: Mapping[str, str], params: EvaluateParams, network: LandmarksParams | None
) -> dict[str, str]:
    """What a reader of the values needs besides: whose they are, and by which parameters they were measured."""
    parameters = {"evaluate": params.model_dump(mode="json", exclude={"device"})}
    if network is not None:
        parameters["landmarks"] = {"backend": network.backend}
    better = {each.name: each.better for each in descriptions(params) if each.per_image}
    objective = {"objective": made["objective"]} if "objective" in made else {}
    return {"method": method, **objective, "better": json.dumps(better), "parameters": json.dumps(parameters)}


def summarise(results: Results, meters: Meters, params: EvaluateParams) -> dict[str, dict[str, Any]]:
    """The report's numbers of every metric, in the order of the catalogue."""
    of_sets = _of_features(results, params)
    metrics = {}
    for description in descriptions(params):
        name = description.name
        reason = meters.unavailable.get(name)
        numbers: dict[str, Any] = {}
        if reason is None and name == "psnr_batch":
            numbers = _rounded(
                zip(("batch_mean", "batch_std"), _psnr_batches(results.values["mse"], params), strict=True)
            )
            numbers["counted"] = len(results.ids)
        elif reason is None and name in results.values:
            numbers = _per_image(results.values[name], results.people, params)
            if numbers["image_mean"] is None:
                reason = meters.why_none(name)
        elif reason is None:
            numbers, reason = of_sets[name]
        metrics[name] = _entry(description, numbers, reason)
    return metrics


def _entry(description: Description, numbers: dict[str, Any], reason: str | None) -> dict[str, Any]:
    empty = {"batch_mean": None, "batch_std": None, "image_mean": None, "interval": None, "counted": 0}
    head = {"label": description.label, "better": description.better}
    return head | empty | numbers | {"unavailable": reason, "protocol": description.protocol}


def _psnr_batches(error: Values, params: EvaluateParams) -> tuple[float | None, float | None]:
    def of_batch(batch: Values) -> float:
        mean = batch.mean()
        return CEILING if mean == 0 else float(min(-10 * np.log10(mean), CEILING))

    return over_batches(error, params.batch_size, of_batch)


def _per_image(values: Values, people: NDArray[np.str_], params: EvaluateParams) -> dict[str, Any]:
    batch_mean, batch_std = over_batches(values, params.batch_size)
    found = bootstrap_mean(values, params.bootstrap, params.seed, people)
    interval = None if found is None or found.low is None or found.high is None else [found.low, found.high]
    numbers = {"batch_mean": batch_mean, "batch_std": batch_std, "image_mean": found and found.mean}
    return _rounded(numbers.items()) | {
        "interval": interval and [round(bound, DECIMALS) for bound in interval],
        "counted": found.count if found else 0,
    }


Numbers = tuple[dict[str, Any], str | None]
"""The numbers of a metric, or why there are none."""


def _of_features(results: Results, params: EvaluateParams) -> dict[str, Numbers]:
    """The metrics of all features together: one value for the whole set, so no deviation over batches."""
    names = set_names(params)
    count = 0 if results.features is None else len(results.features[0])
    if results.features is None or count < 2:
        return dict.fromkeys(names, ({}, "a distance between sets needs two images or more with a found face"))
    features, owners, seed = results.features, results.owners, params.seed
    distance = frechet_distance(*features), frechet_deviation(*features, seed, owners)
    kernel = tuple(
        None if value is None else value * KERNEL_SCALE
        for value in (kernel_distance(*features), kernel_deviation(*features, seed, owners))
    )
    found: dict[str, Numbers] = {
        names[0]: (_of_set(count, *distance, lowest=0.0), None),
        names[1]: (_of_set(count, *kernel), None),  # type: ignore[arg-type]
    }
    if count <= NEIGHBOURS:
        few = f"a manifold of {NEIGHBOURS} neighbours needs {NEIGHBOURS + 1} images or more with a found face"
        return found | dict.fromkeys(names[2:], ({}, few))
    for name, inside in zip(names[2:], precision_and_recall(*features), strict=True):
        share = bootstrap_mean(inside, params.bootstrap, seed, owners)
        assert share is not None
        bounds = None if share.low is None or share.high is None else [share.low, share.high]
        found[name] = (_numbers_of_set(count, share.mean, bounds), None)
    return found


def _of_set(count: int, value: float, error: float | None, lowest: float = -np.inf) -> dict[str, Any]:
    bounds = None if error is None else [max(value - NORMAL * error, lowest), value + NORMAL * error]
    return _numbers_of_set(count, value, bounds)


def _numbers_of_set(count: int, value: float, bounds: list[float] | None) -> dict[str, Any]:
    return {
        "batch_mean": round(value, DECIMALS),
        "interval": bounds and [round(bound, DECIMALS) for bound in bounds],
        "counted": count,
    }


def _rounded(items: Any) -> dict[str, float | None]:
    return {key: None if value is None else round(float(value), DECIMALS) for key, value in items}


def _observed(pairs: Path | None, ids: list[str]) -> Observed:
    if pairs is None:
        raise MetricUnavailableError("it needs the pairs behind the images, and none were given: add --pairs")
    return Observed.load(pairs, ids)


def _measure(
    inputs: Inputs, ids: list[str], meters: Meters, observed: Observed | None, stack: int, workers: int
) -> Results:
    faces = None if inputs.landmarks is None else _read_faces(inputs.landmarks, ids, meters.takes_boxes)
    blinds = itertools.repeat(None) if observed is None else observed.blind(stack)
    stacks = zip(itertools.count(0, stack), aligned(inputs.restored, inputs.targets, stack), blinds, strict=False)

    def work(item: tuple[int, tuple[list[str], Image, Image], Image | None]) -> tuple[Measured, Image, Image]:
        first, (_, images, wanted), blind = item
        here = None if faces is None else faces.part(slice(first, first + len(images)))
        measured = meters.measure(images, wanted, here)
        if observed is not None and blind is not None:
            measured.values["consistency"] = observed.consistency(images, blind, first)
        return measured, images, wanted

    parts: list[Measured] = []
    failures = Failures()
    with opencv_single_threaded():
        for measured, images, wanted in track(
            in_order(work, stacks, workers), "evaluating", total=-(-len(ids) // stack)
        ):
            parts.append(measured)
            failures.add(images, wanted)
    features = [part.features for part in parts if part.features is not None]
    people = _people(inputs.targets, ids)
    of_faces = faces is not None and meters.params.frechet == "mobilefacenet"
    return Results(
        ids,
        people,
        {name: joined(part.values[name] for part in parts) for name in parts[0].values},
        (joined(pair[0] for pair in features), joined(pair[1] for pair in features)) if features else None,
        people[faces.found] if of_faces and faces is not None else people,
        failures,
    )


def _people(targets: Path, ids: list[str]) -> NDArray[np.str_]:
    """Whose photograph each image is: as the targets say, at the level of folders that was chosen, else by the id."""
    table = read_table(targets)
    if "person" not in table:
        return people_of(ids)
    return np.asarray(table.set_index("id")["person"].loc[ids].to_numpy(dtype=np.str_))


def aligned(restored: Path, targets: Path, stack: int) -> Iterator[tuple[list[str], Image, Image]]:
    """Yield (ids, restored, targets) of at most `stack` images, both (N, H, W, 3); one pass over each file.

    Both files are sorted by id and the targets hold every id of `restored`, which `evaluate` checks before.
    """
    supply = (
        (name, image)
        for names, images in iterate_images(targets, "target")
        for name, image in zip(names, images, strict=True)
    )
    for ids, images in iterate_images(restored, "image", stack):
        chosen = np.empty_like(images)
        for place, wanted in enumerate(ids):
            chosen[place] = next(image for name, image in supply if name == wanted)
        yield ids, images, chosen


def _checked_ids(restored: Path, targets: Path) -> list[str]:
    shapes = []
    for path, column in ((restored, "image"), (targets, "target")):
        try:
            shapes.append(image_shape(path, column))
        except KeyError:
            raise InputError(
                f"{path} has no image column '{column}': make it again with the stage that writes it"
            ) from None
    if shapes[0] != shapes[1]:
        found, wanted = ("x".join(map(str, shape[:2])) for shape in shapes)
        raise InputError(f"{restored} holds images of {found} px, {targets} of {wanted}: restore to the targets' size")
    ids = [str(name) for name in read_table(restored)["id"]]
    if not ids:
        raise InputError(f"{restored} holds no image: restore the test part first")
    known = [str(name) for name in read_table(targets)["id"]]
    for path, names in ((restored, ids), (targets, known)):
        if any(first >= second for first, second in pairwise(names)):
            raise InputError(f"the ids of {path} are not sorted or not unique: write every image once, in their order")
    missing = sorted(set(ids) - set(known))
    if missing:
        raise InputError(f"{targets} lacks {len(missing)} of the {len(ids)} images of {restored}, first {missing[0]}")
    return ids


def _read_faces(path: Path, ids: list[str], boxes: bool) -> Faces:
    points = read_points(path, ids)
    return Faces(points.points_128, points.found, read_landmarks(path, ids)[1].box if boxes else None)


def _versions(params: EvaluateParams) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in (*PACKAGES, *(["pyiqa"] if params.pyiqa else [])):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
