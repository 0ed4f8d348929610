"""Light on the scene: a key light with cast shadows, ambient light, gloss, and light that bleeds through skin."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from blindface.rendered.chart import Array
from blindface.rendered.sculpt import smoothstep
from blindface.rendered.traits import Shot

NOTHING = np.float32(-9.0)  # depth where nothing stands before the background


@dataclass
class Surface:
    """Something to be drawn into a window of the picture; all (H, W), colour and normal (H, W, 3), float32."""

    colour: Array
    normal: Array
    depth: Array  # towards the viewer, units
    gloss: Array
    skin: Array  # 1 where light bleeds through


@dataclass
class Scene:
    """What the camera sees, per pixel of the supersampled picture."""

    front: Surface

    @classmethod
    def empty(cls, size: int) -> Scene:
        """Nothing in front of the background."""
        flat, deep = np.zeros((size, size), np.float32), np.zeros((size, size, 3), np.float32)
        return cls(Surface(deep, deep.copy(), np.full_like(flat, NOTHING), flat, flat.copy()))

    @property
    def depth(self) -> Array:
        """Depth per pixel, (H, W)."""
        return self.front.depth

    def put(self, rows: slice, columns: slice, surface: Surface, where: NDArray[np.bool_]) -> None:
        """Draw a surface where it stands and is nearer than what is there."""
        nearer = (where & (surface.depth > self.depth[rows, columns])).astype(np.uint8)
        for name in ("colour", "normal", "gloss", "skin", "depth"):
            cv2.copyTo(getattr(surface, name), nearer, getattr(self.front, name)[rows, columns])


def cast_shadow(depth: Array, light: Array, scale: float) -> Array:
    """How much key light reaches each pixel (0..1), by the depth map, softer from afar; scale: pixels per unit."""
    small = max(1.0, scale / 55.0)
    shape = (round(depth.shape[1] / small), round(depth.shape[0] / small))
    height = cv2.resize(np.maximum(depth, -3.0), shape, interpolation=cv2.INTER_AREA)
    unit = scale / small
    lit = np.ones_like(height)
    for reach in (0.05, 0.09, 0.14, 0.20, 0.28, 0.38, 0.50, 0.66, 0.85):
        shift = np.array([[1, 0, -light[0] * reach * unit], [0, 1, -light[1] * reach * unit]], np.float32)
        ahead = cv2.warpAffine(height, shift, shape, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        above = ahead - (height + np.float32(light[2] * reach))
        blocked = smoothstep(above, 0.012, 0.05 + 0.12 * reach) * smoothstep(above, 1.1, 0.7)
        lit = np.minimum(lit, 1 - blocked)
    lit = cv2.GaussianBlur(lit, (0, 0), 0.9)
    return np.asarray(cv2.resize(lit, depth.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def crevices(depth: Array, scale: float) -> Array:
    """Ambient light that reaches each pixel (0..1): less where the surface lies below its surroundings."""
    small = max(1.0, scale / 40.0)
    shape = (round(depth.shape[1] / small), round(depth.shape[0] / small))
    height = cv2.resize(np.maximum(depth, -1.2), shape, interpolation=cv2.INTER_AREA)
    below = np.zeros_like(height)
    for sigma in (0.05, 0.15):
        below += np.clip(cv2.GaussianBlur(height, (0, 0), sigma * scale / small) - height, 0, np.float32(0.25))
    return np.asarray(cv2.resize(np.exp(np.float32(-3.0) * below), depth.shape[::-1]), np.float32)


def shade(scene: Scene, shot: Shot, scale: float) -> tuple[NDArray[np.bool_], Array]:
    """Where something stands (H, W), and the linear radiance (N, 3) of those pixels under the shot's light."""
    there = scene.depth > NOTHING
    light, front = shot.light, scene.front
    lit, open_sky = cast_shadow(scene.depth, light, scale)[there], crevices(scene.depth, scale)[there]
    x, y, z = (front.normal[..., i][there] for i in range(3))
    skin, gloss, colour = front.skin[there], front.gloss[there], front.colour[there]
    wrap = np.float32(0.10) + np.float32(0.22) * skin
    straight = np.clip((x * light[0] + y * light[1] + z * light[2] + wrap) / (1 + wrap), 0, 1)
    ambient = (np.float32(0.72) - np.float32(0.28) * y + np.float32(0.12) * z) * open_sky
    back = np.clip(-light[0] * x - np.float32(0.3) * y + np.float32(0.35) * z, 0, 1)
    ambient += np.float32(0.22) * back * open_sky
    # Red light travels furthest under the skin: the edge of a shadow is red.
    bleed = skin * straight * (1 - straight) * np.float32(0.40) * (np.float32(0.35) + np.float32(0.65) * lit)
    key = straight * (np.float32(0.10) + np.float32(0.90) * lit)
    half = light + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    shine = np.clip(x * half[0] + y * half[1] + z * half[2], 0, 1) ** 12
    spot = gloss * lit * (np.float32(0.055) * shine + np.float32(0.10) * (shine * shine) * (shine * shine))
    for channel, red in enumerate((1.0, 0.0, -0.25)):
        glow = shot.key[channel] * (key + bleed * np.float32(red)) + shot.fill[channel] * ambient
        colour[:, channel] = colour[:, channel] * glow + spot * shot.key[channel]
    return there, colour
