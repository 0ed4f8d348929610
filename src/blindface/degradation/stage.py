"""The stage `pairs`: the fixed pairs of one objective and part, in one packed file or a folder of shards.

Columns, one row per target of the part, sorted by id:

    id               the image's path without suffix inside the data set
    k, sigma, s, delta, q   the drawn parameters of equation (1), [px], [px], [px], [levels of 255], [quality]
    target_sha256    SHA-256 of the target's raw bytes that were degraded
    blind_sha256     SHA-256 of the blind image's raw bytes
    blind            the blind image, raw uint8 RGB (u, u, 3)

The file's metadata names objective, part, parameters, and the versions that the bytes depend on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from blindface.base.errors import InputError
from blindface.base.image_table import ROW_GROUP, ImageTableWriter, iterate_chosen, read_table
from blindface.base.images import Image
from blindface.base.progress import track
from blindface.base.shards import shard_path
from blindface.degradation.batch import Degraded, Degrader, collect, useful_workers
from blindface.degradation.draws import Drawn
from blindface.params.data import Objective, PairsParams, Part
from blindface.split import read_part

COLUMNS = {
    "id": pa.string(),
    "k": pa.int16(),
    "sigma": pa.float64(),
    "s": pa.int16(),
    "delta": pa.float64(),
    "q": pa.int16(),
    "target_sha256": pa.string(),
    "blind_sha256": pa.string(),
}
IN_FLIGHT = 2
"""Blocks of rows that are worked on while the next one is read: what bounds the memory."""

_Block = tuple[list[str], Image, list[Future[Degraded]]]


def make_pairs(
    targets: Path,
    split: Path,
    objective: Objective,
    part: Part,
    params: PairsParams,
    output: Path,
    workers: int | None = None,
    shard: tuple[int, int] = (1, 1),
) -> int:
    """Write the pairs of one objective and part; returns their number.

    The bytes depend on targets, split, parameters and the versions in the metadata alone. `shard=(i, n)` writes the
    i-th of n consecutive shares (1-based) into the folder `output`, which is read as one file. Memory stays flat.
    Errors: InputError if the targets lack a photograph of the split or their bytes are not the recorded ones.
    """
    path = shard_path(output, shard)
    ids = _share(read_part(split, part), shard)
    recorded = _recorded_hashes(targets, ids)
    writer = ImageTableWriter(
        path, COLUMNS, {"blind": (*[params.of(objective).u] * 2, 3)}, _metadata(objective, part, params)
    )
    with Degrader(objective, params, useful_workers(workers, len(ids))) as degrader, writer:
        waiting: list[_Block] = []
        total = -(-len(ids) // ROW_GROUP)
        blocks = iterate_chosen(targets, "target", ids, ROW_GROUP)
        for names, stack in track(blocks, f"pairs {objective} {part}", total):
            waiting.append((names, stack, degrader.start(stack, names)))
            if len(waiting) > IN_FLIGHT:
                _append(writer, waiting.pop(0), degrader.ranges.u, recorded, targets)
        for block in waiting:
            _append(writer, block, degrader.ranges.u, recorded, targets)
    return writer.rows


def _share(ids: list[str], shard: tuple[int, int]) -> list[str]:
    index, count = shard
    return ids[len(ids) * (index - 1) // count : len(ids) * index // count]


def _recorded_hashes(targets: Path, ids: Sequence[str]) -> dict[str, str]:
    """The targets' recorded hashes, by id, in the order of the file."""
    table = read_table(targets)
    wanted = set(ids)
    recorded = {name: sha for name, sha in zip(table["id"], table["sha256"], strict=True) if name in wanted}
    if len(recorded) != len(wanted):
        missing = sorted(wanted - set(recorded))
        raise InputError(
            f"{targets} lacks {len(missing)} photographs of the split, first {missing[0]}: make the split again"
        )
    return recorded


def _append(writer: ImageTableWriter, block: _Block, size: int, recorded: dict[str, str], targets: Path) -> None:
    names, stack, tasks = block
    draws, blind = collect(tasks, size)
    columns: dict[str, list[object]] = {key: [getattr(drawn, key) for drawn in draws] for key in Drawn.__slots__}
    columns["id"] = list(names)
    columns["target_sha256"] = [hashlib.sha256(image).hexdigest() for image in stack]
    columns["blind_sha256"] = [hashlib.sha256(image).hexdigest() for image in blind]
    for name, sha in zip(names, columns["target_sha256"], strict=True):
        if sha != recorded[name]:
            raise InputError(
                f"the target {name} in {targets} does not have its recorded SHA-256: make the targets again"
            )
    writer.append(columns, {"blind": blind})


def _metadata(objective: Objective, part: Part, params: PairsParams) -> dict[str, str]:
    """What a reader must know beside the rows, as text."""
    own = params.model_dump(mode="json")
    ranges = own[objective]
    conventions = {key: value for key, value in own.items() if key not in ("objective1", "objective2")}
    return {
        "objective": objective,
        "part": part,
        "parameters": json.dumps({**conventions, "ranges": ranges}),
        "opencv": cv2.__version__,
        "numpy": np.__version__,
    }
