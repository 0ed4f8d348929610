"""Parameters of the second half of the graph: restore, evaluate, report."""

from __future__ import annotations

from typing import Literal

from blindface.params.base import Block, setting
from blindface.params.data import Interpolation


class RestoreParams(Block):
    """How the test part is restored."""

    weights: Literal["ema", "raw"] = setting("ema", "The generator's moving average, or its last weights.")
    batch_size: int = setting(64, "Images per forward pass.", ge=1, le=4096)
    device: Literal["auto", "cpu", "cuda"] = setting("auto", "auto: the GPU where there is one.")
    display: Interpolation = setting("linear", "Interpolation of a 16x16 blind image to 128x128 for the metrics.")


class EvaluateParams(Block):
    """Which numbers are computed, by which protocol."""

    lpips: Literal["vgg", "alex", "squeeze"] = setting("vgg", "Backbone of LPIPS.")
    frechet: Literal["inception", "mobilefacenet"] = setting(
        "inception", "Features of the Frechet distance: inception is FID; mobilefacenet is the Frechet face distance."
    )
    batch_size: int = setting(32, "Images per batch; the paper's deviations are over batches.", ge=1, le=4096)
    bootstrap: int = setting(1000, "Resamples of the 95 % intervals of the per-image means.", ge=0, le=100_000)
    seed: int = setting(2024, "Seed of the resamples.", ge=0)
    device: Literal["auto", "cpu", "cuda"] = setting("auto", "auto: the GPU where there is one.")


class ReportParams(Block):
    """What the table and the page show."""

    title: str = setting("Blind face restoration on LFW", "Title of the page.")
    examples: int = setting(8, "Number of example faces.", ge=1, le=64)
    seed: int = setting(2024, "Seed of the random examples.", ge=0)


class TrackParams(Block):
    """Where MLflow keeps the runs. Nothing reads results back from there."""

    uri: str = setting("sqlite:///mlflow.db", "MLflow's store; an empty text turns tracking off.")
    experiment: str = setting("blindface", "MLflow's experiment.")
    overlay: str = setting("", "Overlay, a tag of the runs; the workflow fills in the files given with --configfile.")
