"""Blind images by equation (1) of the paper: draws, the equation itself, and the stage that writes the pairs.

    I_blind = JPEG_q[(I * k_sigma) reduced to s x s + n_delta] brought to u x u

`docs/degradation.md` states every convention.
"""

from blindface.base.threads import available_workers
from blindface.degradation.batch import Degrader, degrade_many
from blindface.degradation.draws import Drawn, draw, noise_generator
from blindface.degradation.equation import degrade
from blindface.degradation.stage import make_pairs

__all__ = [
    "Degrader",
    "Drawn",
    "available_workers",
    "degrade",
    "degrade_many",
    "draw",
    "make_pairs",
    "noise_generator",
]
