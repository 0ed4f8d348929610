"""The weight files of an experiment, as `blindface weights` laid them out: checked, or missing with a reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blindface.base.errors import ExternalFileError, InputError
from blindface.base.files import read_json, sha256_file


@dataclass(frozen=True)
class Weights:
    """Weight files by name. `entries` is the manifest's content, `folder` where the files stand.

    parameters: those by which the data are measured, in the structure of params.yaml; empty where none are recorded.
    """

    folder: Path
    entries: dict[str, dict[str, str]]
    parameters: dict[str, Any] = field(default_factory=dict)
    _checked: set[str] = field(default_factory=set, compare=False, repr=False)

    @classmethod
    def load(cls, manifest: Path | None) -> Weights:
        """Read a manifest written by `blindface weights`; without one, every file counts as missing.

        Errors: InputError if the manifest is missing or is not of this form.
        """
        if manifest is None:
            return cls(Path(), {})
        content = read_json(manifest)
        entries = content.get("files") if isinstance(content, dict) else None
        if not isinstance(entries, dict) or not all(_is_entry(entry) for entry in entries.values()):
            raise InputError(f"{manifest} is not a manifest of weights: make it again with 'blindface weights'")
        return cls(Path(manifest).parent, entries, content.get("parameters") or {})

    def reason(self, name: str) -> str | None:
        """Why the file is missing, or None if it is here."""
        entry = self.entries.get(name)
        if entry is None:
            return f"the weights '{name}' are not in the manifest: run 'blindface weights' with these parameters"
        return entry.get("missing")

    def of(self, owner: str) -> list[str]:
        """The files of one owner, named `owner/file`, that are here."""
        return [key for key, entry in self.entries.items() if key.startswith(f"{owner}/") and "file" in entry]

    def path(self, name: str) -> Path:
        """The file of that name; its hash is checked at the first call.

        Errors: ExternalFileError with the recorded reason if it is missing, or if its bytes have changed since.
        """
        reason = self.reason(name)
        if reason is not None:
            raise ExternalFileError(reason)
        entry = self.entries[name]
        path = self.folder / entry["file"]
        if name not in self._checked:
            if not path.is_file():
                raise ExternalFileError(f"{path} is gone: run 'blindface weights' again")
            if sha256_file(path) != entry["sha256"]:
                raise ExternalFileError(f"{path} has changed since it was fetched: delete it, run 'blindface weights'")
            self._checked.add(name)
        return path


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        return False
    return set(entry) in ({"file", "sha256"}, {"missing"})
