"""Laying the weight files of an experiment out beside a manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from blindface.base.errors import ExternalFileError, MetricUnavailableError
from blindface.base.files import copy_file, sha256_file, write_json
from blindface.base.progress import say
from blindface.external.finder import Finder
from blindface.params import Params

Gather = Callable[[str, Callable[[str], Path | None]], dict[str, Path]]
"""The files that one of pyiqa's metrics needs, given what finds a file by its base name."""


def write_manifest(
    params: Params, output: Path, finder: Finder, stage: str | None = None, gather: Gather | None = None
) -> dict[str, dict[str, str]]:
    """Copy the weight files that the parameters, or one stage, need beside `output`; write there which they are.

    gather: what finds the files of pyiqa's metrics (`evaluate.pyiqa`); its own downloads are never used, and what the
    registry does not know is pinned here by its SHA-256.
    The content is {"files": {name: {"file", "sha256"} or {"missing": reason}}}, sorted by name; where the files are
    those of evaluation, also {"parameters"}: how the data are measured, so that later commands need not be told.
    Errors: ExternalFileError for a file that cannot be had; with fetch.missing `skip` the reason is recorded instead.
    """
    names = finder.registry.needed(params, weights_only=True, stage=stage)
    finder.prepare(names)
    files: dict[str, dict[str, str]] = {}
    for name in names:
        try:
            found = finder.find(name)
        except ExternalFileError as error:
            if params.fetch.missing == "error":
                raise
            files[name] = {"missing": str(error)}
            continue
        target = Path(output).parent / found.form.basename
        if not target.is_file() or found.form.objection(target) is not None:
            copy_file(found.path, target)
        files[name] = {"file": target.name, "sha256": found.form.sha256 or sha256_file(target)}
    if gather is not None and stage in (None, "evaluate"):
        for name in params.evaluate.pyiqa:
            files |= _pyiqa_files(name, params, Path(output).parent, finder, gather)
    recorded = {"parameters": _measured_by(params)} if stage in (None, "evaluate") else {}
    write_json(output, {"files": files, **recorded})
    missing = [name for name, entry in files.items() if "missing" in entry]
    if missing:
        say(f"blindface: without {', '.join(missing)}: what needs them reads n/a, the reasons are in {output}")
    return files


def _measured_by(params: Params) -> dict[str, Any]:
    """The parameters that decide the metrics, in the structure of params.yaml; where they are computed is not one."""
    evaluate = params.evaluate.model_dump(mode="json", exclude={"device"})
    return {"evaluate": evaluate, "landmarks": params.landmarks.model_dump(mode="json", exclude={"device", "score"})}


def _pyiqa_files(name: str, params: Params, folder: Path, finder: Finder, gather: Gather) -> dict[str, dict[str, str]]:
    """The entries of one metric, `pyiqa_<name>/<file>`, or why it cannot be computed under `pyiqa_<name>`."""
    owner = f"pyiqa_{name}"
    try:
        found = gather(name, finder.loose)
    except MetricUnavailableError as error:
        if params.fetch.missing == "error":
            raise ExternalFileError(
                f"{str(error).rstrip('.')}; or leave {name} out of evaluate.pyiqa, or set fetch.missing to skip"
            ) from error
        return {owner: {"missing": str(error)}}
    entries = {}
    for base, path in sorted(found.items()):
        target = folder / owner / base
        if not target.is_file() or sha256_file(target) != sha256_file(path):
            copy_file(path, target)
        entries[f"{owner}/{base}"] = {"file": f"{owner}/{base}", "sha256": sha256_file(target)}
    return entries
