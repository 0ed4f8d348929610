"""The exact landmarks of the embedded set: those that its faces were drawn from."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blindface.base.errors import InputError
from blindface.photographs.archive import read_member

MEMBER = "embedded/landmarks.csv"


def read_exact(archive: Path) -> dict[str, NDArray[np.float32]]:
    """The 68 points (68, 2) of every photograph of the archive, in photograph pixels, by image id.

    The list is a CSV with a heading: id, x0, y0, ..., x67, y67.
    Errors: InputError if the archive cannot be read, or holds no such list or a broken one.
    """
    try:
        lines = list(csv.reader(io.StringIO(read_member(Path(archive), MEMBER).decode())))[1:]
        return {name: np.array(values, np.float32).reshape(68, 2) for name, *values in lines}
    except ValueError as error:  # letters for numbers, or not 136 of them
        raise InputError(f"{MEMBER} in {archive} is broken ({error}): delete {archive} and make it again") from error
