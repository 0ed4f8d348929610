"""Coordinates, heatmaps and head pose: everything with a known answer."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from blindface.base.images import resize
from blindface.landmarks.geometry import (
    MIRRORED,
    five_points,
    from_crops,
    photograph_to_target,
    scale_points,
    square_crops,
    to_crops,
)
from blindface.landmarks.heatmaps import near, peaks
from blindface.landmarks.pose import expected_points, head_poses, mean_shape


def rotation_matrix(yaw: float, pitch: float) -> np.ndarray:
    """The rotation (3, 3) of the mean shape for a yaw and a pitch in degrees, as `head_pose` reports them."""
    turn, rise = np.radians(yaw), np.radians(pitch)
    about_y = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(rise), np.sin(rise)], [0, -np.sin(rise), np.cos(rise)]])
    return np.asarray(about_y @ about_x)


def spot(width: int, height: int, x: float, y: float, spread: float = 4.0) -> np.ndarray:
    """A picture with a soft bright spot whose centre of mass is (x, y)."""
    rows, columns = np.mgrid[:height, :width]
    bell = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2))
    return np.repeat((bell * 250).astype(np.uint8)[..., None], 3, axis=2)


def centre_of_mass(picture: np.ndarray) -> np.ndarray:
    weights = picture[..., 0].astype(np.float64)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return np.array([(columns * weights).sum(), (rows * weights).sum()]) / weights.sum()


@pytest.mark.parametrize(("side", "size"), [(250, 128), (150, 128), (128, 64), (200, 128)])
def test_scaled_point_is_where_area_resize_puts_it(side: int, size: int) -> None:
    small = resize(spot(side, side, 90.3, 61.8), size, "area")
    assert centre_of_mass(small) == pytest.approx(scale_points(np.array([90.3, 61.8]), size / side), abs=0.05)


def test_photograph_point_follows_crop_and_resize() -> None:
    photograph = spot(300, 220, 170.2, 101.6)
    target = resize(np.ascontiguousarray(photograph[10:210, 45:245]), 128, "area")
    points = np.full((1, 68, 2), (170.2, 101.6))
    found = photograph_to_target(points, np.array([[45, 10, 200]]), 128)
    assert found[0, 5] == pytest.approx(centre_of_mass(target), abs=0.05)


def test_point_in_a_square_crop_leads_back_to_the_picture() -> None:
    picture = spot(128, 128, 70.4, 50.9, spread=3)
    crops, corners, factors = square_crops(picture[None], np.array([[50, 30, 90, 81]]), 0.2, 64)
    inside = np.repeat(centre_of_mass(crops[0])[None, None], 68, axis=1)
    back = from_crops(inside, corners, factors)
    assert back[0, 0] == pytest.approx((70.4, 50.9), abs=0.05)
    assert to_crops(back, corners, factors) == pytest.approx(inside, abs=1e-3)


def test_margin_widens_the_crop_by_that_share_of_the_longer_side_on_each_side() -> None:
    _, corners, factors = square_crops(np.zeros((1, 128, 128, 3), np.uint8), np.array([[40, 30, 80, 80]]), 0.25, 64)
    assert factors[0, 0, 0] * 64 == pytest.approx(50 * 1.5)
    assert corners[0, 0] == pytest.approx((60 - 37.5, 55 - 37.5))


def test_crop_beyond_the_border_and_of_an_empty_box_is_made() -> None:
    crops, *_ = square_crops(
        np.full((2, 128, 128, 3), 9, np.uint8), np.array([[-60, -60, 10, 10], [5, 5, 5, 5]]), 1, 64
    )
    assert (crops == 9).all()


def test_mirroring_twice_changes_nothing_and_swaps_the_eyes() -> None:
    assert [MIRRORED[place] for place in MIRRORED] == list(range(68))
    assert MIRRORED[36] == 45
    assert MIRRORED[48] == 54


def gaussians(centres: np.ndarray, size: int = 64, spread: float = 1.5) -> torch.Tensor:
    grid = np.arange(size)
    x = np.exp(-((grid - centres[..., 0:1]) ** 2) / (2 * spread**2))
    y = np.exp(-((grid - centres[..., 1:2]) ** 2) / (2 * spread**2))
    return torch.from_numpy((y[..., :, None] * x[..., None, :]).astype(np.float32))


def test_peak_of_a_gaussian_is_found_between_the_pixels() -> None:
    centres = np.random.default_rng(3).uniform(3, 60, (4, 68, 2))
    points, heights = peaks(gaussians(centres))
    assert points == pytest.approx(centres, abs=2e-3)
    assert heights.min() > 0.8


def test_peak_at_the_border_or_of_an_empty_heatmap_stays_on_the_grid() -> None:
    maps = torch.zeros(1, 3, 64, 64)
    maps[0, 0, 0, 63] = 1.0
    maps[0, 1] = -1.0
    points, _ = peaks(maps)
    assert points[0, 0].tolist() == [63, 0]
    assert np.isfinite(points).all()


def test_a_higher_peak_far_from_the_expected_place_is_passed_over() -> None:
    places = np.array([[[20.0, 22.0]]])
    maps = gaussians(places) + 2 * gaussians(np.array([[[50.0, 40.0]]]))
    assert peaks(maps)[0][0, 0] == pytest.approx((50, 40), abs=0.1)
    assert peaks(near(maps, places + 1, np.array([4.0])))[0][0, 0] == pytest.approx((20, 22), abs=0.3)


def test_without_an_expected_place_heatmaps_stay_as_they_are() -> None:
    maps = gaussians(np.array([[[20.0, 22.0]]]))
    assert torch.equal(near(maps, np.full((1, 1, 2), np.nan), np.array([np.nan])), maps)


def posed(yaw: float, pitch: float, size: int = 128) -> np.ndarray:
    """The mean shape as a camera a metre away sees it."""
    space = mean_shape() @ rotation_matrix(yaw, pitch).T + (0, 0, 1000)
    return space[:, :2] / space[:, 2:] * 4 * size + (size - 1) / 2


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (35, 0), (-35, 0), (0, 20), (0, -20), (-50, 12)])
def test_head_pose_is_found_again(yaw: float, pitch: float) -> None:
    assert head_poses(posed(yaw, pitch)[None], 128)[0] == pytest.approx((yaw, pitch), abs=0.1)


def test_a_face_turned_to_the_right_has_its_nose_right_of_the_eyes() -> None:
    points = posed(30, 0)
    assert points[30, 0] > points[36:48, 0].mean()
    assert posed(0, 20)[30, 1] < posed(0, 0)[30, 1]


def test_pose_survives_points_that_are_no_face() -> None:
    faces = np.stack([np.full((68, 2), np.nan), np.full((68, 2), 5.0), np.zeros((68, 2))])
    assert np.isnan(head_poses(faces, 128)[0]).all()


def test_expected_points_of_a_turned_face_come_from_its_five_points() -> None:
    points = posed(25, -8)
    expected = expected_points(five_points(np.stack([points, points * np.nan])), 128)
    # the mean of six projected lid points is not the projection of their mean, hence some hundredths of a pixel
    assert expected[0] == pytest.approx(points, abs=0.5)
    assert np.isnan(expected[1]).all()


def test_expected_points_of_a_whole_face_do_not_follow_a_wrong_outline() -> None:
    points = posed(25, -8)
    wrong = points.copy()
    wrong[:17] += 20
    assert expected_points(wrong[None], 128)[0] == pytest.approx(points, abs=0.01)


def test_mean_shape_is_complete_and_symmetric() -> None:
    shape = mean_shape()
    assert np.isfinite(shape).all()
    assert shape[list(MIRRORED)] * (-1, 1, 1) == pytest.approx(shape)
    eyes = five_points(shape[None, :, :2])[0, :2]
    assert np.linalg.norm(eyes[1] - eyes[0]) == pytest.approx(63, abs=1)  # adults' mean, as the module says


def test_opencv_reads_the_matrix_of_rotation_as_we_do() -> None:
    turned = cv2.Rodrigues(cv2.Rodrigues(rotation_matrix(30, 10))[0])[0]
    assert turned == pytest.approx(rotation_matrix(30, 10))
