"""The paper's table: its columns, its numbers with their source, and the batches they were taken over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PAPER = (
    "Golan & Zoppellari, Simulating Real-World Challenges: Blind Face Restoration and Upscaling "
    "(University of Padova), table of results on LFW"
)
"""Where `PAPER_VALUES` were read."""


@dataclass(frozen=True)
class PaperMetric:
    """A column of the paper's table.

    `same`: our metrics that follow the paper's protocol, in order of preference. `kin`: name prefixes of metrics that
    measure the same with another backbone: their numbers are never put beside the paper's as if they were equal.
    """

    name: str
    label: str
    better: str
    same: tuple[str, ...]
    kin: tuple[str, ...] = ()


PAPER_METRICS = (
    PaperMetric("psnr", "PSNR", "higher", ("psnr_batch",)),
    PaperMetric("ssim", "SSIM", "higher", ("ssim",)),
    PaperMetric("ms_ssim", "MS-SSIM", "higher", ("ms_ssim",)),
    PaperMetric("lpips", "LPIPS (VGG)", "lower", ("lpips_vgg",), ("lpips_",)),
    PaperMetric("niqe", "NIQE", "lower", ("niqe",)),
    PaperMetric("fid", "FID (Inception)", "lower", ("fid",), ("frechet_",)),
)


@dataclass(frozen=True)
class PaperValue:
    """A number as the paper prints it, mean and standard deviation over test batches."""

    mean: float
    text: str

    @property
    def parts(self) -> tuple[str, str]:
        """The mean and the deviation as printed: `("20.1", "± 0.2")`."""
        mean, _, rest = self.text.partition(" ")
        return mean, rest


def _row(*texts: str) -> dict[str, PaperValue]:
    names = [metric.name for metric in PAPER_METRICS]
    return {name: PaperValue(float(text.split()[0]), text) for name, text in zip(names, texts, strict=True)}


PAPER_VALUES: Mapping[str, Mapping[str, PaperValue]] = {
    "blind1": _row("20.1 ± 0.2", "0.59 ± 0.01", "0.818 ± 0.002", "0.468 ± 0.003", "16.78 ± 0.05", "240 ± 4"),
    "progressive1": _row("20.6 ± 0.3", "0.65 ± 0.01", "0.862 ± 0.004", "0.295 ± 0.006", "7.9 ± 0.3", "40 ± 2"),
    "blind2": _row("21.1 ± 0.7", "0.57 ± 0.03", "0.83 ± 0.02", "0.52 ± 0.03", "9.8 ± 0.5", "151 ± 14"),
    "progressive2": _row("22.0 ± 0.4", "0.64 ± 0.01", "0.862 ± 0.009", "0.31 ± 0.01", "6.8 ± 0.2", "35 ± 2"),
}
"""The paper's numbers by our method name and the paper's metric; it has no row for the two models in sequence."""

PAPER_BATCHES = {"objective1": 32, "objective2": 16}
"""Images per batch, over which the paper's means and deviations are taken, by objective."""
