"""Which dead part of `setscrew run` is started again, when, and when there is no use. Parts are real processes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from setscrew import supervisor as module
from setscrew.supervisor import Child, Supervisor
from tests.support.waiting import eventually

FOREVER = "import time; time.sleep(600)"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WATCH_SECONDS", 0.02)
    monkeypatch.setattr(module.signal, "signal", lambda *_: None)


def child(name: str, code: str, *arguments: object, ready: bool = True) -> Child:
    return Child(name, [sys.executable, "-c", code, *map(str, arguments)], {}, lambda: ready)


def end_after(supervisor: Supervisor, seconds: float) -> None:
    timer = threading.Timer(seconds, supervisor._stop.set)
    timer.daemon = True
    timer.start()


def test_stopping_ends_all_parts_with_status_0() -> None:
    parts = [child("one", FOREVER), child("two", FOREVER)]
    supervisor = Supervisor(parts)
    end_after(supervisor, 0.5)
    assert supervisor.run() == 0
    assert not any(part.runs() for part in parts)


def stop_when(supervisor: Supervisor, reached: Callable[[], bool]) -> None:
    try:
        eventually(reached, "what the test waits for")
    finally:
        supervisor._stop.set()


def eventually_stop(supervisor: Supervisor, starts: Path, wanted: str = "xx") -> None:
    """Stop once the part has been started twice."""
    stop_when(supervisor, lambda: starts.exists() and starts.read_text() == wanted)


@pytest.mark.parametrize("status", [2, 3, 4, 5])
def test_a_part_that_says_why_it_cannot_begin_ends_all_with_its_status(
    status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    other = child("other", FOREVER)
    assert Supervisor([other, child("broken", f"raise SystemExit({status})")]).run() == status
    assert not other.runs()
    assert f"the broken ended with status {status}: giving up" in capsys.readouterr().err


def test_a_part_that_dies_three_times_before_it_has_worked_is_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_LONGEST_WAIT_SECONDS", 0.05)
    assert Supervisor([child("broken", "raise SystemExit(1)")]).run() == 2
    assert capsys.readouterr().err.count("ended with status 1") == 3


def test_a_part_that_never_answers_is_given_up_however_slowly_it_dies(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_SETTLED_SECONDS", 0.0)
    slow = child("slow", "import time; time.sleep(1); raise SystemExit(3)", ready=False)
    assert Supervisor([slow]).run() == 3
    assert "the slow ended with status 3: giving up" in capsys.readouterr().err


def test_a_part_that_answers_is_asked_once_in_a_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SETTLED_SECONDS", 0.0)
    asked: list[int] = []
    part = child("steady", FOREVER)
    part.ready = lambda: asked.append(1) is None
    supervisor = Supervisor([part])
    end_after(supervisor, 1.0)
    assert supervisor.run() == 0
    assert (asked, part.settled) == ([1], True)


def test_a_part_that_has_worked_is_started_again_whatever_it_died_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_SETTLED_SECONDS", 0.1)
    starts = tmp_path / "starts"
    code = (
        "import sys, time\n"
        "with open(sys.argv[1], 'a') as file: file.write('x')\n"
        "first = open(sys.argv[1]).read() == 'x'\n"
        "time.sleep(0.6 if first else 600)\n"
        "sys.exit(3)\n"
    )
    supervisor = Supervisor([child("steady", code, starts)])
    threading.Thread(target=lambda: eventually_stop(supervisor, starts), daemon=True).start()
    assert supervisor.run() == 0
    assert starts.read_text() == "xx"
    assert "the steady ended with status 3: starting it again\n" in capsys.readouterr().err


def test_what_is_said_to_the_start_is_not_said_again_to_a_part_that_had_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SETTLED_SECONDS", 0.1)
    starts = tmp_path / "starts"
    code = (
        "import sys, time\n"
        "open(sys.argv[1], 'a').write('e' if '--enforce' in sys.argv else 'x')\n"
        "time.sleep(0.6 if '--enforce' in sys.argv else 600)\n"
    )
    part = child("reconciler", code, starts)
    part.once = ["--enforce"]
    supervisor = Supervisor([part])
    threading.Thread(target=lambda: eventually_stop(supervisor, starts, "ex"), daemon=True).start()
    assert supervisor.run() == 0
    assert starts.read_text() == "ex"


def test_a_part_that_keeps_dying_is_waited_for_longer_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    part = child("flaky", "raise SystemExit(3)")
    part.settled = True
    supervisor = Supervisor([part])
    end_after(supervisor, 8.0)
    assert supervisor.run() == 0
    waits = [line.partition("starting it again")[2] for line in capsys.readouterr().err.splitlines()]
    assert waits[:2] == ["", " in 2 s"]
    assert len(waits) <= 4


def test_a_part_that_the_guard_can_do_without_never_ends_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_LONGEST_WAIT_SECONDS", 0.05)
    guard, report = child("guard", FOREVER), child("report", "raise SystemExit(3)")
    report.needed = False
    supervisor = Supervisor([guard, report])
    stopping = threading.Thread(
        target=lambda: (eventually(lambda: report.deaths > 5, "deaths"), supervisor._stop.set())
    )
    stopping.start()
    assert supervisor.run() == 0
    stopping.join()
    assert "giving up" not in capsys.readouterr().err


def test_a_part_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.3)
    deaf = child(
        "deaf", "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
    )
    supervisor = Supervisor([deaf])
    end_after(supervisor, 1.0)
    assert supervisor.run() == 0
    assert not deaf.runs()
