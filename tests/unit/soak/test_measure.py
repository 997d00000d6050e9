"""Which processes a soak looks at, and what it sees of them. The processes are real ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak.measure import Watch
from tests.soak.trend import Sample
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# A supervisor whose child forks once, and one child of a moment; their command lines are those of Setscrew.
_PARENT = """
import subprocess, sys
child = "import os, sys; os.fork(); print(flush=True); held = [open('/dev/null') for _ in range(30)]; sys.stdin.read()"
subprocess.Popen([sys.executable, "-c", child, "webhook.server"])
subprocess.Popen(["sleep", "60"])
sys.stdin.read()
"""
# Until a child has a command line of its own.
_SETTLE_SECONDS = 1.0


@pytest.fixture
def supervisor() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", _PARENT, "setscrew", "run"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert [process.stdout.readline(), process.stdout.readline()] == [b"\n", b"\n"]
        yield process
        for pid in _below(process.pid):
            subprocess.run(["kill", str(pid)], check=False)
        process.kill()


def _below(pid: int) -> list[int]:
    found = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*found, *(two for one in found for two in _below(one))]


def test_lasting_processes_are_named_and_measured_and_others_are_not(supervisor: subprocess.Popen[bytes]) -> None:
    watch = Watch([("", supervisor.pid)])
    watch.begin(settle_seconds=_SETTLE_SECONDS)
    assert sorted(watch.names.values()) == ["admission server", "admission server, worker 1", "supervisor"]
    master = next(pid for pid, name in watch.names.items() if name == "admission server")

    def with_files() -> Sample | None:
        watch.look()
        return next((one for one in watch.samples[master] if one.descriptors > 30), None)

    sample = eventually(with_files, "open files")
    assert 1_000_000 < sample.anonymous < sample.resident < 200_000_000
    assert watch.ended() == []
    assert "supervisor" in "\n".join(watch.facts())


def test_each_look_is_kept_as_it_is_made_with_whose_process_it_was(
    supervisor: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    watch = Watch([("leader", supervisor.pid)], tmp_path / "samples")
    watch.begin(settle_seconds=_SETTLE_SECONDS)
    watch.look()
    lines = [json.loads(line) for line in (tmp_path / "samples").read_text().splitlines()]
    mine = [line for line in lines if line["process"] == "leader, supervisor"]
    assert [line["at"] for line in mine] == [one.at for one in watch.samples[supervisor.pid]]
    assert len(mine) == 2


def test_a_process_that_ends_meanwhile_is_told(supervisor: subprocess.Popen[bytes]) -> None:
    watch = Watch([("", supervisor.pid)])
    watch.begin(settle_seconds=_SETTLE_SECONDS)
    worker = next(pid for pid, name in watch.names.items() if name.endswith("worker 1"))
    subprocess.run(["kill", "-9", str(worker)], check=True)
    assert eventually(watch.ended, "its end") == [f"the admission server, worker 1 ({worker}) ended meanwhile"]


@pytest.mark.parametrize(("minutes", "judged"), [(60, 50), (20, 11)], ids=str)
def test_the_warm_up_is_ten_minutes_and_never_more_than_its_share_of_the_run(minutes: int, judged: int) -> None:
    watch = Watch([], names={1: "reconciler"})
    watch.samples[1] = [Sample(at, 1, 1, 1) for at in range(0, minutes * 60 + 1, 60)]
    assert watch.trends()[0].seconds == judged * 60


def test_connections_that_move_from_worker_to_worker_are_no_leak_and_hide_none() -> None:
    def grown(more: int) -> list[float]:
        rows = {
            1: [Sample(at, 0, 0, 20 + at // 600) for at in range(0, 7_200, 10)],
            2: [Sample(at, 0, 0, 40 - (1 - more) * (at // 600)) for at in range(0, 7_200, 10)],
        }
        watch = Watch([], names={1: "admission server, worker 1", 2: "admission server, worker 2"}, samples=rows)
        return [trend.descriptors_an_hour for trend in watch.trends()]

    assert grown(0) == [0, 0]
    assert all(one > 1 for one in grown(1))
