"""Owns the sending of reviews: runs the Go load client, says what it and the kernel saw. Must not start servers.

A round that others disturbed is repeated a few times and then kept with a mark.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from support.cases import Case
from support.golang import stop
from support.machine import QUIET, Watch, cpu_seconds
from support.servers import Server

_TRIES: Final = 3
_MARGIN_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one case at one server. Milliseconds; `cpu_us` is what the server used for one request."""

    requests: int
    per_second: float
    p50: float
    p99: float
    most: float
    cpu_us: float
    foreign: float
    pressure: float
    beside: int = 0


@dataclass(slots=True)
class Noise:
    """How disturbed a run was. `patience`: rounds that may still be repeated."""

    patience: int
    rounds: int = 0
    repeated: int = 0
    noisy: int = 0
    foreign: list[float] = field(default_factory=list)
    pressure: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Gun:
    """The load client. `servers`: all that run now, whose CPU is not foreign."""

    program: Path
    noise: Noise
    servers: Sequence[Server]
    says: Callable[[str], None] = lambda _: None

    def fire(self, server: Server, case: Case, **options: Any) -> Round:
        """One undisturbed round, or the least disturbed of a few. `options` are those of bench/go/load."""
        self.says(f"{server.name}: {case.name}")
        best: Round | None = None
        for attempt in range(_TRIES):
            found = self.once(server, case, **options)
            best = found if best is None or found.foreign < best.foreign else best
            if best.foreign <= QUIET or self.noise.patience <= 0 or attempt == _TRIES - 1:
                break
            self.noise.patience -= 1
            self.noise.repeated += 1
            time.sleep(1)
        assert best is not None  # noqa: S101 - the loop runs at least once
        self.noise.rounds += 1
        self.noise.noisy += best.foreign > QUIET
        self.noise.foreign.append(best.foreign)
        self.noise.pressure.append(best.pressure)
        return best

    def once(self, server: Server, case: Case, **options: Any) -> Round:
        """One round as it comes. A wrong answer or a failed request ends the run."""
        pids = server.pids
        with tempfile.NamedTemporaryFile(prefix="setscrew-bench-") as body:
            body.write(case.body)
            body.flush()
            given = {"urls": server.url(), "body": body.name, "ca": server.ca, "expect": expected(case), **options}
            with Watch(tuple(pid for one in self.servers for pid in one.pids)) as watch:
                before = cpu_seconds(pids)
                found = shoot(self.program, **given)
                used = cpu_seconds(pids) - before
        if found["errors"] or not found["requests"]:
            stop(f"{server.name}, {case.name}: {found['errors']} requests failed: {found['error'][:500]}")
        counted = found["requests"]
        return Round(
            counted,
            *(found[key] for key in ("per_second", "p50", "p99", "most")),
            used / counted * 1e6,
            watch.foreign,
            watch.pressure,
            found["beside"],
        )


def expected(case: Case) -> str:
    """What an answer to `case` must hold."""
    return f'"allowed":{str(case.allowed).lower()}'


def shoot(program: Path, **options: Any) -> dict[str, Any]:
    """Run the load client to its end; what it printed."""
    command = [str(program)]
    for name, value in options.items():
        command.append(f"-{name.replace('_', '-')}={str(value).lower() if isinstance(value, bool) else value}")
    limit = float(options.get("seconds", 600) or 600) + _MARGIN_SECONDS
    done = subprocess.run(command, capture_output=True, check=False, timeout=limit)
    if done.returncode != 0:
        stop(f"the load client failed: {done.stderr.decode().strip()[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
