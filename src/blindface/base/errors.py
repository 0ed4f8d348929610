"""Errors a user can mend: each says in one sentence what is wrong, where, and what to do.

The command line prints the sentence and exits with status 2; a traceback is left for what cannot happen.
"""

from __future__ import annotations


class BlindfaceError(Exception):
    """A mistake or a lack that the user can mend. The message names what, where and the remedy."""


class ParameterError(BlindfaceError):
    """A parameter is unknown, misspelt, of the wrong type or out of its bounds."""


class InputError(BlindfaceError):
    """A file or folder handed in is missing, broken, empty or does not fit the rest."""


class ExternalFileError(BlindfaceError):
    """A file of the registry cannot be had, or its bytes are not the registered ones."""


class MetricUnavailableError(BlindfaceError):
    """A metric cannot be computed here; it reads n/a with this sentence."""


class DeviceError(BlindfaceError):
    """The device asked for is not there or too small."""


class TrainingError(BlindfaceError):
    """Training cannot go on: a loss exploded, or a checkpoint does not fit the parameters."""
