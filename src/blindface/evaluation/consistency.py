"""Consistency: does a restored image explain the blind image that it was made from?

The restored image goes through equation (1) again with the drawn parameters of its own pair (k, sigma, s, delta, q) and
the pair's own noise, bit for bit; what comes out is compared with the blind image by PSNR. With the noise equal, the
two differ by the restored image alone: the target itself gives the blind image exactly, 100 dB.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blindface.base.errors import InputError, MetricUnavailableError
from blindface.base.image_table import iterate_chosen, read_metadata, read_table
from blindface.base.images import Image
from blindface.degradation.draws import Drawn, noise_generator
from blindface.degradation.equation import degrade
from blindface.params import OBJECTIVES, Objective, PairsParams


@dataclass(frozen=True)
class Observed:
    """The pairs of a part: how each image was degraded, and the blind images."""

    path: Path
    objective: Objective
    params: PairsParams
    draws: pd.DataFrame

    @classmethod
    def load(cls, path: Path, ids: Sequence[str]) -> Observed:
        """Read the draws of these ids from a file of pairs.

        Errors: InputError if it lacks any; MetricUnavailableError if it does not say how its images were degraded.
        """
        metadata, table = read_metadata(path), read_table(path).set_index("id", drop=False)
        objective = metadata.get("objective")
        if objective not in OBJECTIVES or "parameters" not in metadata or not {*Drawn.__slots__} <= set(table.columns):
            raise MetricUnavailableError(f"{Path(path).name} does not say how its images were degraded")
        missing = sorted(set(ids) - set(table.index))
        if missing:
            raise InputError(
                f"{path} lacks {len(missing)} of the restored images, first {missing[0]}: give their pairs"
            )
        conventions = json.loads(metadata["parameters"])
        conventions[objective] = conventions.pop("ranges")
        return cls(Path(path), objective, PairsParams(**conventions), table.loc[list(ids)])

    def blind(self, size: int) -> Iterator[Image]:
        """The blind images (N, u, u, 3), `size` at a time."""
        return (images for _, images in iterate_chosen(self.path, "blind", set(self.draws.index), size))

    def again(self, images: Image, first: int) -> Image:
        """Images (N, 128, 128, 3) degraded as the pairs from row `first` on were: (N, u, u, 3)."""
        size = self.params.of(self.objective).u
        rows = self.draws.iloc[first : first + len(images)]
        degraded = []
        for image, row in zip(images, rows.itertuples(), strict=True):
            drawn = Drawn(int(row.k), float(row.sigma), int(row.s), float(row.delta), int(row.q))
            rng = noise_generator(self.params.seed, self.objective, str(row.id))
            degraded.append(degrade(image, drawn, rng, self.params, size))
        return np.stack(degraded)

    def consistency(self, images: Image, blind: Image, first: int) -> NDArray[np.float64]:
        """PSNR in dB of images degraded again against their blind ones: float64 (N,)."""
        from blindface.metrics.psnr import psnr

        return np.asarray(psnr(self.again(images, first), blind).numpy())
