"""Owns what the benchmarks ask the kernel: CPU and memory of processes, and how much of the machine others use.

Linux only. Must not start processes.
"""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

PROC: Final = Path("/proc")
QUIET: Final = 0.12
"""Share of all cores that others may use in a round that counts."""
_MIB: Final = 1024**2


def family(pid: int) -> tuple[int, ...]:
    """A process and all below it."""
    try:
        children = (PROC / str(pid) / "task" / str(pid) / "children").read_text().split()
    except OSError:
        return ()
    return (pid, *(one for child in children for one in family(int(child))))


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU that these processes have used so far, ended threads among it, by the scheduler's own clock (ns)."""
    # The kernel's number of a process's CPU clock, as clock_getcpuclockid(3) gives it.
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def pss_mib(pids: Iterable[int]) -> float:
    """Proportional set size: shared pages are divided among those who map them. Files that are only read are not in."""
    return sum(_field(PROC / str(pid) / "smaps_rollup", "Pss:") for pid in pids) / 1024


def resident_mib(pid: int) -> tuple[float, float]:
    """Resident memory of a process: now, and the most that it ever had."""
    status = PROC / str(pid) / "status"
    return _field(status, "VmRSS:") / 1024, _field(status, "VmHWM:") / 1024


def _field(path: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(name))


def description() -> str:
    """The machine in a few words."""
    lines = (PROC / "cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    memory = _field(PROC / "meminfo", "MemTotal:") / 1024 / 1024
    system = f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores ({' '.join(model.split())}), {memory:.0f} GiB, {system}"


@dataclass(slots=True)
class Watch:
    """What happened on the machine in a `with` block. `servers`: their CPU counts as ours, not as foreign."""

    servers: tuple[int, ...]
    foreign: float = 0.0
    pressure: float = 0.0
    _began: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    def __enter__(self) -> Self:
        self._began = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        wall, busy, own, stalled = (now - then for now, then in zip(self._now(), self._began, strict=True))
        self.foreign = max(0.0, busy - own) / wall / (os.cpu_count() or 1)
        self.pressure = stalled / wall

    def _now(self) -> tuple[float, float, float, float]:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = time.process_time() + children.ru_utime + children.ru_stime + cpu_seconds(self.servers)
        return time.monotonic(), _busy_seconds(), own, _stalled_seconds()


def _busy_seconds() -> float:
    """CPU that all processes and the kernel have used since the start, and what the hypervisor took away."""
    user, nice, system, _, _, interrupts, soft, steal = map(int, (PROC / "stat").read_text().split()[1:9])
    return (user + nice + system + interrupts + soft + steal) / os.sysconf("SC_CLK_TCK")


def _stalled_seconds() -> float:
    """How long something waited for a CPU since the start; 0 where the kernel does not tell."""
    try:
        return int((PROC / "pressure" / "cpu").read_text().split("total=")[1].split()[0]) / 1e6
    except (OSError, IndexError):
        return 0.0
