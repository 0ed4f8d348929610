"""The adapter of pyiqa, the only module that imports it: further metrics by name, and a reference for tests.

pyiqa may be used for non-commercial purposes only and is an optional extra. It fetches weights by itself and looks at
no hash. Here it may not: while a metric is built, every file it asks for comes from given ones, by base name, and what
is not among them is named; the network is closed. Backbones that pyiqa would fetch first and then overwrite start as
NaN, so that no weight is ever random: a metric that still holds one after loading is refused.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from unittest.mock import patch
from urllib.parse import urlparse

import numpy as np
import torch

from blindface.base.errors import InputError, MetricUnavailableError
from blindface.base.images import to_unit
from blindface.base.pyiqa_table import pyiqa_table
from blindface.external.weights import Weights
from blindface.metrics.stacks import Stack, as_stack

NOT_INSTALLED = "pyiqa is not installed: make pyiqa, or pip install 'blindface[pyiqa]' (non-commercial use)"
PACKAGES = ("pyiqa", "facexlib", "torchvision", "timm", "torch.hub", "clip")
"""Packages whose functions that fetch files are replaced while a metric is built."""
_SEED = 123
"""Seed of the crops that a few metrics draw; set anew for every stack, so that a rerun gives the same bytes."""
_LOCK = threading.Lock()
"""Held while a metric computes: the seeds are the process's."""


class LackingFileError(Exception):
    """pyiqa asked for a file that was not given."""

    def __init__(self, name: str, url: str) -> None:
        super().__init__(f"{name} ({url})")
        self.name, self.url = name, url


