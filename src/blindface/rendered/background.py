"""Backgrounds out of focus."""

from __future__ import annotations

import cv2
import numpy as np

from blindface.rendered.chart import Array
from blindface.rendered.noise import cut
from blindface.rendered.traits import Shot, srgb


def background(size: int, shot: Shot, rng: np.random.Generator) -> Array:
    """A background out of focus, linear (size, size, 3)."""
    low = 64
    y, x = np.mgrid[0:low, 0:low].astype(np.float32) / low
    ends = [srgb(*np.clip(rng.uniform(15, 200) * np.exp(rng.normal(0, 0.14, 3)), 4, 235)) for _ in range(4)]
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.clip(0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle), 0, 1)[..., None]
    picture = np.ascontiguousarray(ends[0] * (1 - ramp) + 0.5 * (ends[0] + ends[1]) * ramp, np.float32)
    blur = rng.uniform(0.5, 3.0)
    if shot.background == "shapes":
        for _ in range(int(rng.integers(3, 9))):
            corner, extent = rng.uniform(-10, low, 2), rng.uniform(6, 34, 2)
            tone = (ends[int(rng.integers(4))] * rng.uniform(0.5, 1.3)).tolist()
            if rng.random() < 0.6:
                cv2.rectangle(picture, corner.astype(int).tolist(), (corner + extent).astype(int).tolist(), tone, -1)
            else:
                cv2.ellipse(
                    picture,
                    corner.astype(int).tolist(),
                    (extent / 2).astype(int).tolist(),
                    float(rng.uniform(0, 180)),
                    0,
                    360,
                    tone,
                    -1,
                )
    elif shot.background == "panels":
        place = np.cumsum(rng.uniform(3, 14, 30))
        tone = ends[1] * rng.uniform(0.6, 1.2, (30, 1)).astype(np.float32)
        index = np.searchsorted(place, (x if rng.random() < 0.7 else y) * low)
        picture = 0.35 * picture + 0.65 * tone[np.clip(index, 0, 29)]
        blur *= 0.5
    elif shot.background == "bokeh":
        picture *= np.float32(0.35)
        for _ in range(int(rng.integers(6, 16))):
            spot = np.zeros((low, low), np.float32)
            cv2.circle(spot, rng.integers(0, low, 2).tolist(), int(rng.integers(2, 6)), 1.0, -1, cv2.LINE_AA)
            picture += (
                spot[..., None]
                * srgb(*np.clip(rng.uniform(60, 210) * np.exp(rng.normal(0, 0.2, 3)), 0, 250))
                * np.float32(rng.uniform(0.3, 1))
            )
        blur = 0.8
    blurred = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), blur)
    large = cv2.resize(blurred, (size, size), interpolation=cv2.INTER_CUBIC)
    strength = 0.16 if shot.background == "texture" else 0.03
    pattern = np.float32(strength) * cut("cloud", (size, size), rng) + np.float32(strength * 0.35) * cut(
        "patch", (size, size), rng
    )
    return np.asarray(np.maximum(large, 0) * np.exp(pattern)[..., None] * np.float32(rng.uniform(0.5, 1.0)), np.float32)
