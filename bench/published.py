"""Published snapshots: how large they are, and how long publishing a push and restoring all take.

    python bench/published.py            10,000 typical objects of 50 sources
    python bench/published.py --record   write docs/performance.md

The namespace is in memory, so times are this program's own, without those of the API server. Asserts that what is
restored is the very file that was published, never a figure.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.page import PAGE, ROOT, placed
from support.published import published
from support.typical import KEY, context, typical
from support.wanted import Row, wanted

from reconciler.limits import MIB
from reconciler.loop.assemble import assemble
from reconciler.published.parts import split
from reconciler.published.publisher import Publisher
from reconciler.published.restorer import Restorer
from reconciler.snapshot.model import MemorySnapshot, SourceState
from reconciler.store.snapshot_file import write

_MARKS = (
    "<!-- published: begin (written by `bench/published.py --record`, do not edit) -->",
    "<!-- published: end -->",
)


@click.command()
@click.option("--record", is_flag=True, help="Write docs/performance.md.")
@click.option("--objects", default=10_000, show_default=True)
@click.option("--sources", default=50, show_default=True)
def main(*, record: bool, objects: int, sources: int) -> None:
    """Print the table."""
    text = wanted([*_rows(_snapshot(objects, sources), objects, sources), *_of_others()])
    print(text, end="")
    if record:
        PAGE.write_text(placed(PAGE.read_text(), text, _MARKS))


def _snapshot(objects: int, sources: int) -> MemorySnapshot:
    """Typical applications, so many in a row for each source."""
    known, each = context(), -(-objects // sources)
    found = [
        replace(one, provenance=replace(one.provenance, source=f"team-{place // each:02}"))
        for place, one in enumerate(typical(objects))
    ]
    entries = assemble([(known, found)], known.rules).entries({}, {})
    if len(entries) != objects:
        raise SystemExit(f"{len(entries)} of {objects} objects are guarded")
    names = [f"team-{number:02}" for number in range(sources)]
    return MemorySnapshot(entries, known.rules, {name: _state(name, "a" * 40) for name in names}, KEY)


def _state(name: str, commit: str) -> SourceState:
    return SourceState(name, "https://git.example.com/deploy.git", name, f"main@sha1:{commit}", commit, "x")


def _rows(snapshot: MemorySnapshot, objects: int, sources: int) -> Iterator[Row]:
    sys.path.insert(0, str(ROOT))
    from tests.support.published import FakeNamespace

    there, key = FakeNamespace(), Ed25519PrivateKey.generate()
    publisher = Publisher(there.api, key, print)
    first = _seconds(lambda: publisher.publish(snapshot))
    size = sum(len(there.content(name)) for name in there.secrets)
    yield Row(f"all that is published of {objects:,} objects of {sources} sources", size / MIB, "MiB", 8)
    yield Row("Secrets", len(there.secrets), "number")
    yield Row("largest Secret", max(len(there.content(name)) for name in there.secrets) / 1024, "KiB", 900)
    yield Row("publishing all of it for the first time", first, "s")
    pushed = replace(snapshot, sources={**snapshot.sources, "team-07": _state("team-07", "b" * 40)})
    there.written.clear()
    yield Row("publishing a push to one source", _seconds(lambda: publisher.publish(pushed)), "s")
    yield Row("Secrets written for it", len(there.written), "number", 2)
    yield Row("bytes written for it", sum(len(there.content(name)) for name in there.written) / 1024, "KiB")
    with tempfile.TemporaryDirectory(prefix="setscrew-bench-") as name:
        directory = Path(name)
        restorer = Restorer(there.api, key.public_key(), directory / "restored", KEY, print)
        yield Row("restoring all of it in a fresh directory", _seconds(restorer.restore), "s")
        if write(pushed, directory).stem not in {one.stem for one in (directory / "restored").glob("*.sqlite")}:
            raise SystemExit("what was restored is not what was published")


def _of_others() -> Iterator[Row]:
    """What others publish, where it is at hand: charts and overlays that resemble each other little."""
    if not (rendered := published()):
        return
    known = context(rendered)
    entries = assemble([(known, rendered)], known.rules).entries({}, {})
    size = sum(map(len, split(MemorySnapshot(entries, known.rules, {}, KEY)).values()))
    yield Row(f"an object of the {len(entries)} that others publish", size / len(entries), "bytes", 8 * MIB / 10_000)


def _seconds(work: Callable[[], Any]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
