"""The example input of a logged model: a rendered face, so that no photograph of a person lies in the store."""

from __future__ import annotations

from pathlib import Path

from blindface.base.images import Image

SEED = 2024


def blind_example(generator: Path) -> Image:
    """One blind image (1, S, S, 3) uint8 of the size S that the generator's file restores."""
    import cv2
    import numpy as np

    from blindface.networks.model_file import read_header
    from blindface.rendered import render_photograph

    size = 16 if read_header(generator)["arguments"].get("encoder", "none") == "none" else 128
    face = render_photograph(1, 1, SEED).image
    margin = face.shape[0] // 4
    small = cv2.resize(face[margin:-margin, margin:-margin], (16, 16), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)[None]
