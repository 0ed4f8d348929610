r"""Memorisation of every model's restored test faces: `data/memorisation.json`.

| key | meaning |
|---|---|
| protocol, training | how it is measured, and the number of training faces |
| unavailable | why nothing could be measured, or null |
| methods | by method: faces; restored, target, own: means of `blindface.metrics.memorisation`; excess with its 95 % \
interval; recalled: the share of faces that are nearer to a training face than to their own target |

Only faces whose landmarks were found count. Embeddings are MobileFaceNet's, of faces aligned by the target's landmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blindface.base.errors import ExternalFileError, InputError
from blindface.base.files import write_json
from blindface.base.image_table import iterate_images, read_table
from blindface.base.images import Image
from blindface.base.progress import track
from blindface.evaluation.statistics import bootstrap_mean, people_of
from blindface.external.weights import Weights
from blindface.landmarks.table import read_points
from blindface.metrics.memorisation import measure_memorisation
from blindface.params import EvaluateParams
from blindface.split import read_part

Embed = Callable[[Image, NDArray[Any], NDArray[np.bool_]], NDArray[np.float32]]
"""Pictures (N, 128, 128, 3), their landmarks (N, 68, 2) and which were found (N,) -> embeddings (N, D)."""
STACK = 256
DECIMALS = 6
PROTOCOL = (
    "cosine of MobileFaceNet embeddings with the nearest face of the training part, of restored test faces minus that "
    "of their targets, all aligned by the target's landmarks; images without a found face are left out"
)


def evaluate_memorisation(
    restored: Mapping[str, Path],
    targets: Path,
    split: Path,
    landmarks: Path,
    weights: Weights,
    params: EvaluateParams,
    output: Path,
    device: Any = None,
) -> dict[str, Any]:
    """Measure the restored test images of each method and write the JSON, whose content is returned.

    Errors: InputError if no training face was found; ExternalFileError if the weight file is there but broken.
    """
    content: dict[str, Any] = {"protocol": PROTOCOL, "training": 0, "unavailable": None, "methods": {}}
    try:
        path = weights.path("mobilefacenet")
    except ExternalFileError as error:
        if weights.reason("mobilefacenet") is None:
            raise
        content["unavailable"] = str(error)
    else:
        from blindface.evaluation.faces import FaceEmbedder

        embed = FaceEmbedder(path, device=device).embed
        known = embed_faces(targets, "target", landmarks, embed, read_part(split, "train"))
        content["training"] = len(known)
        for method, file in restored.items():
            content["methods"][method] = _of_method(file, targets, landmarks, embed, known, params)
    write_json(output, content)
    return content


def _of_method(
    restored: Path, targets: Path, landmarks: Path, embed: Embed, known: pd.DataFrame, params: EvaluateParams
) -> dict[str, Any]:
    ids = [str(name) for name in read_table(restored)["id"]]
    ours = embed_faces(restored, "image", landmarks, embed, ids)
    wanted = embed_faces(targets, "target", landmarks, embed, ids)
    if known.empty or ours.empty:
        raise InputError(f"no face was found in the training part or in {restored}: detect the landmarks anew")
    found = measure_memorisation(ours.to_numpy(), wanted.loc[ours.index].to_numpy(), known.to_numpy())
    excess = bootstrap_mean(found.excess, params.bootstrap, params.seed, people_of(ours.index))
    assert excess is not None
    bounds = None if excess.low is None or excess.high is None else (excess.low, excess.high)
    numbers = {"restored": found.restored, "target": found.target, "own": found.own, "recalled": found.recalled}
    return {
        "faces": len(ours),
        **{name: round(float(values.mean()), DECIMALS) for name, values in numbers.items()},
        "excess": round(excess.mean, DECIMALS),
        "interval": bounds and [round(bound, DECIMALS) for bound in bounds],
    }


def embed_faces(path: Path, column: str, landmarks: Path, embed: Embed, ids: Sequence[str]) -> pd.DataFrame:
    """Embeddings by image id of those of `ids` whose face was found, in the order of the file."""
    wanted = set(ids)
    order = [name for name in map(str, read_table(path)["id"]) if name in wanted]
    points = read_points(landmarks, order)
    there = {name: place for place, name in enumerate(order) if points.found[place]}
    rows, names = [], list[str]()
    for some, images in track(iterate_images(path, column, STACK), f"embedding the faces of {path}"):
        chosen = [place for place, name in enumerate(some) if name in there]
        if chosen:
            here = [some[place] for place in chosen]
            marks = points.points_128[[there[name] for name in here]]
            rows.append(embed(images[chosen], marks, np.ones(len(here), bool)))
            names += here
    return pd.DataFrame(np.concatenate(rows) if rows else np.empty((0, 0)), index=names)
