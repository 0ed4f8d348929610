"""Where the rays of the camera meet the head: orthographic view of a surface given by its radius in every direction."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from blindface.embedded.chart import Array, Points, canonical_direction, chart, sample, texels, to_chart
from blindface.embedded.traits import Shot

_RELAXATION = np.float32(0.72)


@dataclass(frozen=True)
class View:
    """The camera: rotation from head to camera (right, down, to the viewer), pixels per unit, place of the head's centre."""

    rotation: NDArray[np.float64]
    scale: float
    origin: tuple[float, float]

    def project(self, points: Points) -> Points:
        """Head coordinates (N, 3) -> pixels and depth in units (N, 3)."""
        turned = points @ self.rotation.T
        return np.column_stack([turned[:, :2] * self.scale + self.origin, turned[:, 2]])

    def resized(self, factor: float) -> View:
        """The same view of a picture `factor` times as large, pixel centres at integers in both."""
        x, y = ((c + 0.5) * factor - 0.5 for c in self.origin)
        return View(self.rotation, self.scale * factor, (x, y))


def rotation(shot: Shot) -> NDArray[np.float64]:
    """Head to camera for the shot's yaw, pitch and roll."""
    yaw, pitch, roll = np.radians([shot.yaw, shot.pitch, shot.roll])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y)


def surface_points(radius: Array, face: Points) -> Points:
    """Canonical (N, 2) -> head coordinates (N, 3) on the surface."""
    reach = sample(radius, texels(face)[None].astype(np.float32))[0]
    return np.asarray(canonical_direction(face) * reach[:, None])


def project_landmarks(radius: Array, face: Points, view: View) -> Points:
    """Pixels (68, 2) of the landmarks; jaw points that turn out of sight slide to the visible contour of the cheek."""
    result = view.project(surface_points(radius, face))[:, :2]
    level = np.array([view.rotation[1, 1], -view.rotation[0, 1]])  # the picture's direction across the head
    level /= np.linalg.norm(level)
    for index in [*range(0, 7), *range(10, 17)]:
        inward = np.linspace(1.0, 0.45, 45)
        path = np.column_stack([face[index, 0] * inward, np.full(45, face[index, 1])])
        place = view.project(surface_points(radius, path))[:, :2]
        outward = place @ level * np.sign(face[index, 0])
        result[index] = place[np.argmax(outward)]
    return result


@dataclass(frozen=True)
class Hit:
    """What each pixel of a window of the picture sees of the head."""

    rows: slice
    columns: slice
    place: Array  # texel coordinates (H, W, 2)
    depth: Array  # towards the viewer, units (H, W); where nothing is hit: -inf
    seen: NDArray[np.bool_]


def _bounds(radius: Array, view: View, size: int) -> tuple[slice, slice, float]:
    points = (chart().direction[::6, ::6] * radius[::6, ::6, None]).reshape(-1, 3)
    place = view.project(points.astype(np.float64))
    low = np.clip(np.floor(place[:, :2].min(0)) - 3, 0, size - 4).astype(int) // 2 * 2
    high = np.clip(np.ceil(place[:, :2].max(0)) + 4, low + 4, size).astype(int)
    high -= (high - low) % 2
    return slice(low[1], high[1]), slice(low[0], high[0]), float(place[:, 2].max()) + 0.02


def _march(radius: Array, view: View, x: Array, y: Array, depth: Array, steps: int) -> tuple[Array, Array, Array]:
    """Advance the rays; returns depth, distance left to the surface, texel coordinates."""
    m = view.rotation.astype(np.float32)
    flat = [x * m[0, i] + y * m[1, i] for i in range(3)]
    for _ in range(steps):
        point = [flat[i] + depth * m[2, i] for i in range(3)]
        length = np.sqrt(point[0] ** 2 + point[1] ** 2 + point[2] ** 2) + np.float32(1e-6)
        place = to_chart(np.stack(point, -1) / length[..., None])
        gap = length - sample(radius, place)
        depth = depth - _RELAXATION * gap
    return depth, gap, place


def cast(radius: Array, view: View, size: int) -> Hit:
    """Cast one ray per pixel of a (size, size) picture: at half resolution from afar, then refined."""
    rows, columns, top = _bounds(radius, view, size)
    x = ((np.arange(columns.start, columns.stop) - view.origin[0]) / view.scale).astype(np.float32)
    y = ((np.arange(rows.start, rows.stop) - view.origin[1]) / view.scale).astype(np.float32)
    x, y = np.meshgrid(x, y)
    coarse_x, coarse_y = (cv2.resize(a, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for a in (x, y))
    depth, _, _ = _march(radius, view, coarse_x, coarse_y, np.full_like(coarse_x, top), 22)
    depth = cv2.dilate(depth, np.ones((3, 3), np.uint8))
    depth = cv2.resize(depth, x.shape[::-1], interpolation=cv2.INTER_NEAREST) + np.float32(0.01)
    depth, gap, place = _march(radius, view, x, y, depth, 6)
    seen = (np.abs(gap) < 0.02) & (depth > -1.2)
    return Hit(rows, columns, place.astype(np.float32), np.where(seen, depth, -np.inf).astype(np.float32), seen)


def surface_normals(radius: Array, view: View) -> Array:
    """Unit normals in camera coordinates (T, T, 3) of the surface."""
    point = (chart().direction * radius[..., None]) @ view.rotation.T.astype(np.float32)
    across, down = np.empty_like(point), np.empty_like(point)
    across[:, 1:-1], down[1:-1] = point[:, 2:] - point[:, :-2], point[2:] - point[:-2]
    across[:, 0], across[:, -1], down[0], down[-1] = across[:, 1], across[:, -2], down[1], down[-2]
    normal = np.stack([
        across[..., 1] * down[..., 2] - across[..., 2] * down[..., 1],
        across[..., 2] * down[..., 0] - across[..., 0] * down[..., 2],
        across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0],
    ], -1)  # fmt: skip
    return np.asarray(normal / (np.sqrt((normal**2).sum(-1, keepdims=True)) + np.float32(1e-9)), np.float32)
