"""Every metric that a score file holds: its name, its label, which way is better, and its protocol in one line.

docs/metrics.md says the same at length. A name carries the protocol: numbers of different ones cannot be confused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from blindface.metrics.lpips_distance import TRUNK_FILES
from blindface.params import EvaluateParams

FRECHET_NAMES = {"inception": "fid", "mobilefacenet": "frechet_face_distance"}


@dataclass(frozen=True)
class Description:
    """What a metric is. `better` says in which direction a value improves."""

    name: str
    label: str
    better: Literal["higher", "lower"]
    protocol: str
    per_image: bool = True
    """False where a value belongs to a batch or a whole set only."""


def descriptions(params: EvaluateParams) -> list[Description]:
    """The metrics that these parameters ask for, in the order of the paper's table; ours that it lacks come last."""
    trunk = params.lpips
    return [
        Description(
            "psnr_batch",
            "PSNR (batch)",
            "higher",
            f"RGB, from the mean squared error of a whole batch of {params.batch_size}, in dB; the paper's protocol",
            per_image=False,
        ),
        Description("psnr", "PSNR (per image)", "higher", "RGB, from the mean squared error of each image, in dB"),
        Description("ssim", "SSIM (RGB)", "higher", "RGB, Gaussian window of 11 px and sigma 1.5 where it fits"),
        Description("ssim_y", "SSIM (Y)", "higher", "luma in whole levels, Gaussian window of 11 px and sigma 1.5"),
        Description(
            "ms_ssim", "MS-SSIM", "higher", "RGB, five scales, window min(11, size) at each; paper-compatible at 128 px"
        ),
        Description("ms_ssim_4", "MS-SSIM (4 scales)", "higher", "RGB, the four scales where the window of 11 px fits"),
        Description(
            f"lpips_{trunk}",
            f"LPIPS ({trunk})",
            "lower",
            f"lpips v0.1, trunk {TRUNK_FILES[trunk]}, RGB in [-1, 1] at 128 px",
        ),
        Description("niqe", "NIQE", "lower", "luma in whole levels, one block of 96 px from the top left, two scales"),
        _frechet(params),
        Description(
            "identity",
            "identity similarity",
            "higher",
            "cosine of MobileFaceNet embeddings of restored image and target, both aligned by the target's landmarks; "
            "images without a found face are left out",
        ),
        Description(
            "landmark_distance",
            "landmark distance",
            "lower",
            "mean distance of 68 points to the target's by the same network in the same face box, in inter-ocular "
            "distances; images without a found face are left out",
        ),
        Description(
            "high_frequency_error",
            "high-frequency error",
            "lower",
            "luma, |log2| of the energy above 0.25 cycles/px over the target's: 0 is the target's own amount of detail",
        ),
    ]


def _frechet(params: EvaluateParams) -> Description:
    compared = "all restored test images against their targets; interval: delete-a-group jackknife"
    if params.frechet == "inception":
        protocol = f"2048 features of pytorch-fid's Inception, {compared}"
        return Description("fid", "FID (Inception)", "lower", protocol, per_image=False)
    protocol = f"128 features of MobileFaceNet, faces aligned by the target's landmarks, {compared}; not FID"
    return Description("frechet_face_distance", "Fréchet face distance", "lower", protocol, per_image=False)
