"""Looking an external file up: a mirror folder, the cache, its addresses. Never used before its hash is right."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from blindface.base.errors import ExternalFileError
from blindface.base.files import sha256_file
from blindface.base.progress import say
from blindface.external.registry import ExternalFile, Form, Registry, load_registry

MIRROR = "BLINDFACE_MIRROR"
CACHE = "BLINDFACE_CACHE"
Origin = Literal["mirror", "cache", "network"]


@dataclass(frozen=True)
class Found:
    """A file whose bytes are the registered ones."""

    path: Path
    form: Form
    origin: Origin


@dataclass(frozen=True)
class State:
    """What `blindface fetch --check` says of one file."""

    state: Literal["here", "missing", "wrong"]
    where: str


@dataclass
class Finder:
    """Finds external files. `mirror`: a folder or None; `cache`: a folder that is made when needed."""

    mirror: Path | None
    cache: Path
    registry: Registry = field(default_factory=load_registry)
    network: bool = True
    _known: dict[str, Found] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls) -> Finder:
        """The mirror and cache that the environment names, or no mirror and the platform's cache folder.

        Errors: ExternalFileError if BLINDFACE_MIRROR is no folder.
        """
        place = os.environ.get(MIRROR)
        if place and not Path(place).is_dir():
            raise ExternalFileError(f"{MIRROR} names {place}, which is no folder: correct it or unset it")
        return cls(Path(place) if place else None, default_cache())

    def find(self, name: str) -> Found:
        """The file of that name, in the first of its forms that can be had.

        Errors: ExternalFileError with what was tried and how to supply the file.
        """
        file = self.registry.get(name)
        tried: list[str] = []
        found = self._known.get(name) or self._at_hand(file, tried) or self._download(file, tried)
        if found:
            self._known[name] = found
            return found
        raise ExternalFileError(f"{name} ({file.purpose}) cannot be had: {'; '.join(tried)}; {remedy(file)}")

    def loose(self, name: str) -> Path | None:
        """A file of that base name, registered or not: in the mirror, our cache, or a cache of PyTorch's.

        One that the registry knows by this name must be the registered one, and one whose name carries the first digits
        of its hash, as PyTorch's do, must have them.
        """
        hub = Path(os.environ.get("TORCH_HOME") or Path.home() / ".cache" / "torch") / "hub"
        places = [self.cache / "weights", hub / "pyiqa", hub / "checkpoints", Path.home() / ".cache" / "pyiqa"]
        found = [path for path in sorted(self.mirror.rglob(name)) if path.is_file()] if self.mirror else []
        found += [place / name for place in places if (place / name).is_file()]
        known = [form for _, form in self.registry.forms() if name in form.names]
        return next((path for path in found if self._believed(path, known)), None)

    @staticmethod
    def _believed(path: Path, known: list[Form]) -> bool:
        stamped = re.search(r"-([0-9a-f]{8,})\.", path.name)
        wrong = known and all(form.objection(path) for form in known)
        if wrong or (stamped and not sha256_file(path).startswith(stamped[1])):
            say(f"blindface: {path} is not what its name says (its hash is another); looking further")
            return False
        return True

    def look(self, name: str) -> State:
        """Whether the file is at hand, without asking the network."""
        file, tried = self.registry.get(name), list[str]()
        found = self._at_hand(file, tried, quiet=True)
        if found:
            return State("here", f"{found.origin}: {found.path}")
        wrong = [reason for reason in tried if "is not it" in reason]
        return State("wrong", "; ".join(wrong)) if wrong else State("missing", "")

    def prepare(self, names: Iterable[str]) -> None:
        """Ask all hosts that `find` would need for these names at once, so that dead ones cost seconds in total."""
        if not self.network:
            return
        urls: list[str] = []
        for name in names:
            file = self.registry.get(name)
            found = self._at_hand(file, [], quiet=True)
            if found:
                self._known[name] = found
            else:
                urls += [url for form in file.forms for url in form.addresses]
        if urls:
            from blindface.external.download import HOSTS

            HOSTS.probe(urls)

    def _at_hand(self, file: ExternalFile, tried: list[str], quiet: bool = False) -> Found | None:
        for origin, places in (("mirror", self._in_mirror), ("cache", self._in_cache)):
            for form in file.forms:
                for path in places(form):
                    wrong = form.objection(path)
                    if wrong is None:
                        return Found(path, form, "mirror" if origin == "mirror" else "cache")
                    tried.append(f"{path} is not it, {wrong}")
                    if not quiet:
                        say(f"blindface: {path} is not the registered file ({wrong}); looking further")
        tried.insert(0, f"it is not in the mirror {self.mirror}" if self.mirror else f"{MIRROR} is not set")
        return None

    def _in_mirror(self, form: Form) -> list[Path]:
        return sorted(path for name in form.names for path in self._index.get(name, []))

    def _in_cache(self, form: Form) -> list[Path]:
        path = self.cache / form.file
        return [path] if path.is_file() else []

    @cached_property
    def _index(self) -> dict[str, list[Path]]:
        names = {name for _, form in self.registry.forms() for name in form.names}
        index: dict[str, list[Path]] = {}
        for folder, _, files in os.walk(self.mirror) if self.mirror else []:
            for name in names.intersection(files):
                index.setdefault(name, []).append(Path(folder) / name)
        return index

    def _download(self, file: ExternalFile, tried: list[str]) -> Found | None:
        if not self.network:
            return None
        for form in file.forms:
            if not form.addresses:
                continue
            target = self.cache / form.file
            done, failures = _fetch(form, target)
            if done:
                return Found(target, form, "network")
            tried += failures
        return None


def _fetch(form: Form, target: Path) -> tuple[bool, list[str]]:
    from blindface.external.download import HOSTS, download
    from blindface.external.repack import write_repacked
    from blindface.external.resume import PlainWriter

    HOSTS.probe(form.addresses)
    if not HOSTS.all_dead(form.addresses):
        say(f"blindface: fetching {form.basename}" + (f" ({form.bytes / 1e6:,.1f} MB)" if form.bytes else ""))
    plain = PlainWriter(HOSTS, form.bytes, target, form.objection)
    done, failures = download(form.urls, target, form.objection, write=plain, hosts=HOSTS)
    recipe = form.repack
    if recipe and not done:

        def write(url: str, path: Path) -> None:
            write_repacked(recipe, HOSTS, path)

        done, more = download([recipe.url], target, form.objection, write=write, hosts=HOSTS)
        failures += more
    return done, failures


def default_cache() -> Path:
    """The folder that BLINDFACE_CACHE names, or the platform's cache folder for programs."""
    place = os.environ.get(CACHE)
    if place:
        return Path(place).absolute()
    import pooch

    return Path(pooch.os_cache("blindface"))


def remedy(file: ExternalFile) -> str:
    """How a person supplies the file."""
    addresses = [url for form in file.forms for url in form.urls]
    notes = [form.note for form in file.forms if form.note]
    if addresses:
        form = next(form for form in file.forms if form.urls)
        return f"download {form.basename} from {addresses[0]} into a folder and set {MIRROR} to that folder"
    names = " or ".join(form.basename for form in file.forms)
    why = f" ({notes[0]})" if notes else ""
    return f"put {names}{why} into a folder and set {MIRROR} to that folder"


def find_file(name: str) -> Found:
    """The registered file of that name, its bytes checked: from the mirror, the cache or the network.

    Errors: ExternalFileError, one sentence with what was tried and how to supply the file.
    """
    return Finder.from_environment().find(name)
