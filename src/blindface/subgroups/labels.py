"""Labels of the photographs from three kinds of sources, each brought to one column of names per kind of group.

- official: LFW's attribute scores (Kumar et al. 2009, "Attribute and Simile Classifiers for Face Verification"), 73
  real numbers per photograph from as many classifiers; a positive score means that the attribute is present.
- predicted: what newer models say, Facer's attribute shares in [0, 1] and DeepFace's classes.
- drawn: what a face of the embedded set was drawn from, and therefore exact.

The first two are predictions of classifiers, not facts about persons; groups keep the names that the file gives them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from blindface.base.errors import InputError
from blindface.photographs.archive import read_member

DRAWN_MEMBER = "embedded/attributes.csv"
NONE = "none of these"
OFFICIAL_CHOICES = {
    "mouth": ("Mouth Closed", "Mouth Slightly Open", "Mouth Wide Open"),
    "eyewear": ("No Eyewear", "Eyeglasses", "Sunglasses"),
    "forehead": ("Fully Visible Forehead", "Partially Visible Forehead", "Obstructed Forehead"),
    "ethnic_group": ("Asian", "White", "Black", "Indian"),
}
"""Of each set the attribute with the highest score counts, if that score is positive."""
OFFICIAL_FLAGS = {"smile": "Smiling", "hat": "Wearing Hat", "gender": "Male"}
PREDICTED_FLAGS = {
    "smile": "Smiling",
    "mouth": "Mouth_Slightly_Open",
    "eyewear": "Eyeglasses",
    "hat": "Wearing_Hat",
    "gender": "Male",
}
PREDICTED_CLASSES = {"expression": "df_emotion", "ethnic_group": "df_race", "gender_second": "df_gender"}


def read_official(path: Path) -> pd.DataFrame:
    """`lfw_attributes.txt`: a comment, a heading "# person imagenum Male ...", a line per photograph; tab-separated.

    Returns columns id and one of names per kind. Errors: InputError if the file is not of this form.
    """
    with open(path, encoding="utf-8-sig") as file:
        heading = next((line for line in file if line.startswith("#\t")), "").rstrip().split("\t")[1:]
        wanted = ["person", "imagenum", *_attributes_of(OFFICIAL_CHOICES.values()), *OFFICIAL_FLAGS.values()]
        _require(path, heading, wanted)
        # A copy may end its lines with a tab.
        rows = [line.rstrip().split("\t") for line in file if line.strip()]
    try:
        frame = pd.DataFrame(rows, columns=heading)
        numbers = frame[heading[2:]].astype(np.float64)
        people = frame["person"].str.strip().str.replace(" ", "_")
        ids = [f"{person}/{person}_{int(number):04d}" for person, number in zip(people, frame["imagenum"], strict=True)]
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is not LFW's list of attributes ({error}): delete it and fetch it again") from error
    labels = {name: _flag(numbers[attribute] > 0, attribute) for name, attribute in OFFICIAL_FLAGS.items()}
    labels |= {name: _highest(numbers[list(choices)]) for name, choices in OFFICIAL_CHOICES.items()}
    return _frame(path, ids, labels)


def read_predicted(path: Path) -> pd.DataFrame:
    """The CSV of predicted attributes: image, Facer's shares and DeepFace's classes (df_...); shares from 0.5 count.

    Returns columns id and one of names per kind. Errors: InputError if the file is not of this form.
    """
    try:
        frame = pd.read_csv(path, dtype={"image": str}, encoding="utf-8-sig")
        _require(path, frame.columns, ["image", *PREDICTED_FLAGS.values(), *PREDICTED_CLASSES.values()])
        shares = frame[list(PREDICTED_FLAGS.values())].astype(np.float64)
    except ValueError as error:  # pandas' own errors of parsing are ValueErrors
        raise InputError(f"{path} is not the list of predicted attributes ({error}): fetch it again") from error
    stems = frame["image"].astype(str).str.removesuffix(".jpg")
    ids = [f"{stem.rpartition('_')[0]}/{stem}" for stem in stems]
    labels = {name: _flag(shares[attribute] >= 0.5, attribute) for name, attribute in PREDICTED_FLAGS.items()}
    labels |= {name: frame[column].astype("string") for name, column in PREDICTED_CLASSES.items()}
    return _frame(path, ids, labels)


def read_drawn(archive: Path) -> pd.DataFrame:
    """What the faces of the embedded set were drawn from: names per kind, and the numbers yaw, pitch, gap of the lips.

    Errors: InputError if the archive is not that of the embedded set.
    """
    lines = list(csv.DictReader(io.StringIO(read_member(archive, DRAWN_MEMBER).decode())))
    needed = ["id", "yaw", "pitch", "glasses", "beard", "hair_style", "skin_darkness", "smile", "mouth_open"]
    frame = pd.DataFrame(lines)
    _require(archive, frame.columns, needed)
    numbers = frame[["yaw", "pitch", "skin_darkness", "smile", "mouth_open"]].astype(np.float64)
    skin = pd.cut(numbers["skin_darkness"], [-1, 1 / 3, 2 / 3, 2], labels=["light", "medium", "dark"], right=False)
    mouth = pd.cut(numbers["mouth_open"], [-1, 0.1, 0.35, 9], labels=["closed", "slightly open", "wide open"])
    labels = {
        "smile": _flag(numbers["smile"] >= 0.5, "smiling"),
        "mouth": mouth.astype("string"),
        "eyewear": _flag(frame["glasses"] == "True", "glasses", "no glasses"),
        "hair": frame["hair_style"].astype("string"),
        "beard": frame["beard"].astype("string").replace("none", "no beard"),
        "skin_tone": skin.astype("string"),
    }
    return _frame(archive, list(frame["id"]), labels).assign(yaw=numbers["yaw"], pitch=numbers["pitch"])


def _attributes_of(sets: Iterable[Sequence[str]]) -> list[str]:
    return [name for names in sets for name in names]


def _require(path: Path, found: Iterable[str], wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in set(found)]
    if missing:
        raise InputError(f"{path} has no column '{missing[0]}': it is not the registered list of attributes")


def _flag(present: pd.Series, name: str, absent: str = "") -> pd.Series:
    return pd.Series(np.where(present, name, absent or f"not {name}"), dtype="string")


def _highest(scores: pd.DataFrame) -> pd.Series:
    best = scores.idxmax(axis=1).astype("string")
    return best.where(scores.max(axis=1) > 0, NONE)


def _frame(path: Path, ids: list[str], labels: dict[str, pd.Series]) -> pd.DataFrame:
    frame = pd.DataFrame({"id": ids, **labels})
    if frame["id"].duplicated().any():
        raise InputError(f"{path} names {frame['id'][frame['id'].duplicated()].iloc[0]} twice: fetch it again")
    return frame
