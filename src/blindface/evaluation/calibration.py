"""The degradation against the paper's rows for blind images: which of its numbers our conventions reproduce.

PSNR is that of each batch's mean squared error; all values are mean and standard deviation over batches of the test
part in the order of the ids, the last incomplete batch included, as in the paper.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from blindface.base.device import choose_device
from blindface.base.files import write_text
from blindface.base.image_table import count_rows, iterate_images, read_images, read_metadata
from blindface.base.images import Image, resize
from blindface.base.progress import track
from blindface.evaluation.paper import PAPER_BATCHES, PAPER_METRICS, PAPER_VALUES
from blindface.params.data import Interpolation, Objective
from blindface.restoration.methods import BLIND

NAMES = {
    "psnr_batch": ("PSNR of the batch [dB]", 2),
    "psnr": ("PSNR per image [dB]", 2),
    "ssim": ("SSIM, RGB", 3),
    "ssim_y": ("SSIM, Y", 3),
    "ms_ssim": ("MS-SSIM, RGB, window min(11, size)", 3),
}


@dataclass
class Row:
    """The measured values of one objective: one list per metric, one value per batch."""

    objective: Objective
    images: int
    batch_size: int
    parameters: str
    batches: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in NAMES})

    def text(self, metric: str) -> str:
        """Mean and standard deviation over batches."""
        digits = NAMES[metric][1]
        return f"{np.mean(self.batches[metric]):.{digits}f} ± {np.std(self.batches[metric]):.{digits}f}"


def calibrate(
    targets: Path,
    pairs: list[Path],
    output: Path,
    batch_sizes: Mapping[str, int] = PAPER_BATCHES,
    display: Interpolation = "linear",
    device: str = "auto",
) -> str:
    """Measure the blind images of the packed `pairs` (one file per objective) and write the table; returns its text.

    `batch_sizes`: images per batch of each objective; `display`: interpolation that brings 16 px blind images to the
    targets' size.
    """
    rows = [measure(targets, path, batch_sizes, display, device) for path in pairs]
    text = render(rows, display)
    write_text(output, text)
    return text


def measure(targets: Path, pairs: Path, batch_sizes: Mapping[str, int], display: Interpolation, device: str) -> Row:
    """The metrics of one file of pairs, batch by batch."""
    import torch

    from blindface.metrics.ms_ssim import ms_ssim
    from blindface.metrics.psnr import psnr, psnr_batch
    from blindface.metrics.ssim import ssim, ssim_y

    metadata = read_metadata(pairs)
    batch_size = batch_sizes[metadata["objective"]]
    row = Row(cast(Objective, metadata["objective"]), count_rows(pairs), batch_size, metadata["parameters"])
    place = choose_device(device)
    batches = -(-row.images // batch_size)
    for blind, target in track(_batches(targets, pairs, batch_size, display), f"calibrate {row.objective}", batches):
        first, second = torch.from_numpy(blind).to(place), torch.from_numpy(target).to(place)
        row.batches["psnr_batch"].append(psnr_batch(first, second))
        for name, metric in {"psnr": psnr, "ssim": ssim, "ssim_y": ssim_y, "ms_ssim": ms_ssim}.items():
            row.batches[name].append(float(metric(first, second).mean()))
    return row


def _batches(targets: Path, pairs: Path, size: int, display: Interpolation) -> Iterator[tuple[Image, Image]]:
    for names, blind in iterate_images(pairs, "blind"):
        wanted = read_images(targets, "target", names)
        shown = np.stack([resize(image, wanted.shape[1], display) for image in blind])
        for start in range(0, len(names), size):
            yield shown[start : start + size], wanted[start : start + size]


def render(rows: list[Row], display: str) -> str:
    """The table as Markdown, with the parameters it was measured under."""
    lines = [
        "# Calibration of the blind images",
        "",
        "Written by `blindface calibrate`. Test part against its targets at 128×128; mean ± standard deviation over "
        f"batches in the order of the ids; 16×16 images shown by '{display}' interpolation.",
        "",
        "| blind images | images | batch | " + " | ".join(title for title, _ in NAMES.values()) + " |",
        "|---|---|---|" + "---|" * len(NAMES),
    ]
    for row in rows:
        lines.append(
            f"| {row.objective} | {row.images:,} | {row.batch_size} | "
            + " | ".join(row.text(name) for name in NAMES)
            + " |"
        )
        paper = {metric.same[0]: PAPER_VALUES[BLIND[row.objective]][metric.name].text for metric in PAPER_METRICS}
        known = [paper.get(name, "") for name in NAMES]
        lines.append(f"| paper, {row.objective} | 2,650 | {PAPER_BATCHES[row.objective]} | " + " | ".join(known) + " |")
    lines += ["", "The paper does not say on which colours its SSIM is taken.", ""]
    for row in rows:
        lines += [f"Parameters of {row.objective}: `{json.dumps(json.loads(row.parameters))}`", ""]
    return "\n".join(lines)
