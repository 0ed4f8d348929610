"""The losses, one object or function each, with its equation."""

from blindface.losses.adversarial import GradientPenalty, adversarial_loss, critic_loss, drift
from blindface.losses.attention import AttentionLoss
from blindface.losses.perceptual import PerceptualLoss
from blindface.losses.pixel import PixelLoss

__all__ = [
    "AttentionLoss",
    "GradientPenalty",
    "PerceptualLoss",
    "PixelLoss",
    "adversarial_loss",
    "critic_loss",
    "drift",
]
