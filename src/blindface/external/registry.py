"""The registry of external files, `registry.yaml` beside this module, as a closed typed model."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import yaml
from pydantic import Field, StringConstraints, model_validator

from blindface.base.errors import ExternalFileError
from blindface.params import Block, Params

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Md5 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
Url = Annotated[str, StringConstraints(pattern="^https?://[^ ]+$")]


class Repack(Block):
    """A tar that is packed from one folder of a repository's archive; its hash proves that it came out right."""

    url: Url
    folder: str = Field(description="The folder inside the repository.")
    top: str = Field(description="Its name inside the packed tar.")


class Form(Block):
    """One form of an external file: the bytes that are believed, and where they can be had."""

    file: Annotated[str, StringConstraints(pattern=r"^[\w-]+/[\w.-]+$")] = Field(description="Its place in a mirror.")
    also: tuple[str, ...] = Field(default=(), description="Other base names under which people may hold it.")
    bytes: int | None = Field(default=None, gt=0, description="Its size, where it is known.")
    sha256: Sha256 | None = None
    md5: Md5 | None = Field(default=None, description="Only where no SHA-256 was ever published.")
    urls: tuple[Url, ...] = Field(default=(), description="Addresses, in order of preference.")
    repack: Repack | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _is_checkable(self) -> Form:
        if (self.sha256 is None) == (self.md5 is None):
            raise ValueError(f"{self.file} needs exactly one of sha256 and md5")
        if not self.urls and not self.repack and not self.note:
            raise ValueError(f"{self.file} has no address and no note that says why")
        return self

    @property
    def basename(self) -> str:
        """The file's own name."""
        return PurePosixPath(self.file).name

    @property
    def names(self) -> tuple[str, ...]:
        """Base names under which the file is looked for."""
        return (self.basename, *self.also)

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses that downloading it may ask."""
        return (*self.urls, *((self.repack.url,) if self.repack else ()))

    def objection(self, path: Path) -> str | None:
        """Why the file at `path` is not this one, or None if its size and hash are right."""
        size = path.stat().st_size
        if self.bytes is not None and size != self.bytes:
            return f"it has {size:,} bytes instead of {self.bytes:,}"
        algorithm, wanted = ("sha256", self.sha256) if self.sha256 else ("md5", self.md5)
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, algorithm).hexdigest()
        if digest != wanted:
            return f"its {algorithm.upper()} is {digest[:12]}… instead of {str(wanted)[:12]}…"
        return None


class ExternalFile(Block):
    """One external file, in one or more forms that the code can read."""

    purpose: str
    licence: str
    weights: bool = Field(default=False, description="Whether `blindface weights` puts it beside the manifest.")
    needed_when: tuple[dict[str, str | tuple[str, ...]], ...] = ()
    forms: tuple[Form, ...] = Field(min_length=1)

    def needed_by(self, params: Params, stage: str | None = None) -> bool:
        """Whether an experiment with these parameters asks for the file, or one stage of it.

        A stage reads what its own parameters ask for; what is always needed serves `evaluate`.
        """
        return any(
            all(_value(params, key) in _tuple(want) for key, want in each.items())
            and (stage is None or stage in ({key.partition(".")[0] for key in each} or {"evaluate"}))
            for each in self.needed_when
        )

    @property
    def size(self) -> int | None:
        """Bytes of the first form that has an address, where known."""
        return next((form.bytes for form in self.forms if form.addresses), self.forms[0].bytes)


class Registry(Block):
    """All external files by name."""

    files: dict[str, ExternalFile]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Registry:
        names = [name for _, form in self.forms() for name in form.names]
        double = sorted({name for name in names if names.count(name) > 1})
        if double:
            raise ValueError(f"file names stand twice in the registry: {', '.join(double)}")
        return self

    def forms(self) -> Iterator[tuple[str, Form]]:
        """Every form with the name of its file."""
        for name, file in self.files.items():
            for form in file.forms:
                yield name, form

    def get(self, name: str) -> ExternalFile:
        """The file of that name. Errors: ExternalFileError, with the nearest name, if there is none."""
        if name in self.files:
            return self.files[name]
        near = difflib.get_close_matches(name, self.files, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(self.files)}"
        raise ExternalFileError(f"no external file is registered as '{name}': {hint}")

    def needed(self, params: Params, weights_only: bool = False, stage: str | None = None) -> list[str]:
        """Sorted names of the files that an experiment with these parameters needs, or one stage of it alone."""
        return sorted(
            name
            for name, file in self.files.items()
            if file.needed_by(params, stage) and (file.weights or not weights_only)
        )


def _value(params: Params, key: str) -> Any:
    value: Any = params
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _tuple(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


@lru_cache(maxsize=1)
def load_registry() -> Registry:
    """Read the registry that comes with the package."""
    return Registry.model_validate(yaml.safe_load(Path(__file__).with_name("registry.yaml").read_text()))
