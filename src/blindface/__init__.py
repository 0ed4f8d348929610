"""Blindface: blind face restoration, from the photographs to the printed table."""

__version__ = "0.1.0"
