"""Memorisation of restored faces: which faces count, and what is written, with a network of known answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blindface.base.errors import InputError
from blindface.base.files import read_json, write_text
from blindface.base.images import Image
from blindface.evaluation import faces
from blindface.evaluation.memorisation import evaluate_memorisation
from blindface.external.weights import Weights
from tests.unit.evaluation.test_stage import NOTHING, PARAMS, _landmarks, _manifest, _pack


class Colours:
    """An embedding of the mean colour: pictures of one colour are the same face."""

    def __init__(self, path: Path, workers: int | None = None, device: Any = None) -> None:
        pass

    def embed(self, images: Image, points_128: Any, found: Any) -> Any:
        return images.mean(axis=(1, 2)).astype(np.float32)


def plain(*colours: tuple[int, int, int]) -> Image:
    return np.stack([np.full((128, 128, 3), colour, np.uint8) for colour in colours])


RED, GREEN, BLUE, YELLOW = (200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Targets: red and green to train on, blue and yellow to test, and a training face that was not found."""
    monkeypatch.setattr(faces, "FaceEmbedder", Colours)
    ids = ["a/1", "a/2", "b/1", "b/2", "c/1"]
    write_text(tmp_path / "split.csv", "id,part\na/1,train\na/2,train\nb/1,test\nb/2,test\nc/1,train\n")
    (tmp_path / "mobile").write_bytes(b"x")
    return {
        "targets": _pack(tmp_path / "targets", "target", ids, plain(RED, GREEN, BLUE, YELLOW, BLUE)),
        "split": tmp_path / "split.csv",
        "landmarks": _landmarks(tmp_path / "landmarks", ids, [True, True, True, True, False]),
        "weights": _manifest(tmp_path, {"mobilefacenet": tmp_path / "mobile"}),
        "output": tmp_path / "memorisation.json",
    }


def measured(files: dict[str, Any], *colours: tuple[int, int, int], weights: Weights | None = None) -> dict[str, Any]:
    restored = _pack(files["output"].with_name("restored"), "image", ["b/1", "b/2"], plain(*colours))
    given = files | ({"weights": weights} if weights else {})
    content = evaluate_memorisation({"gan1": restored}, params=PARAMS, **given)
    assert read_json(files["output"]) == content
    return content


def test_training_faces_that_are_given_back_are_counted(files: dict[str, Any]) -> None:
    found = measured(files, RED, YELLOW)["methods"]["gan1"]
    # blue has nothing of red and green; yellow is as near to both: cos 45 degrees
    nearest = [found["restored"], found["target"]]
    assert nearest == pytest.approx([(1 + 0.5**0.5) / 2, 0.5**0.5 / 2], abs=1e-6)
    assert (found["excess"], found["recalled"], found["faces"]) == (pytest.approx(0.5), 0.5, 2)


def test_what_is_restored_right_recalls_nothing(files: dict[str, Any]) -> None:
    content = measured(files, BLUE, YELLOW)
    assert content["training"] == 2  # the blue training face was not found
    assert (content["methods"]["gan1"]["excess"], content["methods"]["gan1"]["recalled"]) == (0, 0)
    assert content["methods"]["gan1"]["own"] == 1


def test_without_the_network_the_reason_is_written(files: dict[str, Any]) -> None:
    content = measured(files, BLUE, YELLOW, weights=NOTHING)
    assert content["methods"] == {}
    assert "mobilefacenet" in content["unavailable"]


def test_a_training_part_without_a_face_is_named(files: dict[str, Any]) -> None:
    write_text(files["split"], "id,part\nc/1,train\nb/1,test\nb/2,test\n")
    with pytest.raises(InputError, match="no face was found in the training part"):
        measured(files, BLUE, YELLOW)
