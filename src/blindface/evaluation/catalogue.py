"""Every metric that a score file holds: its name, its label, which way is better, and its protocol in one line.

docs/metrics.md says the same at length. A name carries the protocol: numbers of different ones cannot be confused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from blindface.base.pyiqa_table import PyiqaEntry, pyiqa_table
from blindface.metrics.lpips_distance import TRUNK_FILES
from blindface.params import EvaluateParams

FRECHET_NAMES = {"inception": "fid", "mobilefacenet": "frechet_face_distance"}
KERNEL_NAMES = {"inception": "kid", "mobilefacenet": "kernel_face_distance"}
MANIFOLD_NAMES = {
    "inception": ("precision_inception", "recall_inception"),
    "mobilefacenet": ("precision_face", "recall_face"),
}
"""Metrics of a whole set, by the network of their features (`evaluate.frechet`)."""
KERNEL_SCALE = 1000.0
"""Kernel distances are small: they are given in thousandths, as papers print them."""


def set_names(params: EvaluateParams) -> list[str]:
    """The metrics that are of the features of all images together."""
    network = params.frechet
    return [FRECHET_NAMES[network], KERNEL_NAMES[network], *MANIFOLD_NAMES[network]]


def below_name(params: EvaluateParams) -> str:
    """The name of the share of images below the identity threshold, which it carries in hundredths."""
    return f"identity_below_{round(params.identity_threshold * 100)}".replace("-", "minus_")


def pyiqa_name(name: str) -> str:
    """Our name of one of pyiqa's metrics."""
    return f"pyiqa_{name}"


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
        Description(
            "niqe",
            "NIQE",
            "lower",
            "luma in whole levels, one block of 96 px from the top left, two scales; a flat image has none",
        ),
        *_of_features(params),
        Description(
            "identity",
            "identity similarity",
            "higher",
            "cosine of MobileFaceNet embeddings of restored image and target, both aligned by the target's landmarks; "
            "images without a found face are left out",
        ),
        Description(
            below_name(params),
            f"identity below {params.identity_threshold:g}",
            "lower",
            f"share of images whose identity similarity is below {params.identity_threshold:g}; images without a found "
            "face are left out",
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
        Description(
            "consistency",
            "consistency",
            "higher",
            "PSNR in dB, RGB, between the blind image and the restored one degraded again by its pair's drawn "
            "parameters and the pair's own noise; the target itself has 100",
        ),
        *[_pyiqa(name) for name in params.pyiqa],
    ]


def _pyiqa(name: str) -> Description:
    entry = (pyiqa_table() or {}).get(name, PyiqaEntry(name, False, "higher"))
    sees = "restored image and target" if entry.full_reference else "restored image alone; none of a flat image"
    protocol = f"pyiqa's '{name}' with its defaults, RGB in [0, 1] at 128 px, {sees}"
    return Description(pyiqa_name(name), f"{name} (pyiqa)", entry.better, protocol)


def _of_features(params: EvaluateParams) -> list[Description]:
    inception = params.frechet == "inception"
    features = (
        "2048 features of pytorch-fid's Inception"
        if inception
        else "128 features of MobileFaceNet, faces aligned by the target's landmarks"
    )
    compared = "all restored test images against their targets"
    jackknife = "interval: delete-a-group jackknife over persons"
    distance, kernel, precision, recall = set_names(params)
    labels = ("FID (Inception)", "KID ×10³ (Inception)", "Inception") if inception else (
        "Fréchet face distance", "kernel face distance ×10³", "faces"
    )  # fmt: skip
    no = "" if inception else "; not FID"
    ball = (
        "the ball of a feature reaches to its third neighbour; interval: bootstrap over persons, the balls held fixed"
    )
    return [
        Description(distance, labels[0], "lower", f"{features}, {compared}; {jackknife}{no}", per_image=False),
        Description(
            kernel,
            labels[1],
            "lower",
            f"{features}, {compared}: unbiased MMD² of the kernel (a·b/d + 1)³ over all pairs, times 1000; {jackknife}",
            per_image=False,
        ),
        Description(
            precision,
            f"precision ({labels[2]})",
            "higher",
            f"{features}: share of restored images inside the manifold of the targets; {ball}",
            per_image=False,
        ),
        Description(
            recall,
            f"recall ({labels[2]})",
            "higher",
            f"{features}: share of targets inside the manifold of the restored images; {ball}",
            per_image=False,
        ),
    ]
