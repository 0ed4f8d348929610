"""The rendered faces: equal for equal arguments, different otherwise, and true to their landmarks."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from blindface.rendered import Rendered, person_name, render_photograph
from blindface.rendered.anatomy import express, mean_face, shape_face
from blindface.rendered.chart import HALF, TEXELS, canonical_direction, chart, place_of, texels
from blindface.rendered.render import render
from blindface.rendered.traits import SHAPES, draw_person, draw_shot

SEED = 2024
CALM = {"smile": 0.0, "open": 0.0, "raise": 0.0, "frown": 0.0, "squint": 0.0, "raise_side": 0.0}


@cache
def rendered(identity: int, photograph: int = 1) -> Rendered:
    return render_photograph(identity, photograph, SEED)


@cache
def posed(identity: int, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, **changes: object) -> Rendered:
    """A sharp picture under light from the front, without glasses, in a given pose."""
    person = replace(draw_person(SEED, identity), glasses="none", beard="none", age=0.3, hair_style="short")
    light = np.array([0.0, -0.3, 0.954], np.float32)
    shot = replace(
        draw_shot(SEED, identity, 1, person), yaw=yaw, pitch=pitch, roll=roll, glasses=False,
        expression=dict(CALM, **changes), light=light, key=np.full(3, 0.8, np.float32),
        fill=np.full(3, 0.4, np.float32), exposure=1.0, softness=0.3, noise=0.0, gaze=(0.0, 0.0),
    )  # fmt: skip
    return render(person, shot, SEED)


def inside(points: np.ndarray, size: int = 250, shrink: int = 0) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_8, 4)
    return (cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=shrink) if shrink else mask) > 0


def brightness(picture: Rendered, mask: np.ndarray) -> float:
    return float(picture.image[mask].mean())


def disc(centre: np.ndarray, radius: float) -> np.ndarray:
    y, x = np.mgrid[0:250, 0:250]
    return np.hypot(x - centre[0], y - centre[1]) <= radius


def test_equal_arguments_give_equal_bytes() -> None:
    again = render_photograph(3, 2, SEED)
    first = render_photograph(3, 2, SEED)
    assert first.image.tobytes() == again.image.tobytes()
    assert first.landmarks.tobytes() == again.landmarks.tobytes()
    assert first.attributes == again.attributes


def test_a_picture_does_not_depend_on_what_was_rendered_before() -> None:
    alone = render_photograph(4, 1, SEED).image
    render_photograph(11, 3, SEED + 1)
    assert np.array_equal(render_photograph(4, 1, SEED).image, alone)


def test_image_and_landmarks_have_the_promised_form() -> None:
    picture = rendered(1)
    assert picture.image.shape == (250, 250, 3)
    assert picture.image.dtype == np.uint8
    assert picture.landmarks.shape == (68, 2)
    assert picture.landmarks.dtype == np.float64
    assert {"yaw", "pitch", "roll", "glasses", "smile"} <= picture.attributes.keys()


def test_every_other_number_gives_another_picture() -> None:
    base = rendered(5).image.astype(float)
    for other in (rendered(6), rendered(5, 2), render_photograph(5, 1, SEED + 1)):
        assert np.abs(base - other.image).mean() > 8


def test_faces_differ_from_each_other() -> None:
    small = [cv2.resize(rendered(i).image, (32, 32), interpolation=cv2.INTER_AREA).astype(float) for i in range(1, 13)]
    differences = [np.abs(a - b).mean() for i, a in enumerate(small) for b in small[:i]]
    assert min(differences) > 8
    assert np.median(differences) > 25


def test_a_person_keeps_the_own_traits_in_every_photograph() -> None:
    keep = ("hair_style", "hair_colour", "eye_colour", "skin_darkness", "age", "beard")
    first, second = rendered(7, 1).attributes, rendered(7, 2).attributes
    assert {k: first[k] for k in keep} == {k: second[k] for k in keep}
    assert first["yaw"] != second["yaw"]


@pytest.mark.parametrize("identity", range(1, 11))
def test_landmarks_lie_inside_the_frame_in_anatomical_order(identity: int) -> None:
    picture = rendered(identity)
    p = picture.landmarks
    assert p.min() > 0
    assert p.max() < 249
    roll = np.radians(picture.attributes["roll"])
    turned = p @ np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    brows, left, right, mouth = turned[17:27], turned[36:42], turned[42:48], turned[48:60]
    nose, chin = turned[30:36], turned[8]
    assert left[:, 0].mean() < nose[:, 0].mean() < right[:, 0].mean()
    assert brows[:, 1].mean() < left[:, 1].mean() < nose[:, 1].mean() < mouth[:, 1].mean() < chin[1]
    assert np.all(np.diff(turned[:9, 1]) > 0)
    assert np.all(np.diff(turned[8:17, 1]) < 0)
    assert turned[0, 0] < left[:, 0].min()
    assert turned[16, 0] > right[:, 0].max()
    assert np.all(np.diff(turned[60:65, 0]) > 0)


def test_faces_stand_in_the_frame_as_in_lfw() -> None:
    # In LFW's 250x250 frames the pupils are about 41 pixels apart and the eyes stand at row 111 (lfw_landmark5.txt).
    points = np.stack([rendered(i).landmarks for i in range(1, 21)])
    left, right = points[:, 36:42].mean(1), points[:, 42:48].mean(1)
    apart = np.hypot(*(right - left).T)
    assert 37 < np.median(apart) < 45
    assert 105 < np.median((left + right)[:, 1] / 2) < 118
    assert 118 < np.median((left + right)[:, 0] / 2) < 132


@pytest.mark.parametrize("yaw", [-35.0, 0.0, 35.0])
def test_the_iris_is_darker_than_the_white_of_the_eye(yaw: float) -> None:
    picture = posed(13, yaw)
    for part in (slice(36, 42), slice(42, 48)):
        eye = picture.landmarks[part]
        near = eye[[1, 2, 4, 5]].mean(0)
        corners = eye[0] + 0.17 * (eye[3] - eye[0]), eye[3] + 0.17 * (eye[0] - eye[3])
        white = max(brightness(picture, disc(corner, 1.2)) for corner in corners)
        iris = np.percentile(picture.image[disc(near, 2.5)].mean(-1), 30)  # the glint left out
        assert iris < 0.6 * white


def redness(picture: Rendered, mask: np.ndarray) -> float:
    colour = picture.image[mask].astype(float).mean(0)
    return float(colour[0] / colour[1])


@pytest.mark.parametrize("yaw", [-30.0, 0.0, 30.0])
def test_lips_are_redder_than_the_skin_around_them(yaw: float) -> None:
    picture = posed(13, yaw)
    outer, centre = picture.landmarks[48:60], picture.landmarks[48:60].mean(0)
    lips = inside(outer, shrink=1)
    ring = inside(centre + 1.5 * (outer - centre)) & ~inside(centre + 1.25 * (outer - centre))
    assert redness(picture, lips) > 1.08 * redness(picture, ring)


def test_an_open_mouth_is_dark_between_its_inner_landmarks() -> None:
    shut, opened = posed(6), posed(6, open=0.7)
    assert opened.landmarks[66, 1] - opened.landmarks[62, 1] > 8
    assert shut.landmarks[66, 1] - shut.landmarks[62, 1] < 1.5
    cavity = opened.image[inside(opened.landmarks[60:68])].mean(-1)
    skin = brightness(opened, disc(opened.landmarks[8] - [0, 8], 3))
    assert np.percentile(cavity, 10) < 0.65 * skin


def test_brows_are_darker_than_the_forehead_above_them() -> None:
    picture = posed(13)
    for brow in (picture.landmarks[18:21], picture.landmarks[23:26]):
        for point in brow:
            assert brightness(picture, disc(point + np.array([0, 0.8]), 1.2)) < 0.85 * brightness(
                picture, disc(point - [0, 9], 2)
            )


@pytest.mark.parametrize("yaw", [-35.0, -15.0, 15.0, 35.0])
def test_the_far_jaw_lies_on_the_visible_edge_of_the_face(yaw: float) -> None:
    # Light skin before a dark background: at the far cheek's landmarks the picture's rows change most.
    light_skin = np.array([0.55, 0.40, 0.33], np.float32)
    person = replace(draw_person(SEED, 13), glasses="none", beard="none", hair_style="bald", age=0.2, skin=light_skin)
    shot = replace(draw_shot(SEED, 13, 1, person), yaw=yaw, pitch=0.0, roll=0.0, glasses=False, expression=CALM)
    ahead = np.array([0.0, 0.0, 1.0], np.float32)
    picture = render(person, replace(shot, softness=0.3, noise=0.0, light=ahead, background="gradient"), SEED)
    for x, y in picture.landmarks[[11, 12, 13] if yaw > 0 else [3, 4, 5]]:
        slope = np.abs(np.gradient(picture.image[round(y)].astype(float).sum(-1)))
        window = np.arange(round(x) - 8, round(x) + 9)
        assert abs(window[np.argmax(slope[window])] - x) <= 2


def test_poses_move_the_landmarks_the_documented_way() -> None:
    front, right, up, tilted = posed(13), posed(13, 30.0), posed(13, 0.0, 15.0), posed(13, 0.0, 0.0, 12.0)

    def nose_shift(picture: Rendered) -> np.ndarray:
        return picture.landmarks[30] - picture.landmarks[[36, 45, 48, 54]].mean(0)

    assert nose_shift(right)[0] > nose_shift(front)[0] + 8
    assert nose_shift(up)[1] < nose_shift(front)[1] - 4
    eyes = tilted.landmarks[42:48].mean(0) - tilted.landmarks[36:42].mean(0)
    assert np.degrees(np.arctan2(eyes[1], eyes[0])) == pytest.approx(12.0, abs=3.0)


def test_size_scales_picture_and_landmarks() -> None:
    small, large = render_photograph(2, 1, SEED, 128), render_photograph(2, 1, SEED, 250)
    assert small.image.shape == (128, 128, 3)
    scaled = (large.landmarks + 0.5) * (128 / 250) - 0.5
    assert np.allclose(small.landmarks, scaled, atol=1e-3)
    reduced = cv2.resize(large.image, (128, 128), interpolation=cv2.INTER_AREA).astype(float)
    rows = slice(60, 90)  # the face: backgrounds are patterned per size
    assert np.abs(reduced[rows, 45:85] - small.image[rows, 45:85]).mean() < 12


def test_a_size_out_of_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match=r"64\.\.2048"):
        render_photograph(1, 1, SEED, 32)


def test_mean_face_is_symmetrical_and_in_order() -> None:
    face = mean_face()
    assert face.shape == (68, 2)
    mirror = [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1)]
    mirror += [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40, *range(54, 47, -1), 59, 58, 57, 56, 55]
    mirror += [64, 63, 62, 61, 60, 67, 66, 65]
    assert np.allclose(face[mirror] * [-1, 1], face)


def test_expressions_do_what_their_names_say() -> None:
    face = shape_face(dict.fromkeys(SHAPES, 0.0))
    calm, smile = express(face, CALM), express(face, dict(CALM, smile=1.0))
    assert np.allclose(calm, mean_face())
    assert smile[54, 0] - smile[48, 0] > calm[54, 0] - calm[48, 0]
    assert smile[48, 1] < calm[48, 1]
    opened, raised, squint = (express(face, {**CALM, k: 1.0}) for k in ("open", "raise", "squint"))
    assert opened[66, 1] - opened[62, 1] > 0.1
    assert opened[8, 1] > calm[8, 1]
    assert raised[19, 1] < calm[19, 1] - 0.04
    assert squint[41, 1] - squint[37, 1] < calm[41, 1] - calm[37, 1]


def test_chart_and_canonical_places_agree() -> None:
    points = np.array([[0.0, 0.0], [0.3, -0.2], [-0.5, 0.4], [0.1, 0.9]])
    place = texels(points)
    direction = canonical_direction(points)
    across, down = place_of([direction[:, i].astype(np.float32) for i in range(3)], np.ones(4, np.float32))
    assert np.allclose(np.column_stack([across, down]), place, atol=0.02)
    grid = chart().direction
    column, row = 250, 140
    unit = HALF * 2 / (TEXELS - 1)
    s = np.array([column, row]) * unit - HALF
    assert np.allclose(grid[row, column, :2] / np.sqrt(1 + grid[row, column, 2]), s, atol=1e-3)


@pytest.mark.mirror
def test_a_face_detector_finds_the_faces_and_their_eyes(mirror: Path) -> None:
    model = str(mirror / "weights" / "yunet_s_640_640.onnx")
    detector = cv2.FaceDetectorYN.create(model, "", (250, 250), 0.6)
    found, distances = 0, []
    for identity in range(1, 21):
        picture = rendered(identity)
        _, faces = detector.detect(np.ascontiguousarray(picture.image[..., ::-1]))
        if faces is None or len(faces) != 1:
            continue
        found += 1
        eyes = np.stack([picture.landmarks[36:42].mean(0), picture.landmarks[42:48].mean(0)])
        shown = faces[0, 4:8].reshape(2, 2)
        distances.append(np.linalg.norm(eyes - shown, axis=1).mean() / np.linalg.norm(eyes[1] - eyes[0]))
    assert found >= 19
    assert np.median(distances) < 0.15  # the detector's own five points are this coarse: 0.10 was measured


def test_names_are_in_the_manner_of_lfw() -> None:
    assert person_name(7) == "Rendered_Person_007"
