"""Datagrams arrive in order and in batches, and none that has arrived is lost at the end."""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import termios
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from reconciler.loop import receipt
from reconciler.loop.receipt import receive
from reconciler.loop.serve import Clockwork
from reconciler.model.sockets import DECISIONS_SOCKET
from reconciler.store.decisions import read_decisions
from reconciler.store.verify import verify
from tests.support.waiting import eventually
from tests.unit.loop.conftest import Site


@contextmanager
def receiving(path: Path, keep: list[list[bytes]], gate: threading.Event | None = None) -> Iterator[socket.socket]:
    """A sender to a receiver that keeps into `keep`, once the gate is open."""

    def kept(lines: list[bytes]) -> None:
        if gate is not None:
            gate.wait(20)
        keep.append(lines)

    stop = threading.Event()
    with ExitStack() as stack, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        receive(stack, path, kept, stop)
        sender.connect(str(path))
        sender.settimeout(20)
        yield sender
        stop.set()
        if gate is not None:
            gate.set()


def test_what_queues_while_one_batch_is_kept_is_the_next_batch(tmp_path: Path) -> None:
    kept: list[list[bytes]] = []
    gate = threading.Event()
    with receiving(tmp_path / "d", kept, gate) as sender:
        sender.send(b"1")
        eventually(lambda: not queued(tmp_path / "d", sender), "the first to be taken")
        for line in (b"2", b"3", b"4"):
            sender.send(line)
        gate.set()
        eventually(lambda: sum(map(len, kept)) == 4, "all of them")
    assert kept == [[b"1"], [b"2", b"3", b"4"]]


def queued(path: Path, sender: socket.socket) -> bool:
    """Whether bytes wait that this socket has sent (SIOCOUTQ)."""
    waiting: int = struct.unpack("i", fcntl.ioctl(sender, termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    return waiting > 0


def test_what_has_arrived_before_the_end_is_kept(tmp_path: Path) -> None:
    kept: list[list[bytes]] = []
    with receiving(tmp_path / "d", kept) as sender:
        for number in range(200):
            sender.send(b"%d" % number)
    assert [line for lines in kept for line in lines] == [b"%d" % number for number in range(200)]


def test_a_batch_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipt, "DECISION_BATCH", 3)
    kept: list[list[bytes]] = []
    with receiving(tmp_path / "d", kept) as sender:
        for number in range(50):
            sender.send(b"%d" % number)
    assert max(map(len, kept)) <= 3
    assert sum(map(len, kept)) == 50


def test_what_comes_by_the_socket_is_in_the_state_store_and_nonsense_is_said(site: Site) -> None:
    clockwork = Clockwork(site.reconciler(), site.directory, scan_seconds=60)
    line = json.dumps({"time": "2030-01-01T00:00:00.000Z", "code": "drift", "allowed": False, "user": "eve"}).encode()
    thread = threading.Thread(target=clockwork.run, daemon=True)
    thread.start()
    path = site.directory / DECISIONS_SOCKET
    eventually(path.exists, "the socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        eventually(lambda: sender.connect_ex(str(path)) == 0, "the receiver")
        for sent in (line, b"nonsense", line):
            sender.send(sent)
    clockwork.stop()
    thread.join(20)
    assert [one["user"] for one in read_decisions(clockwork.reconciler.state)[0]] == ["eve", "eve"]
    assert verify(clockwork.reconciler.state).whole
    assert any("1 lines are not kept: a decision that is not JSON" in said for said in site.said)
