"""Light on the scene: a key light with cast shadows, light from above and below, gloss, and light that bleeds through skin."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from blindface.embedded.chart import Array
from blindface.embedded.sculpt import smoothstep
from blindface.embedded.traits import Shot


@dataclass
class Scene:
    """What the camera sees, per pixel of the supersampled picture (H, W): linear colour, normal, depth in units."""

    colour: Array
    normal: Array
    depth: Array
    gloss: Array
    skin: Array  # 1 where light bleeds through

    @classmethod
    def empty(cls, size: int) -> Scene:
        """Nothing in front of the background."""
        flat = np.zeros((size, size), np.float32)
        normal = np.zeros((size, size, 3), np.float32)
        return cls(np.zeros((size, size, 3), np.float32), normal, np.full_like(flat, -np.inf), flat.copy(), flat.copy())

    def put(self, rows: slice, columns: slice, nearer: np.ndarray, depth: Array, colour: Array, normal: Array, gloss: Array | float, skin: Array | float) -> None:  # noqa: E501
        """Draw a surface where `nearer` says that it hides what is there."""
        self.depth[rows, columns][nearer] = depth[nearer]
        self.colour[rows, columns][nearer] = colour[nearer] if colour.ndim == 3 else colour
        self.normal[rows, columns][nearer] = normal[nearer]
        for target, value in ((self.gloss, gloss), (self.skin, skin)):
            target[rows, columns][nearer] = value[nearer] if isinstance(value, np.ndarray) else value


def cast_shadow(depth: Array, light: Array, scale: float) -> Array:
    """How much key light reaches each pixel (0..1), from the depth map alone; soft with distance. scale: pixels per unit."""
    small = max(1.0, scale / 55.0)
    shape = (round(depth.shape[1] / small), round(depth.shape[0] / small))
    height = cv2.resize(np.maximum(depth, -3.0), shape, interpolation=cv2.INTER_AREA)
    unit = scale / small
    lit = np.ones_like(height)
    for reach in np.array([0.05, 0.09, 0.14, 0.20, 0.28, 0.38, 0.50, 0.66, 0.85]):
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
    around = [cv2.GaussianBlur(height, (0, 0), sigma * scale / small) for sigma in (0.05, 0.15)]
    below = sum(np.clip(blurred - height, 0, 0.25) for blurred in around)
    return np.asarray(cv2.resize(np.exp(-3.0 * below), depth.shape[::-1]), np.float32)


def shade(scene: Scene, shot: Shot, scale: float) -> Array:
    """Linear radiance (H, W, 3) of the scene under the shot's light."""
    light, normal = shot.light, scene.normal
    lit = cast_shadow(scene.depth, light, scale)
    open_sky = crevices(scene.depth, scale)
    facing = normal @ light
    wrap = np.float32(0.10) + np.float32(0.22) * scene.skin
    straight = np.clip((facing + wrap) / (1 + wrap), 0, 1)
    up = -normal[..., 1]
    ambient = (np.float32(0.72) + np.float32(0.28) * up + np.float32(0.12) * normal[..., 2]) * open_sky
    back = np.clip(normal @ np.array([-light[0], -0.3, 0.35], np.float32), 0, 1)
    bounce = np.float32(0.22) * back * open_sky
    # Red light travels furthest under the skin: the edge of a shadow is red.
    bleed = scene.skin * np.clip(straight * (1 - straight) * 4, 0, 1) * np.float32(0.10)
    key = straight * (np.float32(0.10) + np.float32(0.90) * lit)
    colour = np.empty_like(scene.colour)
    for channel, red in enumerate((1.0, 0.0, -0.25)):
        glow = key + bleed * np.float32(red) * (0.35 + 0.65 * lit)
        colour[..., channel] = scene.colour[..., channel] * (
            shot.key[channel] * glow + shot.fill[channel] * (np.float32(1.0) * ambient + bounce)
        )
    half = light + np.array([0, 0, 1], np.float32)
    shine = np.clip(normal @ (half / np.linalg.norm(half)), 0, 1)
    spot = scene.gloss * lit * (np.float32(0.055) * shine**14 + np.float32(0.10) * shine**48)
    colour += spot[..., None] * shot.key
    return colour
