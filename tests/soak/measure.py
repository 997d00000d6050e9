"""Owns looking at Setscrew's processes in /proc while a soak runs: memory, descriptors, and which of them live on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Final

from tests.soak.trend import JUDGED_SECONDS, Sample, Trend, table, warm_up

_PROC: Final = Path("/proc")
# Words of a command line that make a process one of Setscrew's lasting ones, and what it is called. Renderers, git and
# other children of a moment have command lines of their own.
_NAMES: Final = (
    (("webhook.server",), "admission server"),
    (("setscrew.serve_api",), "API server"),
    (("setscrew", "reconcile"), "reconciler"),
    (("setscrew", "serve"), "supervisor of servers"),
    (("setscrew", "run"), "supervisor"),
)
_WORKER: Final = ", worker "


@dataclass(slots=True)
class Watch:
    """Samples of every lasting process at and below the roots, by process id; `loads` are of the whole machine.

    A root is a process id and what its processes belong to ("replica 1", or "" where there is one only). With `kept`
    each look is also written there at once, a line of JSON: a run that is cut short can still be looked at.
    """

    roots: Sequence[tuple[str, int]]
    kept: Path | None = None
    began: float = field(default_factory=time.monotonic)
    names: dict[int, str] = field(default_factory=dict)
    samples: dict[int, list[Sample]] = field(default_factory=dict)
    loads: list[float] = field(default_factory=list)

    def begin(self, settle_seconds: float = 2.0) -> None:
        """Find the processes. A child that is being made has its parent's command line for a moment: look twice."""
        first = _named(self.roots)
        time.sleep(settle_seconds)
        second = _named(self.roots)
        self.names = {pid: name for pid, name in first.items() if second.get(pid) == name}
        self.look()

    def look(self) -> None:
        """One sample of each that still lives."""
        self.loads.append(os.getloadavg()[0])
        for pid in self.names:
            try:
                sample = _sample(pid, time.monotonic() - self.began)
            except OSError:
                continue  # it has ended: `ended` tells
            self.samples.setdefault(pid, []).append(sample)
            if self.kept:
                with self.kept.open("a") as file:
                    file.write(json.dumps({"process": self.names[pid], "pid": pid, **asdict(sample)}) + "\n")

    def ended(self) -> list[str]:
        """Processes that did not live through all of it, a line each: what began anew has hidden what it had lost."""
        now = _named(self.roots)
        return [f"the {name} ({pid}) ended meanwhile" for pid, name in self.names.items() if now.get(pid) != name]

    def trends(self) -> list[Trend]:
        """What came of each process, after the warm-up."""
        rows = {name: self.samples.get(pid, []) for pid, name in self.names.items()}
        whole = [(name, _together(name, rows)) for name, row in rows.items() if len(row) > 1]
        return [Trend.of(name, row, warm_up(row[-1].at)) for name, row in whole]

    def facts(self) -> list[str]:
        """Lines for people."""
        trends = self.trends()
        span = max((one.seconds for one in trends), default=0)
        return [
            f"load of the machine, all that ran beside it too: {median(self.loads):.1f} on {os.cpu_count()} processors",
            f"resident memory and open files of each process, the last {span:.0f} s:",
            *table(trends),
            *([] if span >= JUDGED_SECONDS else [f"too short to judge growth: that takes {JUDGED_SECONDS:.0f} s"]),
        ]


def _together(name: str, rows: Mapping[str, Sequence[Sample]]) -> Sequence[Sample]:
    """The looks at one process. Connections move between the workers of a server: each is told those of all."""
    server, worker, _ = name.rpartition(_WORKER)
    same = [row for one, row in rows.items() if worker and one.startswith(f"{server}{_WORKER}")]
    if len({len(row) for row in same}) != 1:
        return rows[name]
    sums = (sum(one.descriptors for one in looks) for looks in zip(*same, strict=True))
    return [replace(one, descriptors=number) for one, number in zip(rows[name], sums, strict=True)]


def _named(roots: Sequence[tuple[str, int]]) -> dict[int, str]:
    """All lasting processes by id, each with what its root belongs to."""
    return {
        pid: f"{whose}, {name}" if whose else name for whose, root in roots for pid, name in _named_below(root).items()
    }


def _named_below(root: int) -> dict[int, str]:
    """Of several that share a command line the one nearest to the root is the master."""
    found: dict[int, str] = {}
    masters: set[str] = set()
    for pid in _family(root):
        name = _name(pid)
        if not name:
            continue
        if name in masters:
            number = sum(one.startswith(f"{name}{_WORKER}") for one in found.values()) + 1
            found[pid] = f"{name}{_WORKER}{number}"
        else:
            masters.add(name)
            found[pid] = name
    return found


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        # A process may have been started by any thread of its parent.
        tasks = sorted((_PROC / str(pid) / "task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return
    for child in sorted(children):
        yield from _family(child)


def _name(pid: int) -> str:
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    return next((name for wanted, name in _NAMES if set(wanted) <= set(words)), "")


def _sample(pid: int, at: float) -> Sample:
    """Raises OSError where the process is gone."""
    lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
    descriptors = sum(1 for _ in (_PROC / str(pid) / "fd").iterdir())
    return Sample(at, kib["Rss"] * 1024, kib["Anonymous"] * 1024, descriptors)
