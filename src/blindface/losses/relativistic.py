"""The relativistic pairing game with zero-centred penalties (Huang et al. 2024, "The GAN is dead; long live the GAN!").

Written D for the discriminator, x for targets, y for outputs of the generator for the same photographs:
    discriminator  minimises  E[softplus(D(y) - D(x))] + gamma (R1 + R2),
    generator      minimises  E[softplus(D(x) - D(y))],
    R1 = E[|grad D(x)|^2] / 2,   R2 = E[|grad D(y)|^2] / 2,
softplus(a) = log(1 + exp(a)). Each score is compared with that of its own target (Jolicoeur-Martineau 2019), so no
mode of the targets can be left out at no cost; the penalties make the game converge locally (Mescheder et al. 2018).
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from blindface.base.numerics import in_full


def relativistic_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """E[softplus(D(y) - D(x))]. real, fake: (N,) scores, pair by pair. Returns a scalar; log 2 for equal scores."""
    return F.softplus(in_full(fake) - in_full(real)).mean()


def relativistic_generator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """E[softplus(D(x) - D(y))]. real, fake: (N,) scores, pair by pair. Returns a scalar; log 2 for equal scores."""
    return F.softplus(in_full(real) - in_full(fake)).mean()


def zero_centred_penalty(gradients: Tensor) -> Tensor:
    """R1 or R2: half the mean over the images of the squared norm of the score's gradient, in float32 at least.

    gradients: (N, 3, H, W), of each image's score with respect to the image, fit to be differentiated.
    """
    return in_full(gradients).square().sum(dim=(1, 2, 3)).mean() / 2
