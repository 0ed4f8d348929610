"""The embedded set as an archive in LFW's layout, with its landmarks and attributes beside the photographs.

`embedded/<Name>/<Name>_0001.jpg`, `embedded/attributes.csv` and `embedded/landmarks.csv` (id, x0, y0, ..., x67, y67:
pixels of the photograph, pixel centres at integers).
"""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from blindface.base.files import atomic_path
from blindface.base.images import Image
from blindface.base.progress import track
from blindface.params import EmbeddedParams
from blindface.rendered.render import Rendered, render_photograph
from blindface.rendered.traits import person_name

ROOT = "embedded"
JPEG_QUALITY = 95


def photograph_id(identity: int, photograph: int) -> str:
    """The id of a photograph in the set: its path without suffix."""
    name = person_name(identity)
    return f"{name}/{name}_{photograph:04d}"


def members(params: EmbeddedParams) -> list[tuple[str, int, int]]:
    """(id, identity, photograph) of the whole set, both numbers from 1, sorted by id."""
    pairs = ((i, p) for i in range(1, params.identities + 1) for p in range(1, params.photographs + 1))
    return sorted((photograph_id(i, p), i, p) for i, p in pairs)


def _render(seed: int, member: tuple[str, int, int]) -> tuple[str, Rendered]:
    return member[0], render_photograph(member[1], member[2], seed)


def rendered_set(params: EmbeddedParams, workers: int = 1) -> Iterator[tuple[str, Rendered]]:
    """Render the set in the order of its ids; the pictures do not depend on the number of processes."""
    todo, work = members(params), partial(_render, params.seed)
    if workers <= 1:
        yield from track(map(work, todo), "Rendering faces", total=len(todo))
        return
    with ProcessPoolExecutor(min(workers, len(todo)), mp_context=get_context("spawn")) as pool:
        yield from track(pool.map(work, todo, chunksize=4), "Rendering faces", total=len(todo))


def jpeg(image: Image) -> bytes:
    """JPEG bytes of an RGB image at the set's quality."""
    done, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done, "OpenCV cannot encode JPEG"
    return encoded.tobytes()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(f"{ROOT}/{name}")
    entry.size = len(content)
    entry.mode = 0o644  # time, owner and group stay at TarInfo's zeros: equal bytes on every machine
    archive.addfile(entry, io.BytesIO(content))


def _csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def write_archive(path: Path, params: EmbeddedParams, workers: int = 1) -> None:
    """Render the set into one uncompressed tar; equal parameters give equal bytes, for any number of workers."""
    landmarks: list[list[Any]] = [["id", *(f"{axis}{i}" for i in range(68) for axis in "xy")]]
    attributes: list[list[Any]] = []
    with atomic_path(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, rendered in rendered_set(params, workers):
            _add(archive, f"{name}.jpg", jpeg(rendered.image))
            landmarks.append([name, *(f"{value:.4f}" for value in rendered.landmarks.ravel())])
            attributes = attributes or [["id", *rendered.attributes]]
            attributes.append([name, *rendered.attributes.values()])
        _add(archive, "attributes.csv", _csv(attributes))
        _add(archive, "landmarks.csv", _csv(landmarks))


def draw_overlay(rendered: Rendered, enlargement: int = 3) -> Image:
    """The photograph enlarged, with its landmarks as dots."""
    side = rendered.image.shape[0] * enlargement
    picture = np.asarray(cv2.resize(rendered.image, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
    for x, y in (rendered.landmarks + 0.5) * enlargement - 0.5:
        cv2.circle(picture, (round(x * 16), round(y * 16)), 28, (60, 255, 90), -1, cv2.LINE_AA, 4)
    return picture
