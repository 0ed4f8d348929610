"""Equation (1), step by step, on uint8 RGB images. The conventions are stated in `docs/degradation.md`.

Every step is exact integer or correctly rounded arithmetic, so that the bytes of a blind image do not depend on
the processor: the kernel's weights are multiples of 1/256, the noise is looked up in a table.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from blindface.base.errors import InputError
from blindface.base.images import Image, resize
from blindface.degradation.draws import Drawn
from blindface.params.data import PairsParams

BORDERS = {
    "reflect_101": cv2.BORDER_REFLECT_101,
    "reflect": cv2.BORDER_REFLECT,
    "replicate": cv2.BORDER_REPLICATE,
}
CHROMA = {
    "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "422": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}
KERNEL_LEVELS = 256
NOISE_LEVELS = 65536


def kernel_size(k: int, convention: str) -> int:
    """The odd side of the Gaussian kernel: "radius" 2k+1; "odd_up" k or k+1; "odd_down" k or k-1, whichever is odd."""
    if convention == "radius":
        return 2 * k + 1
    return k | 1 if convention == "odd_up" else k - 1 + k % 2


def gaussian_kernel(size: int, sigma: float) -> NDArray[np.float64]:
    """The one-dimensional Gaussian of odd `size` and standard deviation `sigma` > 0 [px]: (size,), sums to 1.

    The weights are multiples of 1/256: a row and a column pass over uint8 then need at most 24 bits and are exact in
    float32. Rounding is done on the running sum from the rim inwards, so that no error piles up in the centre.
    """
    offsets = np.arange(size) - size // 2
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    running = np.rint(np.cumsum(weights / weights.sum())[: size // 2] * KERNEL_LEVELS)
    side = running.copy()
    side[1:] -= running[:-1]
    centre = KERNEL_LEVELS - 2 * side.sum()
    return np.concatenate([side, [centre], side[::-1]]) / KERNEL_LEVELS


def blur(image: Image, size: int, sigma: float, border: str = "reflect_101") -> Image:
    """Gaussian blur (H, W, 3) with a kernel of odd `size`; sigma = 0 means no blur, never OpenCV's automatic sigma."""
    if sigma == 0.0 or size == 1:
        return image
    kernel = gaussian_kernel(size, sigma)
    blurred = cv2.sepFilter2D(image, cv2.CV_8U, kernel, kernel, borderType=BORDERS[border])
    return np.asarray(blurred, dtype=np.uint8)


@cache
def _normal_quantiles() -> NDArray[np.float32]:
    """The standard normal quantiles at the centres of 65,536 equal shares, scaled to variance 1: (65536,) float32."""
    from scipy.special import ndtri

    quantiles = ndtri((np.arange(NOISE_LEVELS) + 0.5) / NOISE_LEVELS)
    return np.asarray(quantiles / quantiles.std(), dtype=np.float32)


def standard_normal(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """`count` standard normal values by inverse transform of 16 random bits each: (count,) float32 within +-4.2.

    Five times faster than the ziggurat, equal on every machine, and dependent on the bit generator's stream alone,
    which NumPy keeps between versions.
    """
    words = rng.bit_generator.random_raw((count + 3) // 4)
    indices = words.astype("<u8", copy=False).view("<u2")[:count]
    return np.take(_normal_quantiles(), indices)


def add_noise(image: Image, delta: float, rng: np.random.Generator) -> Image:
    """Add Gaussian noise of standard deviation `delta` [levels of 255] to (H, W, 3), independent per pixel and channel.

    The sum is taken in float32, rounded (half to even) and clipped to 0..255: it never wraps around.
    """
    if delta == 0.0:
        return image
    noise = standard_normal(image.size, rng)
    noise *= np.float32(delta)
    return np.asarray(cv2.add(image, noise.reshape(image.shape), dtype=cv2.CV_8U), dtype=np.uint8)


def jpeg(image: Image, quality: int, chroma: str = "420") -> Image:
    """Encode (H, W, 3) RGB as baseline JPEG with OpenCV at `quality` 1..100 and the chroma subsampling; decode it."""
    options = [
        *(cv2.IMWRITE_JPEG_QUALITY, quality),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, CHROMA[chroma]),
        *(cv2.IMWRITE_JPEG_PROGRESSIVE, 0),
        *(cv2.IMWRITE_JPEG_OPTIMIZE, 0),
        *(cv2.IMWRITE_JPEG_RST_INTERVAL, 0),
    ]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def degrade(image: Image, drawn: Drawn, rng: np.random.Generator, params: PairsParams, size: int) -> Image:
    """Equation (1) on one target.

    image: (H, W, 3) uint8 RGB. drawn: the image's own parameters. rng: generator of its noise, used once.
    size: u, the side of the result. Returns (size, size, 3) uint8 RGB. Errors: InputError if `image` is no such image.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(f"a target must be a uint8 RGB image (H, W, 3), got {image.dtype} {image.shape}")
    blurred = blur(image, kernel_size(drawn.k, params.kernel), drawn.sigma, params.border)
    reduced = resize(blurred, drawn.s, params.reduction)
    noisy = add_noise(reduced, drawn.delta, rng)
    return resize(jpeg(noisy, drawn.q, params.chroma), size, params.enlargement)
