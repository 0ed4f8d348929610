"""The losses, one object or function each, with its equation."""

from blindface.losses.adversarial import GradientPenalty, adversarial_loss, critic_loss, drift
from blindface.losses.attention import AttentionLoss
from blindface.losses.flow import flow_loss, flow_state, stratified_times
from blindface.losses.perceptual import PerceptualLoss
from blindface.losses.pixel import PixelLoss
from blindface.losses.relativistic import (
    relativistic_discriminator_loss,
    relativistic_generator_loss,
    zero_centred_penalty,
)

__all__ = [
    "AttentionLoss",
    "GradientPenalty",
    "PerceptualLoss",
    "PixelLoss",
    "adversarial_loss",
    "critic_loss",
    "drift",
    "flow_loss",
    "flow_state",
    "relativistic_discriminator_loss",
    "relativistic_generator_loss",
    "stratified_times",
    "zero_centred_penalty",
]
