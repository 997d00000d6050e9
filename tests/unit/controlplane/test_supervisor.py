"""Holds what the supervisor does with processes, with `sleep` in the place of components."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from setscrew.controlplane.errors import ControlPlaneError
from setscrew.controlplane.processes import Processes
from setscrew.controlplane.workdir import Workdir
from tests.support.waiting import eventually

SLEEP = ["/bin/sleep", "600"]


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workdir:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return Workdir.create()


@pytest.fixture
def processes(workdir: Workdir) -> Iterator[Processes]:
    held = Processes(workdir)
    yield held
    held.close()


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "gone"


def test_closing_kills_all_and_removes_the_directory(processes: Processes, workdir: Workdir) -> None:
    pids = [processes.start(name, SLEEP, workdir.log(name)) for name in ("one", "two")]
    processes.pause("one")
    processes.close()
    processes.close()
    assert [_state(pid) for pid in pids] == ["gone", "gone"]
    assert not workdir.root.exists()
    with pytest.raises(ControlPlaneError, match="was stopped"):
        processes.exited()


def test_a_component_is_paused_and_goes_on(processes: Processes, workdir: Workdir) -> None:
    pid = processes.start("one", SLEEP, workdir.log("one"))
    processes.pause("one")
    assert eventually(lambda: _state(pid) == "T", "stopped")
    processes.resume("one")
    assert eventually(lambda: _state(pid) == "S", "sleeping")


def test_a_stopped_component_has_not_exited_by_itself(processes: Processes, workdir: Workdir) -> None:
    processes.start("one", SLEEP, workdir.log("one"))
    processes.start("two", ["/bin/sh", "-c", "echo last words; exit 7"], workdir.log("two"))
    processes.pause("one")
    processes.stop("one")
    assert eventually(lambda: processes.exited() == {"two": 7}, "two ended")
    assert workdir.log("two").read_text() == "last words\n"


def test_a_component_that_ignores_sigterm_is_killed(
    processes: Processes, workdir: Workdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("setscrew.controlplane.processes.STOP_GRACE_SECONDS", 0.2)
    script = ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do /bin/sleep 1; done"]
    pid = processes.start("one", script, workdir.log("one"))
    assert eventually(lambda: workdir.log("one").read_text(), "the trap is set")
    processes.stop("one")
    assert _state(pid) == "gone"


def test_what_cannot_be_done_is_an_error_and_the_supervisor_lives_on(processes: Processes, workdir: Workdir) -> None:
    with pytest.raises(ControlPlaneError, match="FileNotFoundError"):
        processes.start("one", ["/no/such/program"], workdir.log("one"))
    with pytest.raises(ControlPlaneError, match="stop nobody: KeyError"):
        processes.stop("nobody")
    assert processes.exited() == {}


def test_components_see_nothing_of_our_environment(workdir: Workdir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCD_NAME", "of-the-person")
    processes = Processes(workdir)
    processes.start("one", ["/usr/bin/env"], workdir.log("one"))
    assert eventually(lambda: workdir.log("one").read_text(), "the environment is printed")
    assert "of-the-person" not in workdir.log("one").read_text()
    processes.close()


def test_a_fork_that_holds_the_pipe_open_does_not_keep_the_dead_owner_alive(tmp_path: Path) -> None:
    script = """
import os, time
from setscrew.controlplane.processes import Processes
from setscrew.controlplane.workdir import Workdir
workdir = Workdir.create()
processes = Processes(workdir)
pid = processes.start("one", ["/bin/sleep", "600"], workdir.log("one"))
fork = os.fork()
if fork == 0:
    time.sleep(60)
print(pid, fork, flush=True)
os._exit(0)
"""
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", script], env=environ, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid, fork = map(int, owner.stdout.readline().split())
        owner.wait(10)
        assert eventually(lambda: _state(pid) == "gone", "the component is gone")
        assert _state(fork) == "S"
        os.kill(fork, 9)
    assert eventually(lambda: list(tmp_path.iterdir()) == [], "an empty directory")
