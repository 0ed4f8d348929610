"""The kinds of groups, in the order of the paper's critical issues, and where the label of each comes from.

| issue | kinds |
|---|---|
| a | faces: how many the detector saw |
| b | yaw, pitch, mouth (landmarks, or drawn); smile, mouth_label, expression (labels) |
| c | eyewear, hat, forehead, hair, beard (labels); hands (no source has them) |
| d | ethnic_group (labels); skin_tone (embedded set) |
| e | gender, gender_second (labels of two models) |
| f | detail: how much of the target's fine detail an image keeps |
| strength | k, sigma, s, delta, q of each objective |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Source = Literal["official", "predicted", "drawn", "none"]

ISSUES = {
    "a": "Several faces",
    "b": "Pose and expression",
    "c": "Interference",
    "d": "Ethnic groups",
    "e": "Gender",
    "f": "Fine detail",
    "strength": "Strength of the degradation",
}
"""The paper's critical issues by its letters, and the strength of what was done to the image."""

SOURCES = {
    "official": "LFW's official attribute scores (classifiers of Kumar et al. 2009)",
    "predicted": "predicted attributes (Facer and DeepFace), not the official LFW scores",
    "drawn": "what the rendered faces were drawn from",
    "none": "no labels",
}
"""What a source of labels is called wherever its labels are shown."""


@dataclass(frozen=True)
class Kind:
    """One way to group images. `rule`: how a group comes about; `unavailable`: why there are no groups."""

    issue: str
    name: str
    title: str
    source: str
    rule: str
    unavailable: str | None = None


_POSITIVE = "a positive score means that the attribute is present"
_HIGHEST = "the attribute with the highest score, if that score is positive"
_HALF = "a share of 0.5 or more means that the attribute is present"
_FACER = "predicted by Facer, not the official LFW attributes"
_DEEPFACE = "predicted by DeepFace, not the official LFW attributes"
_KUMAR = "official LFW attributes, scores of Kumar et al.'s classifiers"
_DRAWN = "exact: drawn so"

LABEL_KINDS: dict[str, tuple[Kind, ...]] = {
    "official": (
        Kind("b", "smile", "Smile", _KUMAR, _POSITIVE),
        Kind("b", "mouth_label", "Mouth, as labelled", _KUMAR, _HIGHEST),
        Kind("c", "eyewear", "Eyewear", _KUMAR, _HIGHEST),
        Kind("c", "hat", "Hat", _KUMAR, _POSITIVE),
        Kind("c", "forehead", "Forehead", _KUMAR, _HIGHEST),
        Kind("d", "ethnic_group", "Ethnic group, as the file names it", _KUMAR, _HIGHEST),
        Kind("e", "gender", "Gender, as the file names it", _KUMAR, _POSITIVE),
    ),
    "predicted": (
        Kind("b", "smile", "Smile", _FACER, _HALF),
        Kind("b", "mouth_label", "Mouth, as labelled", _FACER, _HALF),
        Kind("b", "expression", "Expression, as the file names it", _DEEPFACE, "DeepFace's most likely class"),
        Kind("c", "eyewear", "Eyewear", _FACER, _HALF),
        Kind("c", "hat", "Hat", _FACER, _HALF),
        Kind("d", "ethnic_group", "Ethnic group, as the file names it", _DEEPFACE, "DeepFace's most likely class"),
        Kind("e", "gender", "Gender, as the file names it", _FACER, _HALF),
        Kind("e", "gender_second", "Gender by a second model", _DEEPFACE, "DeepFace's most likely class"),
    ),
    "drawn": (
        Kind("b", "smile", "Smile", _DRAWN, "a drawn smile of 0.5 or more, from -1 to 1"),
        Kind("c", "eyewear", "Eyewear", _DRAWN, "whether glasses were drawn"),
        Kind("c", "hair", "Hair", _DRAWN, "the drawn style"),
        Kind("c", "beard", "Beard", _DRAWN, "the drawn style"),
        Kind("d", "skin_tone", "Skin tone", _DRAWN, "thirds of the drawn scale from light to dark"),
    ),
    "none": (),
}
"""What each source of labels has a column for; the column `mouth` belongs to the kind `mouth_label`."""

EXPECTED = ("smile", "eyewear", "hat", "hands", "ethnic_group", "gender")
"""Kinds that the paper's issues ask for: where a source lacks one, the table says why."""

_TITLES = {
    "smile": ("b", "Smile"),
    "eyewear": ("c", "Eyewear"),
    "hat": ("c", "Hat"),
    "hands": ("c", "Hands"),
    "ethnic_group": ("d", "Ethnic group"),
    "gender": ("e", "Gender"),
}
_LACKS = {
    ("drawn", "hat"): "the embedded set draws no hats",
    ("drawn", "hands"): "the embedded set draws no hands",
    ("drawn", "ethnic_group"): "invented faces belong to no ethnic group; their drawn skin tone stands in its place",
    ("drawn", "gender"): "the embedded set keeps no such label",
    ("official", "hands"): "none of the 73 attributes marks a hand before the face",
    ("predicted", "hands"): "no model behind this file marks a hand before the face",
}


def lacking(source: str, reason: str) -> list[Kind]:
    """The expected kinds that a source has no labels for, each with the reason; `reason` is that of having none."""
    known = {kind.name for kind in LABEL_KINDS[source]}
    found = []
    for name in EXPECTED:
        if name not in known:
            issue, title = _TITLES[name]
            why = _LACKS.get((source, name), reason)
            found.append(Kind(issue, name, title, SOURCES[source], "", why))
    return found


def faces_kind(detector: str | None) -> Kind:
    """How many faces a detector saw; None: each picture was drawn with one."""
    title = "Faces in the picture"
    if detector is None:
        return Kind("a", "faces", title, _DRAWN, "every picture was drawn with one face")
    return Kind("a", "faces", title, f"detector {detector}", "faces above the detector's least score")


def pose_kinds(source: str, pitch_from: str) -> tuple[Kind, Kind]:
    """Yaw and pitch."""
    return (
        Kind("b", "yaw", "Turned to the side", source, "yaw to either side"),
        Kind("b", "pitch", "Looking up or down", source, f"pitch, {pitch_from}"),
    )


def mouth_kind(source: str | None) -> Kind:
    """The mouth by its landmarks from this source; None: as it was drawn."""
    if source is None:
        return Kind("b", "mouth", "Mouth", _DRAWN, "the drawn opening, from 0 to 1: to 0.1, to 0.35, and above")
    return Kind("b", "mouth", "Mouth", source, "mean gap between the inner lips over the distance of the eyes")


DETAIL = Kind(
    "f",
    "detail",
    "High-frequency energy kept",
    "restored image and target",
    "energy above 0.25 cycles per pixel, restored over target",
)
ALL = Kind("all", "all", "All test images", "", "")


def strength_kind(parameter: str, meaning: str, objective: str) -> Kind:
    """A drawn parameter of equation (1)."""
    title = f"{meaning}, {objective.replace('objective', 'objective ')}"
    return Kind("strength", parameter, title, "drawn for each blind image", "equal-width ranges of the drawn value")


def explained(kind: Kind, reason: str) -> Kind:
    """The kind without groups, and why."""
    return replace(kind, unavailable=reason)
