"""How MLflow opens a logged generator: `mlflow.pyfunc.load_model(...)` calls `_load_pyfunc` with our safetensors file.

Nothing is unpickled, and MLflow is not imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from blindface.base.device import choose_device
from blindface.base.images import Image


class Restorer:
    """A generator with MLflow's `predict`, on the GPU where there is one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._networks: dict[str, Any] = {}

    def predict(self, model_input: Image, params: Mapping[str, Any] | None = None) -> Image:
        """Restore uint8 RGB images (N, S, S, 3), S 16 or 128 by the objective, to (N, 128, 128, 3).

        params: `weights`, ema (default) or raw. Errors: InputError for other sizes or weights.
        """
        from blindface.networks.model_file import load_generator
        from blindface.restoration.models import restore_images

        weights = str((params or {}).get("weights", "ema"))
        if weights not in self._networks:
            self._networks[weights] = load_generator(self.path, weights, choose_device("auto"))
        return restore_images(self._networks[weights], np.asarray(model_input, np.uint8))[-1]


def _load_pyfunc(data_path: str) -> Restorer:
    """MLflow's entry: the model's data path is the generator's file itself."""
    return Restorer(Path(data_path))
