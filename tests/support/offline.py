"""Owns a reconciler without a cluster: real sources, stores and rules in one directory. Must not hold cases."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from reconciler.loop.forms import Forms
from reconciler.loop.reading import Reader
from reconciler.loop.reconciler import Reconciler
from reconciler.loop.sources import Sources
from reconciler.report.drift import DEFAULT_CLUSTER
from reconciler.snapshot.model import MemorySnapshot
from reconciler.source.spec import GitSource
from reconciler.store.schema_data import load_builtin
from reconciler.store.state import open_state, sqlite_url
from setscrew import configuration


def offline(
    directory: Path,
    sources: Iterable[GitSource],
    reader: Reader,
    said: list[str],
    published: list[MemorySnapshot],
    last: MemorySnapshot | None = None,
    cluster: str = DEFAULT_CLUSTER,
) -> Reconciler:
    """As a process begins with it; what it says and publishes goes into the two lists."""
    return Reconciler(
        sources=Sources(tuple(sources), reader),
        forms=Forms(None),
        rules=configuration.load(None).rules,
        builtin=load_builtin(),
        secret_key=b"k" * 32,
        snapshots=directory / "snapshots",
        state=open_state(sqlite_url(directory / "state.db"), cluster=cluster),
        published=published.append,
        say=said.append,
        current=last,
    )
