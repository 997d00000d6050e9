"""Owns one run of a reconciler without cluster and Git, in a process of its own: time and memory.

Assemble, publish, compare everything with its live twin: what `sync` and `scan` do between reading and reporting. Twins
are parsed one at a time, as bytes of an answer are; the objects of Git are held, as the reconciler holds them.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from reconciler.canonical.volatile import live_form
from reconciler.compare.comparison import compare
from reconciler.loop.assemble import assemble
from reconciler.snapshot.model import Entry, MemorySnapshot, SourceState
from reconciler.store.snapshot_file import publish
from support.typical import KEY, SOURCE, context, live_bytes, typical

T = TypeVar("T")
_STATE: Final = SourceState(
    SOURCE, "https://git.example.com/deploy.git", "shop", "main@sha1:" + "a" * 40, "a" * 40, "x"
)


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds of CPU of each step, and the most memory that the process ever held, in MiB."""

    objects: int
    assemble: float
    again: float
    publish: float
    compare: float
    peak: float

    @property
    def first(self) -> float:
        """A run over new input."""
        return self.assemble + self.publish + self.compare

    @property
    def second(self) -> float:
        """The run after it, over the same input, written down and parsed anew."""
        return self.again + self.publish + self.compare


def run(objects: int) -> Run:
    """A run over that many typical objects, in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_run, objects).result()


def _run(objects: int) -> Run:
    known = context()
    before = typical(objects)
    assembling, assembly = _timed(lambda: assemble([(known, before)], known.rules))
    live = [live_bytes(one.form, one.rendered) for one in assembly.objects.values()]
    after = typical(objects)
    again, assembly = _timed(lambda: assemble([(known, after)], known.rules, assembly))
    entries = assembly.entries({}, {})
    snapshot = MemorySnapshot(entries, known.rules, {SOURCE: _STATE}, KEY)
    with tempfile.TemporaryDirectory(prefix="setscrew-bench-") as directory:
        publishing, _ = _timed(lambda: publish(snapshot, Path(directory)))
    comparing, drifted = _timed(lambda: sum(map(_drifts, entries, live)))
    if len(entries) != objects or drifted:
        raise SystemExit(f"{len(entries)} of {objects} objects are guarded, and {drifted} drift from their twins")
    return Run(objects, assembling, again, publishing, comparing, _peak())


def _drifts(entry: Entry, live: bytes) -> bool:
    return compare(entry.object, live_form(msgspec.json.decode(live), KEY)).verdict == "drift"


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def _peak() -> float:
    """Most memory ever held, in MiB: Linux counts in KiB, macOS in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**2
