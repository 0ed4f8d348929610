"""The `blindface` command: one module per stage, in the order of the data."""

from blindface.cli import params

__all__ = ["params"]
