"""Packed tables in several files: a folder of shards stands wherever one packed file may.

A folder `train.parquet` holds `00001-of-00004.parquet` to `00004-of-00004.parquet`, whose rows, one after the other,
are those of the whole. Each may be written on another machine; nothing else needs to know.
"""

from __future__ import annotations

import re
from pathlib import Path

from blindface.base.errors import InputError

NAME = re.compile(r"(\d{5})-of-(\d{5})\.parquet")


def shard_path(path: Path, shard: tuple[int, int]) -> Path:
    """Where the shard (i, n), counted from 1, of the table `path` stands: `path` itself if there is but one.

    Errors: InputError if there is no such shard, or if what stands at `path` is of the other kind.
    """
    index, count = shard
    if not 1 <= index <= count <= 99_999:
        raise InputError(f"shard {index}/{count} does not exist: give I/N with 1 <= I <= N, such as 1/{max(count, 1)}")
    if count == 1:
        if path.is_dir():
            raise InputError(f"{path} is a folder of shards: delete it to write one file instead")
        return path
    if path.is_file():
        raise InputError(f"{path} is one file: delete it to write shards instead")
    return path / f"{index:05d}-of-{count:05d}.parquet"


def shard_files(path: Path) -> list[Path]:
    """The files of a packed table in the order of their rows: `path` itself unless it is a folder.

    Errors: InputError if a shard of the folder is missing, or if shards of two divisions stand in it.
    """
    path = Path(path)
    if not path.is_dir():
        return [path]
    found = {file: match for file in sorted(path.iterdir()) if (match := NAME.fullmatch(file.name))}
    counts = sorted({int(match[2]) for match in found.values()})
    if not counts:
        raise InputError(f"{path} is a folder without shards: delete it and make it with the stage that writes it")
    if len(counts) > 1:
        raise InputError(f"{path} holds shards of {counts[0]} and of {counts[1]}: delete those that are not wanted")
    missing = sorted(set(range(1, counts[0] + 1)) - {int(match[1]) for match in found.values()})
    if missing:
        raise InputError(
            f"{path} lacks {len(missing)} of its {counts[0]} shards: make it with --shard {missing[0]}/{counts[0]}"
        )
    return list(found)
