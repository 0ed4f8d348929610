"""The one repair that lets torchvision be imported beside a build of torch that its compiled operators do not fit.

torchvision comes as a CUDA build only. Beside a CPU build of torch its C library cannot be loaded, and the import fails
with "operator torchvision::nms does not exist", although nothing here needs that operator. Declaring the two operators
that the import looks for is enough. Call `repair()` before anything that imports torchvision (lpips, pytorch_fid and
pyiqa do). It does nothing where torchvision imports by itself.
"""

from __future__ import annotations

import importlib
import sys

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []
"""Kept alive: a library that is collected takes its declarations with it."""


def repair() -> None:
    """Make `import torchvision` work, whatever the build of torch. Cheap when called again.

    Errors: ImportError (or what torchvision raises) where it is not installed or broken in another way.
    """
    if "torchvision" in sys.modules and not _half_imported():
        return
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        _drop_half_imported()
        if not _declared:
            library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
            for schema in _SCHEMAS:
                library.define(schema)  # type: ignore[no-untyped-call]
            _declared.append(library)
        importlib.import_module("torchvision")


def _half_imported() -> bool:
    """Whether an import that somebody else tried and caught has left modules behind."""
    return not hasattr(sys.modules["torchvision"], "models")


def _drop_half_imported() -> None:
    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]
