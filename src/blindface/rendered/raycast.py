"""Where the rays of the camera meet the head: orthographic view of a surface given by its radius in every direction."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from blindface.rendered.chart import Array, Points, canonical_direction, chart, place_of, sample, texels
from blindface.rendered.traits import Shot


@dataclass(frozen=True)
class View:
    """The camera: rotation from head to camera (right, down, to the viewer), pixels per unit, head centre's pixel."""

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


_SLOPE = np.array([-1, 0, 1], np.float32)


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
    depth: Array  # towards the viewer, units (H, W)
    seen: NDArray[np.bool_]


def _bounds(radius: Array, view: View, size: int) -> tuple[slice, slice, float]:
    points = (chart().direction[::6, ::6] * radius[::6, ::6, None]).reshape(-1, 3)
    place = view.project(points.astype(np.float64))
    low = np.clip(np.floor(place[:, :2].min(0)) - 3, 0, size - 8).astype(int)
    high = np.clip(np.ceil(place[:, :2].max(0)) + 4, low + 8, size).astype(int)
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0])), float(place[:, 2].max()) + 0.02


class _Rays:
    """Rays through places (x, y) of the picture's plane, in units; the surface lies between two known depths."""

    def __init__(self, radius: Array, view: View, x: Array, y: Array, start: Array) -> None:
        self.radius, m = radius, view.rotation.astype(np.float32)
        self.flat = [x * m[0, i] + y * m[1, i] for i in range(3)]
        self.toward = m[2]
        self.depth = self.outside = start
        self.inside = np.full_like(start, -np.inf)

    def march(self, steps: int) -> _Rays:
        """Step towards the surface; once it is crossed, close in on it between the two depths."""
        for _ in range(steps):
            gap = self._gap(self.depth)[0]
            free = gap > 0
            self.outside = np.where(free, self.depth, self.outside)
            self.inside = np.where(free, self.inside, self.depth)
            step = self.depth - np.clip(np.float32(0.8) * gap, np.float32(0.006), np.float32(0.16))
            between = np.float32(0.5) * (self.outside + np.maximum(self.inside, np.float32(-9)))
            self.depth = np.where(np.isfinite(self.inside), np.maximum(step, between), step)
        return self

    def march_rest(self, steps: int) -> None:
        """Go on with the few rays that graze a silhouette and have not arrived."""
        rest = ~np.isfinite(self.inside) & (self.depth > -1.0)
        rest &= cv2.dilate(np.isfinite(self.inside).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        count = int(rest.sum())
        if not count:
            return
        shape = (-(-count // 64), 64)  # OpenCV's remap takes pictures, not lists
        few = object.__new__(_Rays)
        few.radius, few.toward = self.radius, self.toward
        few.flat = [np.resize(part[rest], shape) for part in self.flat]
        few.depth = few.outside = np.resize(self.depth[rest], shape)
        few.inside = np.full(shape, -np.inf, np.float32)
        few.march(steps)
        self.depth[rest], self.inside[rest] = few.depth.ravel()[:count], few.inside.ravel()[:count]

    def _gap(self, depth: Array) -> tuple[Array, Array, Array]:
        point = [self.flat[i] + depth * self.toward[i] for i in range(3)]
        length = np.sqrt(point[0] * point[0] + point[1] * point[1] + point[2] * point[2])
        across, down = place_of(point, length)
        return (
            length - cv2.remap(self.radius, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
            across,
            down,
        )

    def arrive(self) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Depth, texel coordinates (H, W, 2), and whether the surface was met."""
        depth = np.where(np.isfinite(self.inside), self.inside, self.depth)
        gap, across, down = self._gap(depth)
        return depth, np.stack([across, down], -1), np.isfinite(self.inside) | (np.abs(gap) < 0.004)


def cast(radius: Array, view: View, size: int) -> Hit:
    """Cast one ray per pixel of a (size, size) picture: on a coarse grid from afar, then finer and finer."""
    rows, columns, top = _bounds(radius, view, size)
    x = ((np.arange(columns.start, columns.stop) - view.origin[0]) / view.scale).astype(np.float32)
    y = ((np.arange(rows.start, rows.stop) - view.origin[1]) / view.scale).astype(np.float32)
    x, y = np.meshgrid(x, y)
    start = np.full((2, 2), top, np.float32)
    for reduction, steps in ((4, 26), (2, 9), (1, 7)):
        shape = (max(2, x.shape[1] // reduction), max(2, x.shape[0] // reduction))
        place = [np.asarray(cv2.resize(a, shape, interpolation=cv2.INTER_AREA), np.float32) for a in (x, y)]
        # The nearest of the neighbours' depths, so that no ray starts behind the tip of a nose.
        nearest = cv2.dilate(start, np.ones((3, 3), np.uint8))
        start = np.asarray(cv2.resize(nearest, shape, interpolation=cv2.INTER_NEAREST), np.float32)
        rays = _Rays(radius, view, place[0], place[1], start + np.float32(0.01 * reduction)).march(steps)
        start = np.where(np.isfinite(rays.inside), rays.outside, np.maximum(rays.depth, -1.3))
    rays.march_rest(24)
    depth, where, seen = rays.arrive()
    return Hit(rows, columns, where.astype(np.float32), depth.astype(np.float32), seen & (depth > -1.2))


def surface_normals(radius: Array, view: View) -> Array:
    """Unit normals in camera coordinates (T, T, 3) of the surface."""
    point = (chart().direction * radius[..., None]) @ view.rotation.T.astype(np.float32)
    planes = cv2.split(point)
    right = [cv2.filter2D(plane, cv2.CV_32F, _SLOPE[None]) for plane in planes]
    down = [cv2.filter2D(plane, cv2.CV_32F, _SLOPE[:, None]) for plane in planes]
    normal = [right[i - 2] * down[i - 1] - right[i - 1] * down[i - 2] for i in range(3)]
    length = np.sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]) + np.float32(1e-9)
    return np.asarray(cv2.merge([part / length for part in normal]))
