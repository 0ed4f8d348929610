"""Restoring the test part: each blind image through a method of `blindface.restoration.methods`.

The output file has the columns id and image (128x128 uint8 RGB), in the order of the pairs; where a number of the
method was tuned on the validation part, the file's metadata `chosen` says which value and why.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from blindface.base import image_table
from blindface.base.errors import InputError
from blindface.base.images import SIZE, Image, signed_to_uint8, to_signed
from blindface.base.progress import say, track
from blindface.params import RestoreParams
from blindface.params.progressive import STEP_SIZES
from blindface.restoration.methods import METHODS, Method
from blindface.restoration.models import load_model, restore_images
from blindface.restoration.tuning import Choice, tune
from blindface.restoration.ways import Given, Restorer, make_restorer

if TYPE_CHECKING:
    import torch


def restore(
    method: str,
    pairs: Path,
    models: Sequence[Path],
    output: Path,
    params: RestoreParams | None = None,
    device: torch.device | str = "cpu",
    reduction: str = "linear",
    validation: Path | None = None,
    targets: Path | None = None,
    begun: Path | None = None,
) -> int:
    """Restore all images of `pairs` by `method` into the packed file `output`; returns their number.

    models: generator files in the order of the method's models; reduction: `pairs.reduction`; validation, targets: the
    validation pairs of the same objective and the targets, to tune a number on; begun: what the method's first model
    restored of the same pairs (the output of `METHODS[method].begins`), which is then not made again.
    Errors: InputError for an unknown method, a wrong number of models, a model that does not fit the images, a begun
    file of something else, or no validation image where a number is to be tuned; DeviceError if the GPU's memory does
    not suffice.
    """
    if method not in METHODS:
        raise InputError(f"method {method!r} is unknown: choose one of {', '.join(METHODS)}")
    declared, params = METHODS[method], params or RestoreParams()
    if len(models) != len(declared.models):
        raise InputError(
            f"method {method} passes {len(declared.models)} models, got {len(models)}: give --model for each"
        )
    loaded = [load_model(path, params.weights, device, params.flow) for path in models]
    blind_size = image_table.image_shape(pairs, "blind")[0]
    restorer = make_restorer(Given(declared, loaded, blind_size, str(pairs), params.display, reduction))
    if begun is not None:
        _check_begun(declared, begun)
    chosen = _tuned(declared, restorer, params, validation, targets)
    metadata = {"method": method, "objective": str(declared.objective)} | (
        {"chosen": json.dumps(chosen.record())} if chosen else {}
    )
    batches = _batches(pairs, begun, params.batch_size)
    total = -(-image_table.count_rows(pairs) // params.batch_size)
    with image_table.ImageTableWriter(output, {"id": pa.string()}, {"image": (SIZE, SIZE, 3)}, metadata) as writer:
        for ids, images, first in track(batches, f"restoring by {method}", total):
            prepared = restorer.prepare(images, ids, first)
            writer.append({"id": ids}, {"image": restorer.finish(prepared, chosen.value if chosen else 0.0)})
        return writer.rows


def _tuned(
    method: Method, restorer: Restorer, params: RestoreParams, validation: Path | None, targets: Path | None
) -> Choice | None:
    if method.tuned is None:
        return None
    values = getattr(params, method.tuned.key)
    found = tune(restorer, method.tuned, values, validation, targets, params.criterion, params.batch_size)
    say(f"{method.name}: {found.what} {found.value:g} ({found.criterion}, {found.images} validation images)")
    return found


def _batches(pairs: Path, begun: Path | None, batch_size: int) -> Iterator[tuple[list[str], Image, Image | None]]:
    """Ids, blind images and, where they are there, the first model's results. Errors: InputError for other ids."""
    batches = image_table.iterate_images(pairs, "blind", batch_size)
    if begun is None:
        yield from ((ids, images, None) for ids, images in batches)
        return
    results = (
        result for ids, images in image_table.iterate_images(begun, "image") for result in zip(ids, images, strict=True)
    )
    for ids, images in batches:
        firsts = list(islice(results, len(ids)))
        if [name for name, _ in firsts] != ids:
            raise InputError(f"{begun} holds other images than {pairs}: restore these pairs anew")
        yield ids, images, np.stack([image for _, image in firsts])


def _check_begun(method: Method, begun: Path) -> None:
    """The file must be what the method begins with; `_batches` compares the images' ids."""
    made_by = image_table.read_metadata(begun).get("method")
    if method.begins is None or made_by != method.begins:
        begins = f"begins with that of {method.begins}" if method.begins else "begins with no other's: leave it out"
        raise InputError(f"{begun} is the result of {made_by or 'no method'}, but {method.name} {begins}")


def restore_steps(
    pairs: Path,
    model: Path,
    output: Path,
    examples: int,
    weights: str = "ema",
    device: torch.device | str = "cpu",
) -> int:
    """Keep the outputs of all three steps for the first `examples` images of `pairs`; returns their number.

    The packed file has the columns id, step1 (32x32), step2 (64x64) and step3 (128x128).
    """
    network = load_model(model, weights, device).network
    with image_table.ImageTableWriter(
        output, {"id": pa.string()}, {f"step{step}": (size, size, 3) for step, size in STEP_SIZES.items()}
    ) as writer:
        for ids, images in _first(image_table.iterate_images(pairs, "blind", min(examples, 64)), examples):
            steps = restore_images(network, images)
            writer.append({"id": ids}, {f"step{step}": stack for step, stack in zip(STEP_SIZES, steps, strict=True)})
        return writer.rows


def restore_spread(
    pairs: Path, model: Path, output: Path, examples: int, params: RestoreParams, device: torch.device | str = "cpu"
) -> int:
    """Keep what a flow makes up in the first `examples` images of `pairs`; returns their number.

    The packed file has the columns id, mean (of `params.flow.samples` samples) and spread (their standard deviation by
    pixel and channel, in levels); both 128x128 uint8. Errors: InputError if the model does not sample.
    """
    import torch

    from blindface.networks.flow_restorer import FlowRestorer

    network = load_model(model, params.weights, device, params.flow).network
    if not isinstance(network, FlowRestorer):
        raise InputError(f"{model} makes one image of each blind one: only a flow's samples have a spread")
    shapes = dict.fromkeys(("mean", "spread"), (SIZE, SIZE, 3))
    with image_table.ImageTableWriter(output, {"id": pa.string()}, shapes) as writer:
        for ids, images in _first(image_table.iterate_images(pairs, "blind", 8), examples):
            with torch.inference_mode():
                blind = to_signed(torch.tensor(images, device=device))
                mean, spread = network.spread(blind, ids, params.flow.samples)
            # a deviation of 0 is the level 0, which is -1 of a signed image
            stacks = {"mean": signed_to_uint8(mean).numpy(), "spread": signed_to_uint8(spread - 1).numpy()}
            writer.append({"id": ids}, stacks)
        return writer.rows


def _first(batches: Iterator[tuple[list[str], Image]], count: int) -> Iterator[tuple[list[str], Image]]:
    for ids, images in batches:
        yield ids[:count], images[:count]
        count -= len(ids)
        if count <= 0:
            return
