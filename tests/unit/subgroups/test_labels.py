"""Labels from each kind of source, and the choice among them."""

from __future__ import annotations

import csv
import io
import tarfile
from pathlib import Path

import pandas as pd
import pytest

from blindface.base.errors import ExternalFileError, InputError
from blindface.base.files import sha256_file
from blindface.external.finder import Finder
from blindface.external.registry import Registry
from blindface.params import Params, validate
from blindface.subgroups.attributes import write_attributes
from blindface.subgroups.labels import read_drawn, read_official, read_predicted
from blindface.subgroups.stage import read_attributes

ATTRIBUTES = ["Male", "Asian", "White", "Black", "Indian", "Mouth Closed", "Mouth Slightly Open", "Mouth Wide Open"]
ATTRIBUTES += ["No Eyewear", "Eyeglasses", "Sunglasses", "Fully Visible Forehead", "Partially Visible Forehead"]
ATTRIBUTES += ["Obstructed Forehead", "Smiling", "Wearing Hat"]
PREDICTED = "image,Male,Smiling,Eyeglasses,Wearing_Hat,Mouth_Slightly_Open,df_race,df_gender,df_emotion\n"


def official(path: Path, *rows: tuple[str, int, dict[str, float]], end: str = "\n") -> Path:
    """A file as LFW's: comment, heading, one line per photograph; scores that are not given are -1."""
    lines = ["#LFW Attributes", "\t".join(["#", "person", "imagenum", *ATTRIBUTES])]
    for person, number, scores in rows:
        lines.append("\t".join([person, str(number), *(str(scores.get(name, -1.0)) for name in ATTRIBUTES)]))
    path.write_text("".join(line + end for line in lines))
    return path


def predicted(path: Path) -> Path:
    path.write_text(
        PREDICTED
        + "Ann_Other_0001.jpg,0.499,0.9,0.5,0.0,0.1,white,Man,happy\n"
        + "Bo_0012.jpg,0.5,0.2,0.1,0.7,0.8,latino hispanic,Man,sad\n"
    )
    return path


@pytest.mark.parametrize("end", ["\n", "\t\r\n"])
def test_official_scores_become_names_by_sign_and_by_the_highest(tmp_path, end):
    first = {"Male": 1.5, "White": 0.2, "Asian": 0.9, "Eyeglasses": 2.0, "Sunglasses": 1.0, "Mouth Closed": 0.1}
    path = official(
        tmp_path / "a.txt", ("Ann Maria Other", 1, first), ("Bo", 12, {"Male": 0.0, "Smiling": 0.1}), end=end
    )
    frame = read_official(path).set_index("id")
    assert list(frame.index) == ["Ann_Maria_Other/Ann_Maria_Other_0001", "Bo/Bo_0012"]
    assert list(frame["gender"]) == ["Male", "not Male"]
    assert list(frame["ethnic_group"]) == ["Asian", "none of these"]
    assert list(frame["eyewear"]) == ["Eyeglasses", "none of these"]
    assert list(frame["smile"]) == ["not Smiling", "Smiling"]


def test_a_broken_official_file_is_refused_with_a_remedy(tmp_path):
    path = official(tmp_path / "a.txt", ("Ann", 1, {}))
    path.write_text(path.read_text().replace("-1.0", "many", 1))
    with pytest.raises(InputError, match=r"a\.txt is not LFW's list of attributes .*fetch it again"):
        read_official(path)
    path.write_text("<html>moved</html>\n")
    with pytest.raises(InputError, match="has no column 'person'"):
        read_official(path)


def test_predicted_shares_count_from_a_half_and_classes_keep_their_names(tmp_path):
    frame = read_predicted(predicted(tmp_path / "p.csv")).set_index("id")
    assert list(frame.index) == ["Ann_Other/Ann_Other_0001", "Bo/Bo_0012"]
    assert list(frame["gender"]) == ["not Male", "Male"]
    assert list(frame["eyewear"]) == ["Eyeglasses", "not Eyeglasses"]
    assert list(frame["ethnic_group"]) == ["white", "latino hispanic"]
    assert list(frame["gender_second"]) == ["Man", "Man"]


def test_a_photograph_twice_is_refused(tmp_path):
    path = predicted(tmp_path / "p.csv")
    path.write_text(path.read_text() + "Bo_0012.jpg,0.5,0.2,0.1,0.7,0.8,white,Man,sad\n")
    with pytest.raises(InputError, match="Bo/Bo_0012 twice"):
        read_predicted(path)


@pytest.mark.mirror
def test_the_mirrors_file_labels_photographs_of_lfw(mirror):
    frame = read_predicted(mirror / "lfw" / "lfw-predicted-attributes.csv")
    names = {line.split("\t")[0] for line in (mirror / "lfw" / "lfw-names.txt").read_text().splitlines()}
    assert len(frame) == 12_949  # the mirror's README
    assert {name.partition("/")[0] for name in frame["id"]} <= names
    assert frame.notna().all().all()


