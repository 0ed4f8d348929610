"""Packed image tables: one Parquet file holds the ids, numbers and raw images of a whole split.

Why one file: thousands of loose files cost Snakemake and DVC tens of seconds per call. Reading needs no code of ours:

    frame = pandas.read_parquet("data/pairs/objective1/test.parquet")
    image = numpy.frombuffer(frame.blind[0], numpy.uint8).reshape(16, 16, 3)

The same lines read a folder of shards (`shards.py`), which every function here takes in place of a file.
Image columns are fixed-size binary: raw uint8 RGB in HWC order. Their shape stands in the field's metadata.
Rows are written in groups, so memory stays flat at any number of images. The bytes of the file depend on nothing
but the rows and pyarrow's version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from blindface.base.errors import InputError
from blindface.base.files import atomic_path
from blindface.base.images import Image
from blindface.base.shards import shard_files

ROW_GROUP = 1024


def image_field(name: str, shape: Sequence[int]) -> pa.Field:
    """The field of an image column whose every image has the same (H, W, 3) shape."""
    size = int(np.prod(shape))
    return pa.field(name, pa.binary(size), nullable=False, metadata={"shape": ",".join(map(str, shape))})


class ImageTableWriter:
    """Writes a packed table group by group; the file appears under its name when the `with` block ends well.

    `columns` maps plain columns to Arrow types, in order; `images` maps image columns to their (H, W, 3).
    """

    def __init__(
        self,
        path: Path,
        columns: Mapping[str, pa.DataType],
        images: Mapping[str, Sequence[int]] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.path = Path(path)
        self.images = {name: tuple(shape) for name, shape in (images or {}).items()}
        fields = [pa.field(name, kind) for name, kind in columns.items()]
        fields += [image_field(name, shape) for name, shape in self.images.items()]
        self.schema = pa.schema(fields, metadata=dict(metadata or {}))
        self._exit = ExitStack()
        self._writer: pq.ParquetWriter | None = None
        self.rows = 0

    def __enter__(self) -> ImageTableWriter:
        temporary = self._exit.enter_context(atomic_path(self.path))
        # Photographs hardly shrink, and unpacking them costs ten times the reading
        codecs = {field.name: "none" if field.name in self.images else "zstd" for field in self.schema}
        self._writer = self._exit.enter_context(
            pq.ParquetWriter(temporary, self.schema, compression=codecs, use_dictionary=False, write_statistics=False)
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.__exit__(kind, error, trace)

    def append(self, columns: Mapping[str, Sequence[Any] | NDArray[Any]], images: Mapping[str, Image]) -> None:
        """Write one row group: equally long plain columns, and images as (N, H, W, 3) uint8 stacks."""
        assert self._writer is not None, "ImageTableWriter is used outside its with block"
        arrays = []
        for field in self.schema:
            if field.name in self.images:
                arrays.append(_image_array(np.asarray(images[field.name]), self.images[field.name], field.type))
            else:
                arrays.append(pa.array(columns[field.name], type=field.type))
        batch = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        self._writer.write_batch(batch, row_group_size=max(len(batch), 1))
        self.rows += len(batch)


def _image_array(stack: NDArray[Any], shape: tuple[int, ...], kind: pa.DataType) -> pa.Array:
    if stack.dtype != np.uint8 or stack.shape[1:] != shape:
        raise ValueError(f"expected a uint8 stack of {shape}, got {stack.dtype} {stack.shape}")
    buffer = pa.py_buffer(np.ascontiguousarray(stack))
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(stack), [None, buffer])


def _open(path: Path) -> pq.ParquetFile:
    try:
        # Neither mapped nor fetched ahead: both would let the whole file stand in memory
        return pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 22)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: make it with the stage that writes it") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"{path} is no image table ({error}): give the Parquet file that a stage wrote, or make it again"
        ) from error


def _open_all(path: Path) -> list[pq.ParquetFile]:
    """The file, or all shards of a folder, in order; they must have been made alike."""
    paths = shard_files(path)
    files = [_open(each) for each in paths]
    for each, file in zip(paths[1:], files[1:], strict=True):
        if not file.schema_arrow.equals(files[0].schema_arrow, check_metadata=True):
            raise InputError(f"{each} and {paths[0].name} were made with different parameters: delete the older ones")
    return files


def _shape(file: pq.ParquetFile, column: str) -> tuple[int, int, int]:
    field = file.schema_arrow.field(column)
    height, width, channels = (int(n) for n in field.metadata[b"shape"].decode().split(","))
    return height, width, channels


def _stack(column: pa.Array, shape: tuple[int, int, int]) -> Image:
    values = np.frombuffer(column.buffers()[1], np.uint8)
    size = int(np.prod(shape))
    values = values[column.offset * size : (column.offset + len(column)) * size]
    return values.reshape(len(column), *shape)


def image_shape(path: Path, column: str) -> tuple[int, int, int]:
    """The (H, W, 3) of an image column."""
    return _shape(_open_all(path)[0], column)


def read_metadata(path: Path) -> dict[str, str]:
    """The file's own metadata, as given to ImageTableWriter."""
    metadata = _open_all(path)[0].schema_arrow.metadata or {}
    return {key.decode(): value.decode() for key, value in metadata.items() if key != b"ARROW:schema"}


