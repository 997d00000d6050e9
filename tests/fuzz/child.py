"""Tries a range of inputs on one target, in a process that its parent can lose.

`python -m tests.fuzz.child receivers 1 0 9`: seed, first, beyond the last. Prints a JSON line for each finding, a beat
now and then, and at the end the peak of its memory. With --trace the number of each input stands on stderr before it is
tried: the last is that of one that kills the process.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
from pathlib import Path
from typing import Any, Final, Protocol

import click

from tests.fuzz import mutations

ROUND: Final = 10_000
_BEAT: Final = 1_000
_MEMORY_BYTES: Final = 2 * 1024**3


class Target(Protocol):
    """What inputs are tried on: a module of this package."""

    def make(self, number: str, pool: list[Any]) -> Any:
        """The input of that number, with a `name` of what it was made of."""

    def finding(self, one: Any) -> str:
        """What is wrong with what is made of it, or ""."""

    def show(self, one: Any) -> str:
        """The input, for people."""


def target(name: str) -> Target:
    """`receivers` or `loader`, or a module by its full name."""
    module = importlib.import_module(name if "." in name else f"tests.fuzz.{name}")
    found: Target = module  # type: ignore[assignment] # a module is one
    return found


def numbered(seed: int, count: int) -> str:
    """The number of the count-th input."""
    return f"{seed}-{count // ROUND}-{count % ROUND}"


def pool_of(number: str) -> list[Any]:
    """The hostile values of the round that an input belongs to."""
    seed, part, _ = number.split("-")
    return mutations.hostile_values(int(seed) * 1_000_003 + int(part))


def tell(**line: Any) -> None:
    """One line to the parent."""
    click.echo(json.dumps(line))


def main(name: str, seed: int, first: int, beyond: int, *, trace: bool = False) -> None:
    """Try the inputs from `first` to before `beyond`."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    tried = target(name)
    pool: list[Any] = []
    for count in range(first, beyond):
        number = numbered(seed, count)
        if not pool or count % ROUND == 0:
            pool = pool_of(number)
        if trace:
            click.echo(number, err=True)
        if count % _BEAT == 0:
            tell(beat=count)
        one = tried.make(number, pool)
        found = tried.finding(one)
        if found:
            tell(number=number, name=one.name, finding=found[:300])
    tell(peak=_peak())


def _peak() -> int:
    """MiB of memory at most. The kernel's ru_maxrss would begin with that of the process that started this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) // 1024


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]), trace="--trace" in sys.argv)
