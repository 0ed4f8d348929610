"""Parameters of the first half of the graph: fetch, split, pairs, landmarks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from blindface.params.base import Block, PathText, setting

Interpolation = Literal["nearest", "linear", "cubic", "area", "lanczos"]
Objective = Literal["objective1", "objective2"]
OBJECTIVES: tuple[Objective, ...] = ("objective1", "objective2")
Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")


class EmbeddedParams(Block):
    """The embedded set: rendered faces, so that the tiny experiment needs no photograph of a person."""

    seed: int = setting(2024, "Seed of identities and photographs.", ge=0)
    identities: int = setting(40, "Number of rendered people.", ge=2, le=10_000)
    photographs: int = setting(3, "Photographs per person.", ge=1, le=1_000)


class FetchParams(Block):
    """Where the photographs come from, and how they become targets."""

    source: Literal["lfw", "lfw-150", "lfw-deepfunneled", "folder", "embedded"] = setting(
        "lfw", "The data set: LFW at 250x250 (the paper's), its 150x150 copy, a folder of images, or rendered faces."
    )
    folder: PathText | None = setting(None, "The folder of images, any depth, for source 'folder'.")
    target_size: int = setting(128, "Side of the targets.", unit="px", ge=128, le=128)
    interpolation: Interpolation = setting("area", "Interpolation from the photograph to the target.")
    smallest_side: int = setting(64, "Photographs with a shorter side are skipped.", unit="px", ge=1, le=4096)
    person_level: int | None = setting(
        1,
        "Which folder of a photograph's path is the person, for split.by identity: 1 is the first below the folder "
        "given, 2 the one in it; null: the folder the photograph is in.",
        ge=1,
        le=16,
    )
    skip_limit: float = setting(0.01, "Largest share of skipped photographs that does not stop the run.", ge=0, le=1)
    missing: Literal["error", "skip"] = setting(
        "error", "A weight file that cannot be had stops the run (error) or makes what needs it read n/a (skip)."
    )
    embedded: EmbeddedParams = setting(EmbeddedParams(), "The rendered set, for source 'embedded'.")

    @model_validator(mode="after")
    def _folder_is_given(self) -> FetchParams:
        if self.source == "folder" and not self.folder:
            raise ValueError("source 'folder' needs fetch.folder, the path of a folder of images")
        return self


class SplitParams(Block):
    """Which photographs train, validate and test."""

    by: Literal["image", "identity", "official"] = setting(
        "image",
        "image: the paper's split, people may stand in both parts; identity: no person in both; "
        "official: LFW's peopleDevTrain and peopleDevTest.",
    )
    seed: int = setting(2024, "Seed of the shuffle.", ge=0)
    train_share: float = setting(0.8, "Share that trains (to the nearest photograph), validation included.", gt=0, lt=1)
    validation: int = setting(256, "Photographs cut from the training part for validation.", unit="photographs", ge=0)
    train_limit: int | None = setting(None, "Keep only so many training photographs (null: all).", ge=1)
    test_limit: int | None = setting(None, "Keep only so many test photographs (null: all).", ge=1)


IntRange = Annotated[tuple[int, int], Field(min_length=2, max_length=2)]
FloatRange = Annotated[tuple[float, float], Field(min_length=2, max_length=2)]


class DegradationParams(Block):
    """Ranges of equation (1); one uniform draw per image, both ends included."""

    u: Literal[16, 128] = setting(16, "Side of the blind image.", unit="px")
    k: IntRange = setting((1, 5), "Size of the Gaussian kernel; see pairs.kernel.", unit="px")
    sigma: FloatRange = setting((0.0, 5.0), "Standard deviation of the Gaussian kernel; 0 means no blur.", unit="px")
    s: IntRange = setting((43, 128), "Side of the reduced image (a size, not a factor).", unit="px")
    delta: FloatRange = setting((0.0, 10.0), "Standard deviation of the Gaussian noise.", unit="levels of 255")
    q: IntRange = setting((60, 100), "Quality of the JPEG encoder.")

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> DegradationParams:
        limits = {"k": (1, 63), "sigma": (0, 50), "s": (4, 128), "delta": (0, 255), "q": (1, 100)}
        for name, (low, high) in limits.items():
            first, last = getattr(self, name)
            if not low <= first <= last <= high:
                raise ValueError(f"range {name} must be ordered and lie within [{low}, {high}], got [{first}, {last}]")
        return self


class PairsParams(Block):
    """Equation (1): I_blind = JPEG_q[(I * k_sigma) reduced to s x s + n_delta] brought to u x u.

    The conventions that the paper leaves open are named here; the defaults reproduce its rows for blind images.
    """

    seed: int = setting(2024, "Seed of the drawn parameters and the noise.", ge=0)
    kernel: Literal["radius", "odd_up", "odd_down"] = setting(
        "radius",
        "How k becomes an odd kernel: radius: size 2k+1; odd_up: k or k+1; odd_down: k or k-1, whichever is odd.",
    )
    border: Literal["reflect_101", "reflect", "replicate"] = setting(
        "reflect_101",
        "What the kernel sees beyond the border: mirrored without or with the outermost pixel, or that pixel.",
    )
    reduction: Interpolation = setting("linear", "Interpolation of the reduction to s x s.")
    enlargement: Interpolation = setting("linear", "Interpolation of the change to u x u.")
    chroma: Literal["420", "422", "444"] = setting("420", "Chroma subsampling of the JPEG encoder.")
    objective1: DegradationParams = setting(DegradationParams(), "Restore and upscale: 16x16 to 128x128.")
    objective2: DegradationParams = setting(
        DegradationParams(u=128, k=(1, 11), sigma=(0.0, 10.0), s=(16, 128), delta=(0.0, 30.0), q=(50, 100)),
        "Restore: 128x128 to 128x128.",
    )

    def of(self, objective: Objective) -> DegradationParams:
        """The block of one objective."""
        return self.objective1 if objective == "objective1" else self.objective2


class LandmarksParams(Block):
    """68 facial landmarks of the targets, for the attention loss."""

    backend: Literal["fan", "compressed_fan", "pfld", "exact"] = setting(
        "fan",
        "fan: 2DFAN-4 of face-alignment (the paper's); compressed_fan: Kim et al.'s; pfld: PFLD; "
        "exact: those the embedded set is drawn from.",
    )
    detector: Literal["s3fd", "yunet", "none"] = setting("s3fd", "The face detector in front of the backend.")
    score: float = setting(0.5, "Least score of a detected face.", ge=0, le=1)
    margin: float = setting(0.25, "Room around the detected box, in shares of its longer side.", ge=0, le=1)
    batch_size: int = setting(32, "Faces per forward pass.", ge=1, le=4096)
    device: Literal["auto", "cpu", "cuda"] = setting("auto", "auto: the GPU where there is one.")
