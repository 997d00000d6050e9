"""Holds that only directories of dead owners are swept, and ports stay reserved."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from setscrew.controlplane.pki import write_private
from setscrew.controlplane.ports import Reservation, listens
from setscrew.controlplane.workdir import PREFIX, Workdir, sweep


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def _aged(path: Path) -> Path:
    os.utime(path, (0, 0), follow_symlinks=False)
    return path


def test_a_directory_is_private(temp: Path) -> None:
    workdir = Workdir.create()
    os.close(workdir.lock)
    for path in (workdir.root, workdir.pki, workdir.users, workdir.home):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    write_private(workdir.users / "a", b"key")
    assert stat.S_IMODE((workdir.users / "a").stat().st_mode) == 0o600


def test_a_live_owner_keeps_its_directory(temp: Path) -> None:
    workdir = Workdir.create()
    _aged(workdir.root)
    assert sweep() == []
    os.close(workdir.lock)
    assert sweep() == [workdir.root]
    assert list(temp.iterdir()) == []


def test_a_young_directory_may_not_be_locked_yet(temp: Path) -> None:
    (temp / f"{PREFIX}new").mkdir()
    assert sweep() == []


def test_links_and_files_of_that_name_are_left_alone(temp: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    victim = tmp_path_factory.mktemp("victim")
    (victim / "precious").touch()
    (temp / f"{PREFIX}link").symlink_to(victim)
    (temp / f"{PREFIX}file").touch()
    for path in temp.iterdir():
        _aged(path)
    assert sweep() == []
    assert (victim / "precious").exists()


def test_a_reserved_port_serves_its_server_and_nobody_else_by_accident() -> None:
    reserved = Reservation.take()
    assert not listens(reserved.port)
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", reserved.port))
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(("127.0.0.1", reserved.port))
        server.listen()
        assert listens(reserved.port)
    reserved.release()


def test_reserved_ports_differ() -> None:
    held = [Reservation.take() for _ in range(50)]
    assert len({reservation.port for reservation in held}) == 50
    for reservation in held:
        reservation.release()
