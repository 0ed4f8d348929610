"""Downloads that end with the right bytes or with a reason, within seconds where there is no network."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import select_proxy

from blindface.base.files import atomic_path

CHUNK = 1 << 16
FINAL_STATUS = frozenset({401, 404, 405, 410, 451})
"""Answers that asking again does not change. Others, 403 and 202 among them, may be a passing web page."""


@dataclass(frozen=True)
class Patience:
    """How long is waited, and how often it is tried again; times in seconds."""

    connect: float = 3.0
    read: float = 20.0
    pauses: tuple[float, ...] = (1.0, 2.0, 4.0)
    slow: float = 30.0
    slowest: float = 2_000.0
    """Bytes per second; a transfer that is slower on average after `slow` seconds has stalled."""


class DownloadError(Exception):
    """One attempt failed. `final`: asking the same address again would not help."""

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


@dataclass
class Hosts:
    """What this process knows of hosts: one that cannot be reached is not asked again."""

    patience: Patience = field(default_factory=Patience)
    unreachable: dict[str, str] = field(default_factory=dict)
    unhelpful: set[str] = field(default_factory=set)
    """Hosts whose every answer to some file was wrong: they are asked once per file from then on."""
    reached: set[str] = field(default_factory=set)

    def probe(self, urls: Iterable[str]) -> None:
        """Try to connect to the hosts of all addresses at once, so that many dead ones cost no more than one."""
        # Name look-ups know no time limit of their own: threads that are left behind if they hang.
        waiting = {}
        for url in urls:
            host = _host(url)
            if host not in self.reached and host not in self.unreachable and host not in waiting:
                waiting[host] = threading.Thread(target=self._connect, args=(url,), daemon=True)
                waiting[host].start()
        deadline = time.monotonic() + self.patience.connect + 0.5
        for host, thread in waiting.items():
            thread.join(max(0.0, deadline - time.monotonic()))
            if host not in self.reached:
                self.unreachable.setdefault(host, f"{host} did not answer within {self.patience.connect:g} s")

    def all_dead(self, urls: Iterable[str]) -> bool:
        """Whether none of the addresses is worth a request."""
        return all(_host(url) in self.unreachable for url in urls)

    def _connect(self, url: str) -> None:
        host = _host(url)
        # Behind a proxy it is the proxy that must be reached; it looks the name up.
        address = urlsplit(select_proxy(url, requests.utils.get_environ_proxies(url)) or url)
        try:
            port = address.port or (80 if address.scheme == "http" else 443)
            socket.create_connection((address.hostname or "", port), self.patience.connect).close()
        except OSError as error:
            self.unreachable[host] = f"{host} cannot be reached ({error.strerror or error})"
        else:
            self.reached.add(host)


HOSTS = Hosts()
"""The hosts as this process has met them."""


def _host(url: str) -> str:
    return urlsplit(url).netloc


@dataclass(frozen=True)
class Transfer:
    """A transfer that has begun: the first byte of it (0 unless it goes on), all bytes of the file where said, and it.

    Going through `chunks` raises DownloadError for a broken or stalled transfer, or more bytes than allowed.
    """

    first: int
    total: int | None
    chunks: Iterator[bytes]


def begin(url: str, hosts: Hosts, limit: int | None = None, first: int = 0) -> Transfer:
    """Ask for what is behind an address, from the byte `first` on; an address that cannot do so gives the whole.

    Errors: DownloadError for any other answer.
    """
    answer = _ask(url, hosts, {"Accept-Encoding": "identity"} | ({"Range": f"bytes={first}-"} if first else {}))
    length = answer.headers.get("content-length", "")
    total = int(length) if length.isdigit() else None
    if answer.status_code == 206 and first:
        place = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("content-range", ""))
        if place is None or int(place[1]) != first:
            answer.close()
            raise DownloadError("another part than asked for came")
        total = int(place[2])
    elif answer.status_code == 200:
        first = 0
    else:
        answer.close()
        kind = answer.headers.get("content-type", "").partition(";")[0]
        page = " with a web page" if kind == "text/html" else ""
        raise DownloadError(f"answer {answer.status_code}{page}", final=answer.status_code in FINAL_STATUS)
    return Transfer(first, total, _body(answer, hosts.patience, first, limit))


def _ask(url: str, hosts: Hosts, headers: dict[str, str]) -> requests.Response:
    patience = hosts.patience
    try:
        return requests.get(url, stream=True, timeout=(patience.connect, patience.read), headers=headers)
    except requests.ReadTimeout:
        raise DownloadError(f"no answer within {patience.read:g} s") from None
    except (requests.ConnectTimeout, requests.exceptions.ProxyError, requests.exceptions.SSLError) as error:
        hosts.unreachable[_host(url)] = f"{_host(url)} cannot be reached ({type(error).__name__})"
        raise DownloadError(hosts.unreachable[_host(url)], final=True) from None
    except requests.RequestException as error:
        raise DownloadError(f"no answer ({type(error).__name__})") from None


def _body(answer: requests.Response, patience: Patience, first: int, limit: int | None) -> Iterator[bytes]:
    started, received = time.monotonic(), 0
    with closing(answer):
        while True:
            try:
                # read1 returns what has arrived: a trickle cannot hold the loop for longer than the read time-out.
                chunk = answer.raw.read1(CHUNK, decode_content=True)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                reason = "stalled" if isinstance(error, urllib3.exceptions.ReadTimeoutError) else "broke off"
                raise DownloadError(f"the transfer {reason} after {first + received:,} bytes") from None
            if not chunk:
                return
            received += len(chunk)
            if limit is not None and first + received > limit:
                raise DownloadError(f"more than the {limit:,} bytes of the file came")
            seconds = time.monotonic() - started
            if seconds > patience.slow and received < seconds * patience.slowest:
                raise DownloadError(f"the transfer stalled at {received / seconds:,.0f} bytes per second")
            yield chunk


def download(
    urls: Iterable[str],
    target: Path,
    objection: Callable[[Path], str | None],
    *,
    write: Callable[[str, Path], None],
    hosts: Hosts,
) -> tuple[bool, list[str]]:
    """Fill `target` from the first address that gives the right bytes; return whether one did, and what the others did.

    `write(url, path)` fetches one address to a temporary path and `objection(path)` says what is wrong with it, or
    None. All addresses are tried before the first is asked again, after growing pauses. Only the right bytes ever touch
    the target.
    """
    reasons: dict[str, str] = {}
    hopeful = list(urls)
    hosts.probe(hopeful)
    for pause in (0.0, *hosts.patience.pauses):
        hopeful = [url for url in hopeful if not (pause and _host(url) in hosts.unhelpful)]
        if pause and hopeful:
            time.sleep(pause)
        for url in tuple(hopeful):
            try:
                _attempt(url, target, objection, write, hosts)
            except DownloadError as error:
                reasons[url] = str(error)
                if error.final:
                    hopeful.remove(url)
            else:
                return True, _sentences(reasons)
    hosts.unhelpful |= {_host(url) for url in hopeful}
    return False, _sentences(reasons)


def _sentences(reasons: dict[str, str]) -> list[str]:
    named = (reason if reason.startswith(_host(url)) else f"{_host(url)}: {reason}" for url, reason in reasons.items())
    return list(dict.fromkeys(named))


def _attempt(
    url: str, target: Path, objection: Callable[[Path], str | None], write: Callable[[str, Path], None], hosts: Hosts
) -> None:
    if _host(url) in hosts.unreachable:
        raise DownloadError(hosts.unreachable[_host(url)], final=True)
    with atomic_path(target) as temporary:
        write(url, temporary)
        wrong = objection(temporary)
        if wrong:
            raise DownloadError(f"what came is not the file: {wrong}")
