"""The archive's photographs to one packed table of targets.

Fields: id (path below the top folder, without suffix); person (its folder); source_width, source_height (px of the
upright photograph); crop_x, crop_y, crop_size (px, the square that was cut from it); sha256 (of the target's raw
bytes); target (128, 128, 3). Sorted by id. The versions of what decoded and resized stand in the file's metadata.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import PIL
import pyarrow as pa

from blindface.base.errors import InputError
from blindface.base.files import write_text
from blindface.base.image_table import ROW_GROUP, ImageTableWriter
from blindface.base.progress import say, track
from blindface.params import FetchParams
from blindface.photographs.archive import LeftOut, Photograph, list_archive, open_tar
from blindface.photographs.decode import Target, UnusableError, decode_target

COLUMNS = {
    "id": pa.string(),
    "person": pa.string(),
    "source_width": pa.int32(),
    "source_height": pa.int32(),
    "crop_x": pa.int32(),
    "crop_y": pa.int32(),
    "crop_size": pa.int32(),
    "sha256": pa.string(),
}
BATCH = 32
AHEAD = 32
"""Photographs per task, and tasks that may be done before they are written: bounds the memory."""

Decoded = tuple[Photograph, Target | UnusableError]


def make_targets(archive: Path, params: FetchParams, output: Path, skipped: Path, workers: int = 1) -> int:
    """Decode, crop and resize the photographs of a tar to `output`; list those left out, with the reason, in `skipped`.

    The bytes do not depend on the number of worker threads. Returns the number of targets.
    Errors: InputError if the archive is refused or broken, if it holds no photographs, or if more of them than
    params.skip_limit cannot be used.
    """
    photographs, left_out = list_archive(archive)
    size = params.target_size
    versions = {"opencv": cv2.__version__, "numpy": np.__version__, "pillow": PIL.__version__}
    writer = ImageTableWriter(output, COLUMNS, {"target": (size, size, 3)}, versions)
    with open_tar(archive) as tar, warnings.catch_warnings(), writer:
        warnings.filterwarnings("ignore", module="PIL")  # what matters of them stands in the list of skipped ones
        group: list[tuple[Photograph, Target]] = []
        results = _decoded(tar, photographs, params, workers)
        for photograph, result in track(results, "Decoding photographs", len(photographs)):
            if isinstance(result, UnusableError):
                left_out.append(LeftOut(photograph.id, str(result)))
                continue
            group.append((photograph, result))
            if len(group) == ROW_GROUP:
                _append(writer, group, params.person_level)
                group.clear()
        if group:
            _append(writer, group, params.person_level)
        _write_skipped(skipped, sorted(left_out))
        failed = [entry for entry in left_out if not entry.harmless]
        _judge(archive, failed, writer.rows + len(failed), params.skip_limit)
    _tell(left_out, failed, writer.rows, skipped)
    _tell_people(photographs, params.person_level)
    return writer.rows


def _decoded(tar: BinaryIO, photographs: Sequence[Photograph], params: FetchParams, workers: int) -> Iterator[Decoded]:
    """Every photograph in order with its target or the reason it has none; threads decode a bounded way ahead."""
    descriptor = tar.fileno()

    def decode_batch(start: int) -> list[Decoded]:
        return [
            (photograph, _decode(descriptor, photograph, params)) for photograph in photographs[start : start + BATCH]
        ]

    waiting: deque[Future[list[Decoded]]] = deque()
    with ThreadPoolExecutor(max(1, workers)) as pool:
        try:
            for start in range(0, len(photographs), BATCH):
                waiting.append(pool.submit(decode_batch, start))
                if len(waiting) > max(AHEAD, 2 * workers):
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _decode(descriptor: int, photograph: Photograph, params: FetchParams) -> Target | UnusableError:
    content = os.pread(descriptor, photograph.size, photograph.offset)
    try:
        return decode_target(content, params.target_size, params.interpolation, params.smallest_side, photograph.suffix)
    except UnusableError as reason:
        return reason


def _append(writer: ImageTableWriter, group: Sequence[tuple[Photograph, Target]], level: int | None) -> None:
    writer.append(
        {
            "id": [photograph.id for photograph, _ in group],
            "person": [photograph.person(level) for photograph, _ in group],
            "source_width": [target.width for _, target in group],
            "source_height": [target.height for _, target in group],
            "crop_x": [target.x for _, target in group],
            "crop_y": [target.y for _, target in group],
            "crop_size": [target.side for _, target in group],
            "sha256": [hashlib.sha256(target.image.tobytes()).hexdigest() for _, target in group],
        },
        {"target": np.stack([target.image for _, target in group])},
    )


def _write_skipped(path: Path, left_out: Sequence[LeftOut]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "reason"])
    writer.writerows((entry.name, entry.reason) for entry in left_out)
    write_text(path, text.getvalue())


def _judge(archive: Path, failed: Sequence[LeftOut], total: int, limit: float) -> None:
    if len(failed) > limit * total or len(failed) == total:
        first = "; ".join(f"{entry.name}: {entry.reason}" for entry in failed[:3])
        raise InputError(
            f"{len(failed)} of the {total} photographs in {archive} cannot be used, more than fetch.skip_limit = "
            f"{limit:g} allows (first {first}): mend or remove them, or raise the limit"
        )


def _tell(left_out: Sequence[LeftOut], failed: Sequence[LeftOut], used: int, skipped: Path) -> None:
    if failed:
        say(f"blindface: {len(failed)} of {used + len(failed)} photographs are left out, the reasons are in {skipped}")
    if len(left_out) > len(failed):
        kinds = Counter(entry.reason.partition(":")[0] for entry in left_out if entry.harmless)
        parts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        say(f"blindface: also left alone, and listed there: {parts}")


def _tell_people(photographs: Sequence[Photograph], level: int | None) -> None:
    """Say which folder is the person, where there is more than one to choose from."""
    depth = max(photograph.id.count("/") for photograph in photographs)
    if depth > 1:
        people = len({photograph.person(level) for photograph in photographs})
        which = "the folder a photograph is in" if level is None else f"the folder of level {level}"
        say(f"blindface: {people} people, as {which} of {depth} is taken for the person (fetch.person_level)")
