"""Owns what is done to an installation while writes flow: each trial is one blow, and ends when all is well again.

A trial says which failures it excuses: only the restart of a single replica has any, since a review that is in a
process when it is killed ends with it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from tests.chaos.balancer import trusting
from tests.chaos.parts import NAMES, Parts, wait
from tests.chaos.world import fill
from webhook.tls.authority import issue, read_pair

Excused = Literal["nothing", "in flight", "outage"]
_PAUSE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One blow. `excused`: allowed writes that must fail with it ("in flight": those in a killed process)."""

    name: str
    act: Callable[[Parts, Size], None]
    excused: Excused = "nothing"


@dataclass(frozen=True, slots=True)
class Size:
    """How much of each: the short form of the tests and the long one."""

    switches: int = 100
    rotations: int = 5
    kills: int = 5
    connections: int = 1_000


def calm(_: Parts, size: Size) -> None:
    """Nothing happens."""
    time.sleep(size.kills * _PAUSE_SECONDS)


def worker_killed(parts: Parts, size: Size) -> None:
    """A worker dies of SIGKILL; its sister and the other replica go on, the master starts another."""
    for number in range(size.kills):
        part = list(parts.replicas.values())[number % 2]
        before = part.workers()
        os.kill(random.Random(number).choice(before), signal.SIGKILL)  # noqa: S311 - a repeatable run
        wait("another worker", lambda part=part, before=before: len(set(part.workers()) - set(before)) == 1)  # type: ignore[misc]
        time.sleep(_PAUSE_SECONDS)


def rolling_restart(parts: Parts, _: Size) -> None:
    """One replica after the other, as a Deployment rolls: it drains, it ends, its successor is ready."""
    for port, part in parts.replicas.items():
        assert part.process is not None
        part.process.terminate()
        part.process.wait(60)
        parts.wait_unready(port)
        part.start()
        parts.wait_ready(port)
        time.sleep(_PAUSE_SECONDS)


def single_replica_restarted(parts: Parts, _: Size) -> None:
    """One replica only, and its master dies: nobody answers for a while."""
    (first, _kept), (second, other) = parts.replicas.items()
    other.stop()
    parts.wait_unready(second)
    time.sleep(_PAUSE_SECONDS)
    parts.replicas[first].stop(signal.SIGKILL)
    time.sleep(_PAUSE_SECONDS)
    for part in parts.replicas.values():
        part.start()
    parts.wait_ready()


def certificate_rotated(parts: Parts, size: Size) -> None:
    """New serving certificates of the same authority, as a renewal writes them."""
    tls = parts.stage.state_dir / "tls"
    for _ in range(size.rotations):
        authority = read_pair((tls / "ca.crt").read_bytes(), (tls / "ca.key").read_bytes())
        assert authority is not None
        leaf = issue(authority, NAMES, datetime.now(UTC))
        for name, content in (("tls.key", leaf.key_pem), ("tls.crt", leaf.certificate_pem)):
            new = tls / f".{name}.new"
            new.write_bytes(content)
            new.chmod(0o600)
            new.replace(tls / name)
        serial = leaf.certificate.serial_number
        wait("the new certificate", lambda serial=serial: all(_serial(port) == serial for port in parts.replicas))  # type: ignore[misc]


def snapshots_switched(parts: Parts, size: Size) -> None:
    """A push after the other, each a new snapshot in both replicas."""
    repository = parts.stage.repository
    for number in range(1, size.switches + 1):
        fill(repository.work, number)
        commit = repository.commit(f"Turn {number}")
        repository.push()
        wait("the snapshot of a push", lambda commit=commit: parts.stage.enforced(commit))  # type: ignore[misc]


def pointer_damaged(parts: Parts, _: Size) -> None:
    """The pointer is cut short, names a file that is none of ours, or is not there: the last good snapshot stays."""
    snapshots = parts.stage.state_dir / "snapshots"
    pointer = snapshots / "current.json"
    good = pointer.read_text()
    foreign = snapshots / f"{'0' * 64}.sqlite"
    foreign.write_bytes(b"SQLite format 3\0 but not really")
    wrong = f'{{"file": "{foreign.name}", "digest": "{"0" * 64}"}}'
    for text in (good[: len(good) // 2], wrong, "[]", ""):
        _replace(pointer, text)
        time.sleep(_PAUSE_SECONDS / 2)
    pointer.unlink()
    time.sleep(_PAUSE_SECONDS)
    _replace(pointer, good)
    foreign.unlink()
    time.sleep(_PAUSE_SECONDS / 2)


def disk_full(parts: Parts, _: Size) -> None:
    """No byte is left for a snapshot or a record while a push comes; with room again the push takes effect."""
    state, repository = parts.stage.state_dir, parts.stage.repository
    ballast = state / "ballast"
    # Without a buffer: what stood in one would be written, in vain, once more when the file is closed.
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 65_536):
            pass
    fill(repository.work, 1_000)
    commit = repository.commit("While the disk is full")
    repository.push()
    time.sleep(3 * _PAUSE_SECONDS)
    ballast.unlink()
    wait("the push that came while the disk was full", lambda: parts.stage.enforced(commit))


def silent_connections(parts: Parts, _: Size) -> None:
    """Forty connections that say one byte, or nothing, or half a request."""
    with _connections(parts, 40) as opened:
        for number, one in enumerate(opened):
            one.sendall((b"", b"\x16", b"POST /validate HTTP/1.1\r\nHost: x\r\n")[number % 3])
        time.sleep(4 * _PAUSE_SECONDS)


def many_connections(parts: Parts, size: Size) -> None:
    """A thousand connections at once, each past its handshake."""
    with _connections(parts, size.connections, handshake=True):
        time.sleep(2 * _PAUSE_SECONDS)


TRIALS: Final = (
    Trial("calm", calm),
    Trial("worker killed", worker_killed, "in flight"),
    Trial("rolling restart", rolling_restart),
    Trial("certificate rotated", certificate_rotated),
    Trial("snapshots switched", snapshots_switched),
    Trial("pointer damaged", pointer_damaged),
    Trial("disk full", disk_full),
    Trial("silent connections", silent_connections),
    Trial("many connections", many_connections),
    Trial("single replica restarted", single_replica_restarted, "outage"),
)


@contextmanager
def small_disk(directory: Path, megabytes: int = 256) -> Iterator[bool]:
    """A file system of its own on `directory`, so that it can be full; False where we may not mount one.

    Room for the record of a long run: 30,000 denials fill some 60 MB, and the disk is full in one trial only.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    mount, umount = shutil.which("mount"), shutil.which("umount")
    command = [mount or "", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "setscrew-chaos", str(directory)]
    if not mount or not umount or subprocess.run(command, capture_output=True, check=False).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run([umount, "-l", str(directory)], check=False)


@contextmanager
def _connections(parts: Parts, number: int, *, handshake: bool = False) -> Iterator[list[socket.socket]]:
    ports = tuple(parts.replicas)
    with ExitStack() as stack:
        opened = []
        for index in range(number):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", ports[index % len(ports)]), 30))
            opened.append(stack.enter_context(trusting().wrap_socket(one)) if handshake else one)
        yield opened


def _serial(port: int) -> int:
    from cryptography import x509

    return x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port)).encode()).serial_number


def _replace(path: Path, text: str) -> None:
    new = path.with_name(".chaos.new")
    new.write_text(text)
    new.replace(path)
