"""Packed image tables: whole or absent, equal bytes, readable without this project."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blindface.base import image_table
from blindface.base.errors import InputError
from blindface.base.shards import shard_path


def _write(path, count=5, group=2):
    images = np.random.default_rng(3).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    ids = [f"A/A_{i:04d}" for i in range(count)]
    with image_table.ImageTableWriter(
        path, {"id": pa.string(), "q": pa.int32()}, {"blind": (4, 4, 3)}, {"note": "x"}
    ) as writer:
        for start in range(0, count, group):
            stop = min(start + group, count)
            writer.append({"id": ids[start:stop], "q": np.arange(start, stop)}, {"blind": images[start:stop]})
    return ids, images


def test_images_come_back_as_written(tmp_path):
    ids, images = _write(tmp_path / "a.parquet")
    assert np.array_equal(image_table.read_images(tmp_path / "a.parquet", "blind"), images)
    assert image_table.read_table(tmp_path / "a.parquet")["id"].tolist() == ids
    assert image_table.count_rows(tmp_path / "a.parquet") == 5
    assert image_table.read_metadata(tmp_path / "a.parquet")["note"] == "x"


def test_images_come_back_in_the_order_asked_for(tmp_path):
    ids, images = _write(tmp_path / "a.parquet")
    wanted = [ids[4], ids[0], ids[3]]
    assert np.array_equal(image_table.read_images(tmp_path / "a.parquet", "blind", wanted), images[[4, 0, 3]])


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_iteration_covers_every_image_once_at_any_batch_size(tmp_path, batch):
    ids, images = _write(tmp_path / "a.parquet")
    parts = list(image_table.iterate_images(tmp_path / "a.parquet", "blind", batch))
    assert [name for names, _ in parts for name in names] == ids
    assert np.array_equal(np.concatenate([stack for _, stack in parts]), images)


def test_pandas_alone_reads_an_image(tmp_path):
    _, images = _write(tmp_path / "a.parquet")
    frame = pd.read_parquet(tmp_path / "a.parquet")
    assert np.array_equal(np.frombuffer(frame.blind[2], np.uint8).reshape(4, 4, 3), images[2])


def test_the_same_rows_give_the_same_bytes(tmp_path):
    _write(tmp_path / "a.parquet")
    _write(tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_an_error_leaves_nothing_behind(tmp_path):
    with (
        pytest.raises(ValueError, match="expected a uint8 stack"),
        image_table.ImageTableWriter(tmp_path / "a.parquet", {"id": pa.string()}, {"blind": (4, 4, 3)}) as writer,
    ):
        writer.append({"id": ["x"]}, {"blind": np.zeros((1, 4, 4, 3), np.float32)})
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_cleared_away_and_nothing_else(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name in (f".a.{dead.pid}.partial.parquet", f".a.{os.getppid()}.partial.parquet", ".a.b.partial.parquet"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / f".ab.{dead.pid}.partial.parquet").write_bytes(b"x")
    _write(tmp_path / "a.parquet")
    names = {path.name for path in tmp_path.iterdir()}
    kept = {f".a.{os.getppid()}.partial.parquet", ".a.b.partial.parquet", f".ab.{dead.pid}.partial.parquet"}
    assert names == {"a.parquet", *kept}


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    from blindface.base import files

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(InputError, match="no space left on the disk"):
        files.write_text(tmp_path / "x.txt", "hello")
    assert list(tmp_path.iterdir()) == []


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.parquet is missing"):
        image_table.read_table(tmp_path / "none.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match=r"broken\.parquet is no image table"):
        image_table.read_table(tmp_path / "broken.parquet")


def _shards(folder, counts=(2, 0, 3), note="x"):
    """Shards of so many rows; returns all ids and images."""
    rng = np.random.default_rng(3)
    ids = [f"A/A_{i:04d}" for i in range(sum(counts))]
    images = rng.integers(0, 256, (len(ids), 4, 4, 3), dtype=np.uint8)
    first = 0
    for index, count in enumerate(counts, start=1):
        rows = slice(first, first + count)
        path = shard_path(folder, (index, len(counts)))
        with image_table.ImageTableWriter(path, {"id": pa.string()}, {"blind": (4, 4, 3)}, {"note": note}) as writer:
            writer.append({"id": ids[rows]}, {"blind": images[rows]})
        first += count
    return ids, images


def test_a_folder_of_shards_is_read_as_one_file(tmp_path):
    folder = tmp_path / "train.parquet"
    ids, images = _shards(folder)
    (folder / ".00001-of-00003.9.partial.parquet").write_bytes(b"left by a kill")
    assert image_table.count_rows(folder) == 5
    assert image_table.read_metadata(folder) == {"note": "x"}
    assert image_table.read_table(folder)["id"].tolist() == ids
    assert image_table.image_shape(folder, "blind") == (4, 4, 3)
    assert np.array_equal(image_table.read_images(folder, "blind"), images)
    assert np.array_equal(image_table.read_images(folder, "blind", [ids[4], ids[1]]), images[[4, 1]])
    assert [name for names, _ in image_table.iterate_images(folder, "blind", 2) for name in names] == ids


def test_shards_that_are_incomplete_or_unlike_are_refused(tmp_path):
    folder = tmp_path / "train.parquet"
    _shards(folder)
    shard_path(folder, (2, 3)).rename(tmp_path / "aside")
    with pytest.raises(InputError, match=r"lacks 1 of its 3 shards: make it with --shard 2/3"):
        image_table.read_table(folder)
    (tmp_path / "aside").rename(shard_path(folder, (1, 2)))
    with pytest.raises(InputError, match=r"holds shards of 2 and of 3"):
        image_table.read_table(folder)
    _shards(tmp_path / "other", note="y")
    _shards(tmp_path / "mixed")
    shard_path(tmp_path / "other", (3, 3)).replace(shard_path(tmp_path / "mixed", (3, 3)))
    with pytest.raises(InputError, match=r"00003-of-00003.parquet and 00001-of-00003.parquet were made with different"):
        image_table.read_images(tmp_path / "mixed", "blind")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="is a folder without shards"):
        image_table.count_rows(tmp_path / "empty")


def test_chosen_images_come_in_file_order_and_even_groups(tmp_path):
    folder = tmp_path / "train.parquet"
    ids, images = _shards(folder, counts=(4, 3, 2))
    chosen = [ids[8], ids[0], ids[3], ids[5], ids[6], "Nobody"]
    groups = list(image_table.iterate_chosen(folder, "blind", chosen, size=2))
    assert [names for names, _ in groups] == [[ids[0], ids[3]], [ids[5], ids[6]], [ids[8]]]
    assert np.array_equal(np.concatenate([stack for _, stack in groups]), images[[0, 3, 5, 6, 8]])
    assert list(image_table.iterate_chosen(folder, "blind", [])) == []


def test_images_of_many_row_groups_do_not_keep_those_in_memory(tmp_path, monkeypatch):
    path, group = tmp_path / "a.parquet", 64
    monkeypatch.setattr(image_table, "ROW_GROUP", group)
    with image_table.ImageTableWriter(path, {"id": pa.string()}, {"blind": (64, 64, 3)}) as writer:
        for first in range(0, 16 * group, group):
            ids = [f"A_{n:05d}" for n in range(first, first + group)]
            writer.append({"id": ids}, {"blind": np.zeros((group, 64, 64, 3), np.uint8)})
    before, size = pa.total_allocated_bytes(), group * 64 * 64 * 3
    chosen = [f"A_{n:05d}" for n in range(0, 16 * group, group)]
    for names, images in image_table.iterate_chosen(path, "blind", chosen):
        assert (names, len(images)) == (chosen, 16)
        assert pa.total_allocated_bytes() - before < 4 * size


def test_only_the_row_groups_of_wanted_images_are_read(tmp_path, monkeypatch):
    ids, images = _write(tmp_path / "a.parquet", count=9, group=3)
    read = []
    original = pq.ParquetFile.iter_batches

    def remember(self, **options):
        read.extend(options["row_groups"])
        return original(self, **options)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", remember)
    assert np.array_equal(image_table.read_images(tmp_path / "a.parquet", "blind", [ids[8], ids[1]]), images[[8, 1]])
    assert read == [0, 2]


def test_an_unknown_id_is_named(tmp_path):
    _write(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="B/B_0001"):
        image_table.read_images(tmp_path / "a.parquet", "blind", ["B/B_0001"])
