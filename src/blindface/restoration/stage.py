"""Restoring the test part: each blind image through a method of `blindface.restoration.methods`.

A network's output in [-1, 1] becomes uint8 by clipping and rounding to the nearest of 256 levels: level =
round((x + 1) * 127.5). The output file has the columns id and image (128x128 uint8 RGB), in the order of the pairs;
where a number of the method was chosen on the validation part, the file's metadata `chosen` says which and why.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from blindface.base import image_table
from blindface.base.errors import DeviceError, InputError
from blindface.base.images import SIZE, Image, resize, signed_to_uint8, to_signed
from blindface.base.progress import say, track
from blindface.params import Objective
from blindface.restoration.blending import Parallel
from blindface.restoration.classical import Classical
from blindface.restoration.methods import METHODS, Method
from blindface.restoration.tuning import Adjustable, Choice, Criterion, choose

if TYPE_CHECKING:
    # Loading PyTorch takes seconds, which the methods without a model need not spend.
    import torch

    from blindface.networks.generator import Generator
    from blindface.restoration.self_ensemble import SelfEnsemble

    Network = Generator | SelfEnsemble

STEP_SIZES = {"step1": 32, "step2": 64, "step3": 128}
CACHED = 8
"""Images at a time on a processor: features of more do not fit its cache, which more than doubles the time."""


@dataclass(frozen=True)
class Choosing:
    """What a number of a method is chosen from and on: the validation pairs of the same objective, and the targets."""

    validation: Path | None = None
    targets: Path | None = None
    criterion: Criterion = "psnr"
    strengths: tuple[float, ...] = (0.0,)
    blend: tuple[float, ...] = (0.5,)
    reduction: str = "linear"


def restore(
    method: str,
    pairs: Path,
    models: Sequence[Path],
    output: Path,
    weights: str = "ema",
    batch_size: int = 64,
    device: torch.device | str = "cpu",
    interpolation: str = "linear",
    choosing: Choosing | None = None,
    self_ensemble: Mapping[Objective, float] | None = None,
    begun: Path | None = None,
) -> int:
    """Restore all images of `pairs` by `method` into the packed file `output`; returns their number.

    models: generator files in the order of the method's models; self_ensemble: the objectives whose models restore each
    image together with its mirror image, and the sigma of their `SelfEnsemble` in pixels; begun: what the method's
    first model restored of the same pairs (the output of `METHODS[method].begins`), which is then not made again.
    Errors: InputError for an unknown method, a wrong number of models, a model that does not fit the images, a begun
    file of something else, or no validation image where a number is to be chosen; DeviceError if the GPU's memory does
    not suffice.
    """
    if method not in METHODS:
        raise InputError(f"method {method!r} is unknown: choose one of {', '.join(METHODS)}")
    wanted = len(METHODS[method].models)
    if len(models) != wanted:
        raise InputError(f"method {method} passes {wanted} models, got {len(models)}: give --model for each")
    networks = _load(models, weights, device, self_ensemble)
    _check_sizes(METHODS[method], pairs, models, networks)
    if begun is not None:
        _check_begun(METHODS[method], begun)
    chosen, apply = _restorer(METHODS[method], networks, interpolation, choosing or Choosing(), batch_size)
    metadata = {"method": method} | ({"chosen": json.dumps(chosen.record())} if chosen else {})
    batches = _batches(pairs, begun, batch_size)
    total = -(-image_table.count_rows(pairs) // batch_size)
    with image_table.ImageTableWriter(output, {"id": pa.string()}, {"image": (SIZE, SIZE, 3)}, metadata) as writer:
        for ids, images, first in track(batches, f"restoring by {method}", total):
            writer.append({"id": ids}, {"image": apply(images, first)})
        return writer.rows


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


def _restorer(
    method: Method, networks: Sequence[Network], interpolation: str, choosing: Choosing, batch_size: int
) -> tuple[Choice | None, Callable[[Image, Image | None], Image]]:
    """The function from blind images and, if known, the first model's results to restored ones; what was chosen."""
    if not method.chosen:

        def pass_models(images: Image, first: Image | None) -> Image:
            remaining, passed = (networks, images) if first is None else (networks[1:], first)
            for network in remaining:
                passed = restore_images(network, passed)[-1]
            return np.stack([resize(image, SIZE, interpolation) for image in passed])

        return None, pass_models
    adjustable = _adjustable(networks, choosing)
    chosen = choose(adjustable, choosing.validation, choosing.targets, choosing.criterion, batch_size)
    say(f"{method.name}: {chosen.what} {chosen.value:g} ({chosen.criterion}, {chosen.images} validation images)")

    def adjust(images: Image, first: Image | None) -> Image:
        # Only Parallel, which passes models, can begin with the results of one.
        if isinstance(adjustable, Parallel):
            return adjustable.finish(adjustable.prepare(images, first), chosen.value)
        return adjustable.finish(adjustable.prepare(images), chosen.value)

    return chosen, adjust


