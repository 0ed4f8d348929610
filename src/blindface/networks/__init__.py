"""The generator, its encoders, and the discriminator. Structure and choices: docs/training.md."""

from blindface.networks.batch_statistics import recalibrate
from blindface.networks.discriminator import Discriminator
from blindface.networks.generator import EncoderKind, Generator
from blindface.networks.layers import count_parameters

__all__ = ["Discriminator", "EncoderKind", "Generator", "count_parameters", "recalibrate"]
