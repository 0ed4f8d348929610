"""Evaluation of one method: values per image as one table, and the numbers of the report as JSON.

`data/scores/<method>.parquet`, one row per restored image in the order of ids:

| column | unit | meaning |
|---|---|---|
| id | | image id |
| mse | 0 to 1, squared | mean squared error over RGB; from it the PSNR of any group of images |
| psnr, ssim, ssim_y, ms_ssim, ms_ssim_4 | dB, 1 | fidelity to the target |
| lpips_<trunk>, niqe, identity | 1 | perceived distance, naturalness, same person |
| landmark_distance | inter-ocular distances | how far the 68 points are from the target's |
| high_frequency_ratio, high_frequency_error | 1 | detail over the target's, and its distance from it in octaves |

A metric whose weights are missing has no column; NaN is a value that an image does not have (no face found).
The JSON holds no time and no path: a rerun gives the same bytes.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from blindface.base.device import choose_device
from blindface.base.errors import InputError
from blindface.base.files import write_json
from blindface.base.image_table import ImageTableWriter, image_shape, iterate_images, read_metadata, read_table
from blindface.base.images import Image
from blindface.base.progress import track
from blindface.evaluation.catalogue import Description, descriptions
from blindface.evaluation.meters import Faces, Meters, Part, Values, joined
from blindface.evaluation.statistics import bootstrap_mean, over_batches
from blindface.external.weights import Weights
from blindface.landmarks.table import read_landmarks, read_points
from blindface.metrics.frechet import frechet_deviation, frechet_distance
from blindface.metrics.psnr import CEILING
from blindface.params import EvaluateParams, LandmarksParams

STACK = {"cpu": 16, "cuda": 256}
"""Images measured at a time: fixed by the device, so that the paper's batch size moves no bit of an image's values."""
NORMAL = 1.96
"""Half the width of a normal 95 % interval, in standard errors."""
DECIMALS = 6
PACKAGES = ("blindface", "torch", "numpy", "scipy", "lpips", "pytorch-fid", "onnxruntime")


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
) -> dict[str, Any]:
    """Measure the images of `restored` (column image) against `targets` (column target) of the same ids.

    network: what found the landmarks, which looks at the restored images too. Writes the table per image and the JSON,
    and returns the JSON's content. Errors: InputError if the files do not fit each other; ExternalFileError if a weight
    file that should be there is broken; DeviceError.
    """
    ids = _checked_ids(restored, targets)
    device = choose_device(params.device)
    meters = Meters.load(params, weights, device, landmarks is not None, network)
    faces = None if landmarks is None else _read_faces(landmarks, ids, meters.takes_boxes)
    values = _measure(restored, targets, faces, meters, STACK[device.type], len(ids))
    columns = {"id": pa.string()} | dict.fromkeys(values, pa.float64())
    made = read_metadata(restored)
    with ImageTableWriter(images_out, columns, metadata=_recorded(method, made, params, network)) as writer:
        writer.append({"id": ids, **values}, {})
    content = {
        "method": method,
        "objective": made.get("objective"),
        "images": len(ids),
        "batch_size": params.batch_size,
        "device": device.type,
        "chosen": json.loads(made.get("chosen", "null")),
        "metrics": summarise(values, meters, params),
        "backbones": meters.backbones,
        "versions": _versions(),
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


def summarise(values: dict[str, Values], meters: Meters, params: EvaluateParams) -> dict[str, dict[str, Any]]:
    """The report's numbers of every metric, in the order of the catalogue."""
    metrics = {}
    for description in descriptions(params):
        name = description.name
        reason = meters.unavailable.get(name)
        numbers: dict[str, Any] = {}
        if reason is None and name == "psnr_batch":
            numbers = _rounded(zip(("batch_mean", "batch_std"), _psnr_batches(values["mse"], params), strict=True))
        elif reason is None and name in values:
            numbers = _per_image(values[name], params)
            if numbers["image_mean"] is None:
                reason = "no image has a value: no face was found, or the images have no contrast"
        elif reason is None:
            numbers, reason = _frechet(meters, params)
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


def _per_image(values: Values, params: EvaluateParams) -> dict[str, Any]:
    batch_mean, batch_std = over_batches(values, params.batch_size)
    found = bootstrap_mean(values, params.bootstrap, params.seed)
    interval = None if found is None or found.low is None or found.high is None else [found.low, found.high]
    numbers = {"batch_mean": batch_mean, "batch_std": batch_std, "image_mean": found and found.mean}
    return _rounded(numbers.items()) | {
        "interval": interval and [round(bound, DECIMALS) for bound in interval],
        "counted": found.count if found else 0,
    }


def _frechet(meters: Meters, params: EvaluateParams) -> tuple[dict[str, Any], str | None]:
    """One value for the whole set, so there is no deviation over batches; the interval is the jackknife's."""
    features = meters.features()
    if features is None or len(features[0]) < 2:
        return {}, "a Fréchet distance needs two images or more with a found face"
    distance = frechet_distance(*features)
    error = frechet_deviation(*features, seed=params.seed)
    bounds = None if error is None else [max(distance - NORMAL * error, 0.0), distance + NORMAL * error]
    return {
        "batch_mean": round(distance, DECIMALS),
        "interval": bounds and [round(bound, DECIMALS) for bound in bounds],
        "counted": len(features[0]),
    }, None


def _rounded(items: Any) -> dict[str, float | None]:
    return {key: None if value is None else round(float(value), DECIMALS) for key, value in items}


def _measure(
    restored: Path, targets: Path, faces: Faces | None, meters: Meters, stack: int, count: int
) -> dict[str, Values]:
    parts: list[dict[str, Part]] = []
    done = 0
    stacks = aligned(restored, targets, stack)
    for _, images, wanted in track(stacks, "evaluating", total=-(-count // stack)):
        rows = slice(done, done + len(images))
        here = None if faces is None else faces.part(rows)
        parts.append(meters.measure(images, wanted, here))
        done += len(images)
    return {name: joined(part[name] for part in parts) for name in parts[0]}


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


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