def _adjustable(networks: Sequence[Network], choosing: Choosing) -> Adjustable:
    if not networks:
        return Classical(choosing.strengths)
    first, second = networks
    return Parallel(
        restore=lambda images: restore_images(first, images)[-1],
        upscale=lambda images: restore_images(second, images)[-1],
        input_size=second.input_size,
        reduction=choosing.reduction,
        values=choosing.blend,
    )


def _check_sizes(method: Method, pairs: Path, models: Sequence[Path], networks: Sequence[Network]) -> None:
    """Every model must fit what it gets: the blind images, or the result of the model before it."""
    blind = image_table.image_shape(pairs, "blind")[0]
    for place, (path, network) in enumerate(zip(models, networks, strict=True)):
        if method.name == "parallel" and place == 1:
            fits, given = network.input_size < blind, f"should get {pairs} reduced"
        else:
            size = SIZE if place else blind
            given = f"gets {size} px from {'the model before' if place else pairs}"
            fits = network.input_size == size
        if not fits:
            raise InputError(
                f"{path} restores images of {network.input_size} px, but {given}: give the other objective's model or "
                "pairs"
            )


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
    self_ensemble: Mapping[Objective, float] | None = None,
) -> int:
    """Keep the outputs of all three steps for the first `examples` images of `pairs`; returns their number.

    The packed file has the columns id, step1 (32x32), step2 (64x64) and step3 (128x128).
    """
    (network,) = _load([model], weights, device, self_ensemble)
    with image_table.ImageTableWriter(
        output, {"id": pa.string()}, {name: (size, size, 3) for name, size in STEP_SIZES.items()}
    ) as writer:
        for ids, images in _first(image_table.iterate_images(pairs, "blind", min(examples, 64)), examples):
            steps = restore_images(network, images)
            writer.append({"id": ids}, dict(zip(STEP_SIZES, steps, strict=True)))
        return writer.rows


def _load(
    models: Sequence[Path], weights: str, device: torch.device | str, self_ensemble: Mapping[Objective, float] | None
) -> list[Network]:
    if not models:
        return []
    from blindface.networks.model_file import load_generator
    from blindface.restoration.self_ensemble import SelfEnsemble

    networks: list[Network] = []
    for path in models:
        network = load_generator(path, weights, device)
        sigma = (self_ensemble or {}).get("objective1" if network.input_size < SIZE else "objective2")
        networks.append(network if sigma is None else SelfEnsemble(network, sigma))
    return networks


def _first(batches: Iterator[tuple[list[str], Image]], count: int) -> Iterator[tuple[list[str], Image]]:
    for ids, images in batches:
        yield ids[:count], images[:count]
        count -= len(ids)
        if count <= 0:
            return


def restore_images(network: Network, images: Image) -> list[Image]:
    """Restore a batch of uint8 images (N, S, S, 3), S the network's input size, into the uint8 images of all steps.

    Errors: InputError if the images do not fit the network; DeviceError if the GPU's memory does not suffice.
    """
    import torch

    if images.shape[1] != network.input_size:
        raise InputError(f"the model restores images of {network.input_size} px, got {images.shape[1]} px")
    device = next(network.parameters()).device
    at_a_time = CACHED if device.type == "cpu" else max(len(images), 1)
    try:
        with torch.inference_mode():
            parts = torch.split(torch.tensor(images, device=device), at_a_time)
            outputs = [network(to_signed(part)) for part in parts]
        return [
            torch.cat([signed_to_uint8(image) for image in step]).cpu().numpy() for step in zip(*outputs, strict=True)
        ]
    except torch.cuda.OutOfMemoryError as error:
        raise DeviceError(
            f"the GPU's memory does not suffice for {len(images)} images at a time: lower restore.batch_size"
        ) from error
