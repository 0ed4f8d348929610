"""The losses, one object or function each, with its equation. What they weigh, and when, says `schedule`."""

from blindface.losses.adversarial import GradientPenalty, adversarial_loss, critic_loss, drift
from blindface.losses.attention import AttentionLoss
from blindface.losses.face_crops import face_crops
from blindface.losses.perceptual import PerceptualLoss
from blindface.losses.pixel import PixelLoss
from blindface.losses.schedule import weight_at

__all__ = [
    "AttentionLoss",
    "GradientPenalty",
    "PerceptualLoss",
    "PixelLoss",
    "adversarial_loss",
    "critic_loss",
    "drift",
    "face_crops",
    "weight_at",
]
