"""Parameters of the second half of the graph: restore, evaluate, subgroups, report."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, field_validator, model_validator

from blindface.base.pyiqa_table import objection
from blindface.params.base import Block, PathText, setting
from blindface.params.data import Interpolation, Objective
from blindface.restoration.methods import optional_names, reserved_names

Strength = Annotated[float, Field(ge=0, le=255)]
PyiqaName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+-]{1,40}$")]
Share = Annotated[float, Field(ge=0, le=1)]


def _is_optional(name: str) -> str:
    if name not in optional_names():
        raise ValueError(f"the rows to choose from are {', '.join(optional_names())}")
    return name


OptionalMethod = Annotated[
    str, AfterValidator(_is_optional), WithJsonSchema({"enum": optional_names(), "type": "string"})
]


class ExternalMethod(Block):
    """Somebody else's restorer: what it made of our blind images (`blindface export-pairs`)."""

    name: str = Field(
        description="Its name in the table and in file names.", pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=40
    )
    objective: Objective = Field(description="Whose blind test images it was given.")
    folder: PathText = Field(description="Folder of the restored 128x128 PNGs, named by image id.", min_length=1)

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name in reserved_names():
            raise ValueError("the table has a method of its own of that name: choose another")
        return name


class FlowParams(Block):
    """How a rectified flow restores."""

    steps: int = setting(
        8, "Steps from the mean to the result: fewer are nearer to the target, more look more natural.", ge=1, le=1000
    )
    seed: int = setting(2024, "Seed of the noise that each image begins with, beside its id.", ge=0)
    samples: int = setting(
        8, "Results of different noise whose mean and spread are shown: what is made up. 0: none.", ge=0, le=256
    )


class RestoreParams(Block):
    """How the test part is restored."""

    weights: Literal["ema", "raw"] = setting("ema", "The generator's moving average, or its last weights.")
    batch_size: int = setting(64, "Images per forward pass on a GPU; a processor takes at most eight.", ge=1, le=4096)
    device: Literal["auto", "cpu", "cuda"] = setting("auto", "auto: the GPU where there is one.")
    display: Interpolation = setting("linear", "Interpolation of a 16x16 blind image to 128x128 for the metrics.")
    methods: tuple[OptionalMethod, ...] = setting(
        ("classical1", "classical2", "parallel"),
        "Rows beside the blind images, the models of train.recipes and their sequence, as far as these have their "
        "models; mae1 and mae2 cost another training each.",
    )
    criterion: Literal["psnr", "ssim"] = setting(
        "psnr", "What is highest, as the mean over the validation images, at the tuned strength or blend."
    )
    strengths: tuple[Strength, ...] = setting(
        (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0),
        "Strengths of non-local means to choose from; a single one is not tuned but taken.",
        unit="levels",
        min_length=1,
    )
    blend: tuple[Share, ...] = setting(
        (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
        "Weights of objective 2 in the parallel combination to choose from; a single one is not tuned but taken.",
        min_length=1,
    )
    fidelity: tuple[Share, ...] = setting(
        (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
        "Weights of the GAN in its blend with the mean (fidelity1, fidelity2) to choose from; a single one is taken.",
        min_length=1,
    )
    flow: FlowParams = setting(FlowParams(), "How a rectified flow restores.")
    external: tuple[ExternalMethod, ...] = setting((), "Rows of other people's restorers.")

    @field_validator("external")
    @classmethod
    def _names_differ(cls, external: tuple[ExternalMethod, ...]) -> tuple[ExternalMethod, ...]:
        names = [method.name.lower() for method in external]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"the name {twice} is there twice: give each external method a name of its own")
        return external


class EvaluateParams(Block):
    """Which numbers are computed, by which protocol."""

    lpips: Literal["vgg", "alex", "squeeze"] = setting("vgg", "Backbone of LPIPS.")
    frechet: Literal["inception", "mobilefacenet"] = setting(
        "inception", "Features of the Frechet distance: inception is FID; mobilefacenet is the Frechet face distance."
    )
    identity: Literal["mobilefacenet", "none"] = setting(
        "mobilefacenet", "Face embedding of the identity similarity; none: not measured."
    )
    identity_threshold: float = setting(
        0.3,
        "Images of a lower identity similarity count as another face, as in NTIRE's face restoration challenge.",
        ge=-1,
        le=1,
    )
    landmarks: Literal["same", "none"] = setting(
        "same",
        "Network of the landmark distance; same: that of landmarks.backend (2DFAN-4 takes about a second per image on "
        "a CPU); none: not measured.",
    )
    pyiqa: tuple[PyiqaName, ...] = setting(
        (),
        "Further metrics of the package pyiqa (non-commercial use) by their names there, such as fsim, vif, piqe or "
        "topiq_nr-face; one that needs weights takes them from the mirror or cache, never from the network.",
    )
    batch_size: int = setting(32, "Images per batch; the paper's deviations are over batches.", ge=1, le=4096)
    bootstrap: int = setting(1000, "Resamples of the 95 % intervals of the per-image means.", ge=0, le=100_000)
    seed: int = setting(2024, "Seed of the resamples.", ge=0)
    device: Literal["auto", "cpu", "cuda"] = setting("auto", "auto: the GPU where there is one.")

    @field_validator("pyiqa")
    @classmethod
    def _pyiqa_has_them(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"the metric {twice} is there twice: name each once")
        wrong = next((reason for reason in map(objection, names) if reason), None)
        if wrong:
            raise ValueError(wrong)
        return names


Bounds = Annotated[tuple[float, ...], Field(min_length=1, max_length=9)]


class SubgroupsParams(Block):
    """The tables by group: where labels come from, and where one group ends and the next begins."""

    attributes: Literal["auto", "official", "predicted", "none"] = setting(
        "auto",
        "Labels of the photographs: LFW's official attribute scores, those predicted by other models, or none. "
        "auto: the first of these that can be had; for the embedded set, what its faces were drawn from.",
    )
    small: int = setting(30, "Groups of fewer images are marked as small.", unit="images", ge=2, le=10_000)
    yaw: Bounds = setting((10.0, 20.0, 30.0), "Bounds of the groups by yaw, to either side.", unit="degrees")
    pitch: float = setting(10.0, "Pitch, from the median of the images, that is up or down.", unit="degrees", gt=0)
    mouth: Bounds = setting(
        (0.08, 0.15), "Bounds of the groups by the gap between the lips.", unit="inter-ocular distances"
    )
    bins: int = setting(5, "Groups of equal width by the strength of a degradation.", ge=2, le=20)

    @model_validator(mode="after")
    def _bounds_rise(self) -> SubgroupsParams:
        for name in ("yaw", "mouth"):
            bounds = getattr(self, name)
            if bounds[0] <= 0 or any(low >= high for low, high in pairwise(bounds)):
                raise ValueError(f"{name} must be positive bounds in rising order, got {list(bounds)}")
        return self


class ReportParams(Block):
    """What the table and the page show."""

    title: str | None = setting(None, "Title of the page; null: 'Blind face restoration on' what the photographs are.")
    examples: int = setting(8, "Number of example faces.", ge=1, le=64)
    seed: int = setting(2024, "Seed of the random examples.", ge=0)


class TrackParams(Block):
    """Where MLflow keeps the runs. Nothing reads results back from there."""

    uri: str = setting("sqlite:///mlflow.db", "MLflow's store; an empty text turns tracking off.")
    experiment: str = setting("blindface", "MLflow's experiment.")
    overlay: str = setting("", "Overlay, a tag of the runs; the workflow fills in the files given with --configfile.")