class PyiqaMetric:
    """One metric of pyiqa, by default on the CPU.

    files: what it may read, by base name. Errors: InputError where pyiqa is not installed; LackingFileError.
    """

    def __init__(
        self,
        name: str,
        pristine: Path | None = None,
        device: torch.device | None = None,
        files: Mapping[str, Path] | None = None,
    ) -> None:
        self.device = device or torch.device("cpu")
        extra = {"pretrained_model_path": str(pristine)} if pristine else {}
        with _quiet():
            pyiqa = _import()
            with _only(files or {}):
                self.metric: Any = pyiqa.create_metric(name, device=self.device, **extra)
        if any(
            bool(torch.isnan(value).any()) for value in self.metric.state_dict().values() if value.is_floating_point()
        ):
            raise LackingFileError(f"the backbone of {name}", "its checkpoint does not hold it")
        self.full_reference = self.metric.metric_mode == "FR"
        self.failure: str | None = None

    def __call__(self, images: Stack, targets: Stack | None = None) -> torch.Tensor:
        """One value per image of uint8 stacks (N, H, W, 3): float64 (N,), NaN where there is none.

        A stack that fails is tried image by image; `failure` then says why the last one had no value.
        """
        both = (images, targets) if self.full_reference or targets is None else (images,)
        inputs = [to_unit(as_stack(stack)) for stack in both if stack is not None]
        try:
            values = self._compute(inputs)
        except Exception:  # pyiqa's metrics have many ways to fail, on one image of many
            values = torch.cat([self._alone([part[row : row + 1] for part in inputs]) for row in range(len(inputs[0]))])
        return torch.where(torch.isfinite(values), values, torch.nan)

    def _compute(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        with _LOCK, _seeded(), torch.no_grad():
            values = torch.as_tensor(self.metric(*inputs)).detach().reshape(-1).double()
        if len(values) != len(inputs[0]):
            raise ValueError(f"it gave {len(values)} numbers for {len(inputs[0])} images")
        return values

    def _alone(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        try:
            return self._compute(inputs)
        except Exception as error:
            self.failure = f"pyiqa says: {_first(error)}"
            return torch.full((1,), torch.nan, dtype=torch.float64, device=inputs[0].device)


def load_metric(name: str, weights: Weights, owner: str, device: torch.device) -> PyiqaMetric:
    """One of pyiqa's metrics with the files that the manifest keeps for `owner`.

    Errors: MetricUnavailableError with the reason; ExternalFileError for a file that changed since it was laid out.
    """
    recorded = weights.entries.get(owner, {}).get("missing")
    if recorded:
        raise MetricUnavailableError(recorded)
    files = {key.rpartition("/")[2]: weights.path(key) for key in weights.of(owner)}
    try:
        return PyiqaMetric(name, device=device, files=files)
    except InputError as error:
        raise MetricUnavailableError(str(error)) from error
    except LackingFileError as error:
        raise MetricUnavailableError(
            f"pyiqa's {name} needs {error.name}, which is not in the manifest: run 'blindface weights' with these "
            "parameters"
        ) from error
    except Exception as error:
        raise MetricUnavailableError(f"pyiqa's {name} cannot be built: {_first(error)}") from error


def gather_files(name: str, locate: Callable[[str], Path | None]) -> dict[str, Path]:
    """The files that a metric needs, by base name; `locate` finds one. None of them is fetched.

    Errors: MetricUnavailableError that names the first one that is nowhere, and where pyiqa has it from.
    """
    files: dict[str, Path] = {}
    while True:
        try:
            PyiqaMetric(name, files=files)
            return files
        except InputError as error:
            raise MetricUnavailableError(str(error)) from error
        except LackingFileError as error:
            path = None if error.name in files else locate(error.name)
            if path is None:
                raise MetricUnavailableError(
                    f"pyiqa's {name} needs {error.name}: put it into the folder that BLINDFACE_MIRROR names, from "
                    f"{error.url}"
                ) from error
            files[error.name] = path
        except Exception as error:
            raise MetricUnavailableError(f"pyiqa's {name} cannot be built: {_first(error)}") from error


def _import() -> Any:
    from blindface.base.torchvision_repair import repair

    if pyiqa_table() is None:
        raise InputError(NOT_INSTALLED)
    repair()
    import pyiqa

    for package in ("facexlib.utils.face_restoration_helper", "timm"):
        if importlib.util.find_spec(package.partition(".")[0]):
            importlib.import_module(package)
    logging.getLogger("pyiqa").setLevel(logging.WARNING)
    return pyiqa


@contextlib.contextmanager
def _only(files: Mapping[str, Path]) -> Iterator[None]:
    """Give the libraries these files in place of their downloads, backbones of NaN, and no network."""
    real_load, real_create = torch.load, getattr(sys.modules.get("timm"), "create_model", None)

    def supply(url: str, *_: Any, **__: Any) -> str:
        name = PurePosixPath(urlparse(url).path).name
        if name not in files:
            raise LackingFileError(name, url)
        return str(files[name])

    def refuse(url: str, *_: Any, **__: Any) -> None:
        raise LackingFileError(PurePosixPath(urlparse(url).path).name, url)

    def supply_state(url: str, *_: Any, **__: Any) -> Any:
        return load(supply(url), map_location="cpu")

    def load(source: Any, *_: Any, map_location: Any = "cpu", **__: Any) -> Any:
        return real_load(source, map_location=map_location, weights_only=True)  # a pickle could run anything

    def create(*args: Any, **options: Any) -> Any:
        asked = options.pop("pretrained", False)
        network = real_create(*args, pretrained=False, **options)  # type: ignore[misc]
        return _without_weights(network) if asked else network

    def closed(host: Any, *_: Any, **__: Any) -> Any:
        raise LackingFileError(f"a file of {host}", f"https://{host}")

    replaced = {
        "load_file_from_url": supply,
        "load_state_dict_from_url": supply_state,
        "download_url_to_file": refuse,
        "_download": supply,
        "create_model": create,
    }
    with contextlib.ExitStack() as stack:
        for module in [part for key, part in sys.modules.items() if key.startswith(PACKAGES) and part is not None]:
            for name, function in replaced.items():
                if callable(getattr(module, name, None)) and (
                    name != "create_model" or module.__dict__[name] is real_create
                ):
                    stack.enter_context(patch.object(module, name, function))
        stack.enter_context(patch.object(torch, "load", load))
        stack.enter_context(patch.object(socket, "getaddrinfo", closed))
        yield


def _without_weights(network: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.fill_(torch.nan)
    return network


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """The global generators at a fixed seed, and back to where they were."""
    numbers, draws = np.random.get_state(), torch.random.get_rng_state()
    np.random.seed(_SEED)
    torch.manual_seed(_SEED)
    try:
        yield
    finally:
        np.random.set_state(numbers)
        torch.random.set_rng_state(draws)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def _first(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:160]
