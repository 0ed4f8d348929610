"""Memorisation: known answers on plain vectors."""

from __future__ import annotations

import numpy as np
import pytest

from blindface.metrics.memorisation import measure_memorisation, nearest_similarity

AXES = np.eye(4)


def test_a_model_that_gives_back_training_faces_is_found_out() -> None:
    targets = AXES[:2]
    training = AXES[2:]
    found = measure_memorisation(training, targets, training)
    np.testing.assert_allclose(found.excess, [1, 1])
    assert found.recalled.all()


def test_a_perfect_restoration_recalls_nothing_even_where_a_person_is_in_both_parts() -> None:
    targets = np.array([[1.0, 1.0, 0, 0], [0, 1.0, 0, 0]])
    found = measure_memorisation(3 * targets, targets, AXES)  # lengths do not count
    np.testing.assert_allclose(found.excess, 0, atol=1e-12)
    np.testing.assert_allclose(found.target, [np.sqrt(0.5), 1])
    np.testing.assert_allclose(found.own, 1)
    assert not found.recalled.any()


def test_the_nearest_of_many_is_that_of_the_plain_loop() -> None:
    draw = np.random.default_rng(5)
    faces, known = draw.normal(size=(1500, 8)), draw.normal(size=(40, 8))
    unit = known / np.linalg.norm(known, axis=1, keepdims=True)
    expected = [max(float(face @ other) / np.linalg.norm(face) for other in unit) for face in faces]
    np.testing.assert_allclose(nearest_similarity(faces, known), expected)
    assert len(nearest_similarity(faces[:0], known)) == 0


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"M > 0, got \(2, 4\) and \(0, 4\)"):
        nearest_similarity(AXES[:2], AXES[:0])
    with pytest.raises(ValueError, match="expected embeddings"):
        nearest_similarity(AXES, AXES[:, :3])