def embedded(path: Path) -> list[dict[str, str]]:
    """An archive that holds nothing but a list of what was drawn, in the embedded set's form."""
    row = {"id": "P/P_0001", "yaw": "12.5", "pitch": "-3.0", "glasses": "True", "beard": "none", "hair_style": "bob"}
    row |= {"skin_darkness": "0.2", "smile": "0.75", "mouth_open": "0.05"}
    other = row | {"id": "P/P_0002", "glasses": "False", "beard": "full", "skin_darkness": "0.9", "mouth_open": "0.4"}
    text = io.StringIO()
    writer = csv.DictWriter(text, row)
    writer.writeheader()
    writer.writerows([row, other])
    with tarfile.open(path, "w") as tar:
        entry = tarfile.TarInfo("embedded/attributes.csv")
        entry.size = len(text.getvalue())
        tar.addfile(entry, io.BytesIO(text.getvalue().encode()))
    return [row, other]


def test_what_was_drawn_is_known_exactly(tmp_path):
    embedded(tmp_path / "e.tar")
    frame = read_drawn(tmp_path / "e.tar").set_index("id")
    assert frame.loc["P/P_0001", ["eyewear", "beard", "hair", "skin_tone", "smile", "mouth"]].tolist() == [
        "glasses",
        "no beard",
        "bob",
        "light",
        "smiling",
        "closed",
    ]
    assert frame.loc["P/P_0002", ["eyewear", "beard", "skin_tone", "mouth"]].tolist() == [
        "no glasses",
        "full",
        "dark",
        "wide open",
    ]
    assert frame.loc["P/P_0001", "yaw"] == 12.5


def test_the_renderers_own_list_is_read(tmp_path):
    from blindface.params import EmbeddedParams
    from blindface.rendered import write_archive
    from blindface.rendered.traits import draw_person, draw_shot

    write_archive(tmp_path / "e.tar", EmbeddedParams(seed=5, identities=2, photographs=1))
    frame = read_drawn(tmp_path / "e.tar")
    people = [draw_person(5, identity) for identity in (1, 2)]
    shots = [draw_shot(5, identity, 1, person) for identity, person in enumerate(people, 1)]
    assert [label == "glasses" for label in frame["eyewear"]] == [shot.glasses for shot in shots]
    assert list(frame["hair"]) == [person.hair_style for person in people]
    assert list(frame["yaw"]) == pytest.approx([shot.yaw for shot in shots], abs=1e-3)


def finder(tmp_path: Path, **files: Path) -> Finder:
    """A finder without network whose mirror holds the given files of the two registered lists."""
    form = {"file": "lfw/{}.txt", "sha256": "0" * 64, "note": "a stand-in"}
    mirror = tmp_path / "mirror"
    mirror.mkdir(exist_ok=True)
    entries = {}
    for name in ("attributes", "predicted_attributes"):
        entry = form | {"file": f"lfw/{name}.txt"}
        if name in files:
            (mirror / f"{name}.txt").write_bytes(files[name].read_bytes())
            entry["sha256"] = sha256_file(files[name])
        entries[name] = {"purpose": "labels", "licence": "none", "forms": [entry]}
    return Finder(mirror, tmp_path / "cache", Registry.model_validate({"files": entries}), network=False)


def choose(tmp_path: Path, source: str, wanted: str = "auto", missing: str = "error", **files: Path):
    fetch = {"source": source, "missing": missing} | ({"folder": "x"} if source == "folder" else {})
    params: Params = validate({"fetch": fetch, "subgroups": {"attributes": wanted}})
    output = tmp_path / "attributes.parquet"
    embedded(tmp_path / "archive.tar")
    write_attributes(params, tmp_path / "archive.tar", output, finder(tmp_path, **files))
    return read_attributes(output)


def test_auto_takes_the_official_scores_before_the_predicted_ones(tmp_path):
    files = {
        "attributes": official(tmp_path / "a.txt", ("Ann", 1, {})),
        "predicted_attributes": predicted(tmp_path / "p"),
    }
    assert choose(tmp_path, "lfw", **files)[0] == "official"
    assert choose(tmp_path, "lfw", "predicted", **files)[0] == "predicted"


def test_auto_takes_the_predicted_ones_where_the_official_cannot_be_had(tmp_path):
    source, reason, labels = choose(tmp_path, "lfw-150", predicted_attributes=predicted(tmp_path / "p"))
    assert (source, reason) == ("predicted", "")
    assert labels.loc["Bo/Bo_0012", "hat"] == "Wearing_Hat"


def test_without_any_file_there_are_no_labels_and_a_reason(tmp_path):
    source, reason, labels = choose(tmp_path, "lfw")
    assert source == "none"
    assert "attributes (labels) cannot be had" in reason
    assert "predicted_attributes (labels) cannot be had" in reason
    assert labels.empty


def test_a_source_that_was_asked_for_and_is_missing_is_an_error_or_a_reason(tmp_path):
    with pytest.raises(ExternalFileError, match="set BLINDFACE_MIRROR"):
        choose(tmp_path, "lfw", "official")
    source, reason, _ = choose(tmp_path, "lfw", "official", missing="skip")
    assert source == "none"
    assert "cannot be had" in reason


@pytest.mark.parametrize(
    ("source", "wanted", "named", "why"),
    [
        ("embedded", "auto", "drawn", ""),
        ("embedded", "none", "none", "subgroups.attributes is 'none'"),
        ("embedded", "official", "none", "the photographs are of the source 'embedded'"),
        ("folder", "auto", "none", "the photographs are of the source 'folder'"),
    ],
)
def test_the_rendered_set_has_its_own_labels_and_a_folder_none(tmp_path, source, wanted, named, why):
    found, reason, labels = choose(tmp_path, source, wanted)
    assert found == named
    assert why in reason
    assert isinstance(labels, pd.DataFrame)
