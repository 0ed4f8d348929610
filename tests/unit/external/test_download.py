"""Downloads against a local server that misbehaves in every known way."""

from __future__ import annotations

import fcntl
import hashlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from blindface.base.errors import ExternalFileError
from blindface.external import download as downloads
from blindface.external.download import Hosts, Patience, download
from blindface.external.finder import Finder
from blindface.external.registry import Form, Registry
from blindface.external.resume import PlainWriter, part_path

CONTENT = bytes(range(256)) * 1024
HALF = len(CONTENT) // 2
FLIPPED = CONTENT[:5000] + bytes([CONTENT[5000] ^ 1]) + CONTENT[5001:]
PAGE = b"<html>One moment, please</html>"


class Server(ThreadingHTTPServer):
    """Counts what it is asked; `/late` answers rightly from the second time on."""

    daemon_threads = True
    asked: list[str]
    ranges: list[int]
    release: threading.Event


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        kind = self.path.strip("/").partition("?")[0]
        self.server.asked.append(kind)
        if kind == "late":
            kind = "good" if self.server.asked.count("late") > 1 else "forbidden"
        status, body, length = {
            "good": (200, CONTENT, len(CONTENT)),
            "forbidden": (403, PAGE, len(PAGE)),
            "accepted": (202, PAGE, len(PAGE)),
            "gone": (404, PAGE, len(PAGE)),
            "flipped": (200, FLIPPED, len(CONTENT)),
            "truncated": (200, CONTENT[:1000], len(CONTENT)),
            "short": (200, CONTENT[:1000], 1000),
            "endless": (200, CONTENT + CONTENT, 2 * len(CONTENT)),
            "stalled": (200, CONTENT[:1000], len(CONTENT)),
            "trickle": (200, b"", len(CONTENT)),
            "halves": self.half(),
            "elsewhere": (206, CONTENT[7:], len(CONTENT) - 7),
        }[kind]
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {len(CONTENT) - length}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Type", "text/html" if body is PAGE else "application/octet-stream")
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if kind == "stalled":
            self.server.release.wait(10)
        while kind == "trickle" and not self.server.release.wait(0.05):
            self.wfile.write(b"x")
            self.wfile.flush()

    def half(self) -> tuple[int, bytes, int]:
        """Goes on where it is asked to; breaks off in the middle of a whole file."""
        asked = self.headers["Range"]
        if asked is None:
            return 200, CONTENT[:HALF], len(CONTENT)
        first = int(asked.removeprefix("bytes=").removesuffix("-"))
        self.server.ranges.append(first)
        return 206, CONTENT[first:], len(CONTENT) - first

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.asked, server.ranges, server.release = [], [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """Fresh knowledge of hosts, and little patience."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost,invalid")
    patience = Patience(connect=1.0, read=0.4, pauses=(0.01, 0.02), slow=0.5, slowest=1000)
    hosts = Hosts(patience)
    monkeypatch.setattr(downloads, "HOSTS", hosts)
    return hosts


def url(server: Server, kind: str) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/{kind}"


def form(*urls: str, **changes: object) -> Form:
    values = {
        "file": "weights/a.bin",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "bytes": len(CONTENT),
        "urls": urls,
    }
    return Form.model_validate({**values, **changes})


def fetch(entry: Form, target: Path, hosts: Hosts) -> tuple[bool, list[str]]:
    write = PlainWriter(hosts, entry.bytes, target, entry.objection)
    return download(entry.urls, target, entry.objection, write=write, hosts=hosts)


BAD = {
    "forbidden": "answer 403 with a web page",
    "accepted": "answer 202 with a web page",
    "gone": "answer 404",
    "flipped": "SHA256",
    "truncated": "broke off",
    "short": "1,000 bytes instead of 262,144",
    "endless": "more than the 262,144 bytes",
    "stalled": "stalled after 1,000 bytes",
    "trickle": "stalled at",
}


@pytest.mark.parametrize(("kind", "reason"), BAD.items())
def test_bad_answer_is_caught_and_leaves_nothing(
    server: Server, hosts: Hosts, tmp_path: Path, kind: str, reason: str
) -> None:
    done, reasons = fetch(form(url(server, kind)), tmp_path / "a.bin", hosts)
    assert not done
    assert reason in reasons[0]
    kept = {"truncated": [".a.bin.part"], "stalled": [".a.bin.part"], "trickle": [".a.bin.part"]}
    assert [path.name for path in tmp_path.iterdir()] == kept.get(kind, [])


@pytest.mark.parametrize("kind", BAD)
def test_next_address_is_taken_after_a_bad_answer(server: Server, hosts: Hosts, tmp_path: Path, kind: str) -> None:
    done, _ = fetch(form(url(server, kind), url(server, "good")), tmp_path / "a.bin", hosts)
    assert done
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.asked == [kind, "good"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_broken_transfer_goes_on_where_it_stopped(server: Server, hosts: Hosts, tmp_path: Path) -> None:
    assert fetch(form(url(server, "halves")), tmp_path / "a.bin", hosts)[0]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert (server.asked, server.ranges) == (["halves", "halves"], [HALF])
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_what_a_killed_process_left_is_gone_on_with(server: Server, hosts: Hosts, tmp_path: Path) -> None:
    part_path(tmp_path / "a.bin").write_bytes(CONTENT[:9999])
    assert fetch(form(url(server, "halves")), tmp_path / "a.bin", hosts)[0]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.ranges == [9999]
    part_path(tmp_path / "b.bin").write_bytes(CONTENT)
    assert fetch(form(url(server, "halves")), tmp_path / "b.bin", hosts)[0]
    assert server.asked == ["halves"]


@pytest.mark.parametrize("left", [b"x" * 9999, b"x" * len(CONTENT), CONTENT + b"x"], ids=["some", "all", "more"])
@pytest.mark.parametrize("kinds", [("good",), ("halves", "good"), ("elsewhere", "good")], ids="+".join)
def test_wrong_leftover_costs_nothing_but_time(
    server: Server, hosts: Hosts, tmp_path: Path, left: bytes, kinds: tuple[str, ...]
) -> None:
    part_path(tmp_path / "a.bin").write_bytes(left)
    assert fetch(form(*(url(server, kind) for kind in kinds)), tmp_path / "a.bin", hosts)[0]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_part_that_another_process_fills_is_left_alone(server: Server, hosts: Hosts, tmp_path: Path) -> None:
    with open(part_path(tmp_path / "a.bin"), "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write(b"theirs")
        other.flush()
        assert fetch(form(url(server, "good")), tmp_path / "a.bin", hosts)[0]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert part_path(tmp_path / "a.bin").read_bytes() == b"theirs"


def test_bad_answer_never_replaces_the_file_that_is_there(server: Server, hosts: Hosts, tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"before")
    assert not fetch(form(url(server, "flipped")), target, hosts)[0]
    assert target.read_bytes() == b"before"


def test_passing_failure_is_asked_again(server: Server, hosts: Hosts, tmp_path: Path) -> None:
    assert fetch(form(url(server, "late")), tmp_path / "a.bin", hosts)[0]
    assert server.asked == ["late", "late"]


def test_lasting_failure_is_not_asked_again(server: Server, hosts: Hosts, tmp_path: Path) -> None:
    fetch(form(url(server, "gone")), tmp_path / "a.bin", hosts)
    assert server.asked == ["gone"]


def test_host_that_only_answers_pages_is_waited_for_once(server: Server, hosts: Hosts, tmp_path: Path) -> None:
    fetch(form(url(server, "forbidden")), tmp_path / "a.bin", hosts)
    assert len(server.asked) == 1 + len(hosts.patience.pauses)
    fetch(form(url(server, "forbidden")), tmp_path / "b.bin", hosts)
    assert len(server.asked) == 2 + len(hosts.patience.pauses)


def test_unhashed_size_is_still_limited_by_the_hash(server: Server, hosts: Hosts, tmp_path: Path) -> None:
    entry = form(url(server, "flipped"), bytes=None, sha256=None, md5=hashlib.md5(CONTENT).hexdigest())
    done, reasons = fetch(entry, tmp_path / "a.bin", hosts)
    assert not done
    assert "MD5" in reasons[0]


def test_dead_hosts_cost_their_time_together_and_once(hosts: Hosts, tmp_path: Path) -> None:
    # 192.0.2.0/24 is reserved for documentation (RFC 5737): packets to it are refused or lost
    urls = [f"http://192.0.2.{last}/a.bin" for last in range(1, 9)] + ["http://nowhere.invalid/a.bin"]
    started = time.monotonic()
    done, reasons = fetch(form(*urls), tmp_path / "a.bin", hosts)
    first = time.monotonic() - started
    assert not done
    assert len(reasons) == len(urls)
    assert first < 2.0  # one connect time-out and a half; nine in a row would take nine
    started = time.monotonic()
    fetch(form(*urls), tmp_path / "a.bin", hosts)
    assert time.monotonic() - started < 0.2


def test_refused_connection_is_final(hosts: Hosts, tmp_path: Path) -> None:
    done, reasons = fetch(form("http://127.0.0.1:1/a.bin"), tmp_path / "a.bin", hosts)
    assert not done
    assert "127.0.0.1:1 cannot be reached" in reasons[0]
    assert "127.0.0.1:1" in hosts.unreachable


def finder(tmp_path: Path, entry: Form, mirror: Path | None = None) -> Finder:
    registry = Registry.model_validate(
        {"files": {"thing": {"purpose": "a test", "licence": "none", "forms": [entry.model_dump()]}}}
    )
    return Finder(mirror, tmp_path / "cache", registry)


def test_wrong_mirror_file_is_named_and_the_network_gives_the_right_one(
    server: Server, hosts: Hosts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror = tmp_path / "mirror" / "deep"
    mirror.mkdir(parents=True)
    (mirror / "a.bin").write_bytes(FLIPPED)
    found = finder(tmp_path, form(url(server, "good")), mirror.parent).find("thing")
    assert found.origin == "network"
    assert found.path.read_bytes() == CONTENT
    assert str(mirror / "a.bin") in capsys.readouterr().err


def test_cached_file_is_used_without_the_network_and_replaced_when_it_rots(
    server: Server, hosts: Hosts, tmp_path: Path
) -> None:
    entry = form(url(server, "good"))
    path = finder(tmp_path, entry).find("thing").path
    assert finder(tmp_path, entry).find("thing").origin == "cache"
    assert server.asked == ["good"]
    path.write_bytes(FLIPPED)
    assert finder(tmp_path, entry).look("thing").state == "wrong"
    assert finder(tmp_path, entry).find("thing").path.read_bytes() == CONTENT


def test_error_names_the_file_what_was_tried_and_the_remedy(server: Server, hosts: Hosts, tmp_path: Path) -> None:
    with pytest.raises(ExternalFileError) as caught:
        finder(tmp_path, form(url(server, "forbidden"))).find("thing")
    message = str(caught.value)
    assert "thing (a test) cannot be had" in message
    assert "answer 403" in message
    assert "BLINDFACE_MIRROR" in message
    assert url(server, "forbidden") in message
