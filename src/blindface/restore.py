"""Restoring the test part: each blind image through the trained models, or shown as it is.

| method | blind images of | what is done |
|---|---|---|
| blind1, blind2 | objective 1, 2 | nothing but the change to 128x128 for the metrics |
| objective1, objective2 | objective 1, 2 | that objective's model |
| sequence | objective 1 | objective 1's model, its result as a uint8 image through objective 2's model |

A network's output in [-1, 1] becomes uint8 by clipping and rounding to the nearest of 256 levels: level =
round((x + 1) * 127.5). The output file has the columns id and image (128x128 uint8 RGB), in the order of the pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from blindface import packed
from blindface.errors import DeviceError, InputError
from blindface.images import Image, resize, signed_to_uint8, to_signed
from blindface.progress import track

if TYPE_CHECKING:
    # Loading PyTorch takes seconds, which the methods without a model need not spend.
    import torch

    from blindface.networks.generator import Generator

METHODS = {"blind1": 0, "objective1": 1, "sequence": 2, "blind2": 0, "objective2": 1}
"""Each method and the number of models it passes."""

SIZE = 128
STEP_SIZES = {"step1": 32, "step2": 64, "step3": 128}


def restore(
    method: str,
    pairs: Path,
    models: Sequence[Path],
    output: Path,
    weights: str = "ema",
    batch_size: int = 64,
    device: torch.device | str = "cpu",
    interpolation: str = "linear",
) -> int:
    """Restore all images of `pairs` by `method` into the packed file `output`; returns their number.

    models: generator files in the order they are passed. Errors: InputError for an unknown method, a wrong number of
    models, or a model that does not fit the images; DeviceError if the GPU's memory does not suffice.
    """
    if method not in METHODS:
        raise InputError(f"method {method!r} is unknown: choose one of {', '.join(METHODS)}")
    if len(models) != METHODS[method]:
        raise InputError(f"method {method} passes {METHODS[method]} models, got {len(models)}: give --model for each")
    networks = _load(models, weights, device)
    sizes = [packed.image_shape(pairs, "blind")[0], *([SIZE] * len(networks))]
    for path, network, size in zip(models, networks, sizes, strict=False):
        if network.input_size != size:
            raise InputError(
                f"{path} restores images of {network.input_size} px, but gets {size} px from "
                f"{pairs if size == sizes[0] else 'the model before'}: give the other objective's model or pairs"
            )
    batches = packed.iterate_images(pairs, "blind", batch_size)
    total = -(-packed.count_rows(pairs) // batch_size)
    with packed.PackedWriter(output, {"id": pa.string()}, {"image": (SIZE, SIZE, 3)}) as writer:
        for ids, images in track(batches, f"restoring by {method}", total):
            for network in networks:
                images = restore_images(network, images)[-1]
            shown = np.stack([resize(image, SIZE, interpolation) for image in images])
            writer.append({"id": ids}, {"image": shown})
        return writer.rows


def restore_steps(
    pairs: Path, model: Path, output: Path, examples: int, weights: str = "ema", device: torch.device | str = "cpu"
) -> int:
    """Keep the outputs of all three steps for the first `examples` images of `pairs`; returns their number.

    The packed file has the columns id, step1 (32x32), step2 (64x64) and step3 (128x128).
    """
    (network,) = _load([model], weights, device)
    with packed.PackedWriter(
        output, {"id": pa.string()}, {name: (size, size, 3) for name, size in STEP_SIZES.items()}
    ) as writer:
        for ids, images in _first(packed.iterate_images(pairs, "blind", min(examples, 64)), examples):
            steps = restore_images(network, images)
            writer.append({"id": ids}, dict(zip(STEP_SIZES, steps, strict=True)))
        return writer.rows


def _load(models: Sequence[Path], weights: str, device: torch.device | str) -> list[Generator]:
    if not models:
        return []
    from blindface.model_file import load_generator

    return [load_generator(path, weights, device) for path in models]


def _first(batches: Iterator[tuple[list[str], Image]], count: int) -> Iterator[tuple[list[str], Image]]:
    for ids, images in batches:
        yield ids[:count], images[:count]
        count -= len(ids)
        if count <= 0:
            return


def restore_images(network: Generator, images: Image) -> list[Image]:
    """Restore a batch of uint8 images (N, S, S, 3), S the network's input size, into the uint8 images of all steps.

    Errors: InputError if the images do not fit the network; DeviceError if the GPU's memory does not suffice.
    """
    import torch

    if images.shape[1] != network.input_size:
        raise InputError(f"the model restores images of {network.input_size} px, got {images.shape[1]} px")
    device = next(network.parameters()).device
    try:
        with torch.inference_mode():
            outputs = network(to_signed(torch.tensor(images, device=device)))
        return [signed_to_uint8(image).cpu().numpy() for image in outputs]
    except torch.cuda.OutOfMemoryError as error:
        raise DeviceError(
            f"the GPU's memory does not suffice for {len(images)} images at a time: lower restore.batch_size"
        ) from error