def count_rows(path: Path) -> int:
    """Number of rows, read from the footer."""
    return sum(int(file.metadata.num_rows) for file in _open_all(path))


def read_table(path: Path) -> pd.DataFrame:
    """All plain columns (no images) as a data frame, in file order."""
    files = _open_all(path)
    names = [field.name for field in files[0].schema_arrow if not (field.metadata and b"shape" in field.metadata)]
    return pa.concat_tables([file.read(columns=names) for file in files]).to_pandas()


def iterate_images(path: Path, column: str, batch_size: int = ROW_GROUP) -> Iterator[tuple[list[str], Image]]:
    """Yield (ids, images (N, H, W, 3) uint8) in file order, at most `batch_size` at a time; memory stays flat."""
    for file in _open_all(path):
        yield from _batches(file, column, batch_size, range(file.num_row_groups))


def iterate_chosen(
    path: Path, column: str, ids: Collection[str], size: int = ROW_GROUP
) -> Iterator[tuple[list[str], Image]]:
    """Yield the wanted ids and their images in file order, `size` at a time, the last perhaps fewer.

    Row groups without a wanted image are not read; ids that are not in the file are passed over.
    """
    wanted = set(ids)
    block, names = np.empty((size, *image_shape(path, column)), np.uint8), list[str]()
    for file in _open_all(path):
        for here, stack in _batches(file, column, ROW_GROUP, _groups_with(file, wanted)):
            for place in [n for n, name in enumerate(here) if name in wanted]:
                # copied: a view would keep its whole row group in memory
                block[len(names)] = stack[place]
                names.append(here[place])
                if len(names) == size:
                    yield names, block
                    block, names = np.empty_like(block), []
    if names:
        yield names, block[: len(names)]


def _groups_with(file: pq.ParquetFile, ids: Set[str]) -> list[int]:
    """The row groups that hold any of these ids."""
    groups = range(file.num_row_groups)
    return [n for n in groups if not ids.isdisjoint(file.read_row_group(n, ["id"]).column("id").to_pylist())]


def _batches(file: pq.ParquetFile, column: str, size: int, groups: Sequence[int]) -> Iterator[tuple[list[str], Image]]:
    shape = _shape(file, column)
    for batch in file.iter_batches(batch_size=size, row_groups=list(groups), columns=["id", column]):
        yield batch.column("id").to_pylist(), _stack(batch.column(column), shape)


def read_images(path: Path, column: str, ids: Sequence[str] | None = None) -> Image:
    """All images of a column as one (N, H, W, 3) uint8 stack; with `ids`, those images in that order.

    Only the row groups with a wanted image are read. Errors: InputError if an id is not in the file.
    """
    if ids is None:
        stacks = [stack for _, stack in iterate_images(path, column)]
        return np.concatenate(stacks) if stacks else np.empty((0, *image_shape(path, column)), np.uint8)
    places = {name: place for place, name in enumerate(ids)}
    result = np.empty((len(places), *image_shape(path, column)), np.uint8)
    missing = set(places)
    for file in _open_all(path):
        for names, stack in _batches(file, column, ROW_GROUP, _groups_with(file, missing)):
            for name, image in zip(names, stack, strict=True):
                if name in places:
                    result[places[name]] = image
            missing.difference_update(names)
    if missing:
        raise InputError(f"{path} lacks {len(missing)} of the wanted images, first {min(missing)}: make it again")
    return result
