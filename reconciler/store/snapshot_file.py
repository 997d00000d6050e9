"""Owns the writing of snapshots: one immutable file per digest behind an atomically replaced pointer. Must not read.

Layout under the state directory: `snapshots/<sha256>.sqlite` (0444) and `snapshots/current.json`
(`{"digest": …, "file": …}`). The last files are kept, so that a reader that still holds an older one is not disturbed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Final

from reconciler.errors import StoreError
from reconciler.policy.model import Policy
from reconciler.schema.pack import dump
from reconciler.schema.types import TypeNode
from reconciler.snapshot import rows
from reconciler.snapshot.model import Entry, MemorySnapshot

POINTER: Final = "current.json"
KEPT: Final = 5


def publish(snapshot: MemorySnapshot, directory: Path) -> str:
    """Write `snapshot` and make it current; returns its digest. Equal content gives the same file.

    Raises StoreError where the disk does not take it; the current snapshot then stays.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        path = write(snapshot, directory)
        digest = path.stem
        _point(directory, digest)
        _forget_old(directory, digest)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"the snapshot cannot be written: {error}", where=str(directory)) from error
    return digest


def write(snapshot: MemorySnapshot, directory: Path) -> Path:
    """Write the file alone, named by its SHA-256."""
    handle, name = tempfile.mkstemp(dir=directory, suffix=".new")
    os.close(handle)
    temporary = Path(name)
    try:
        _fill(snapshot, temporary)
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
        target = directory / f"{digest}.sqlite"
        temporary.chmod(0o444)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _fill(snapshot: MemorySnapshot, path: Path) -> None:
    database = sqlite3.connect(path)
    try:
        database.execute("PRAGMA journal_mode = OFF")
        database.executescript(rows.SCHEMA)
        meta = rows.Meta(rows.FORMAT, snapshot.rules, snapshot.sources, rows.key_id(snapshot.secret_key))
        database.executemany("INSERT INTO meta VALUES (?, ?)", sorted(meta.dump().items()))
        _fill_objects(snapshot, database)
        database.commit()
        database.execute("VACUUM")
    finally:
        database.close()


def _fill_objects(snapshot: MemorySnapshot, database: sqlite3.Connection) -> None:
    policies: dict[Policy, int] = {}
    types: dict[bytes, int] = {}
    known: dict[int, int] = {}

    def row(entry: Entry) -> rows.Row:
        policy = policies.setdefault(entry.policy, len(policies))
        node: TypeNode = entry.object.types
        if id(node) not in known:
            known[id(node)] = types.setdefault(rows.encode(dump(node)), len(types))
        return rows.to_row(entry, policy, known[id(node)])

    for entry in sorted(snapshot.entries, key=lambda entry: (entry.object.ref, entry.object.kind.resource)):
        database.execute(rows.INSERT, row(entry))
    for place, one in enumerate(snapshot.before):
        database.execute(rows.INSERT_EARLIER, (*row(one.entry), one.last, place))
    database.executemany("INSERT INTO policies VALUES (?, ?)", [(i, rows.encode(p)) for p, i in policies.items()])
    database.executemany("INSERT INTO types VALUES (?, ?)", [(i, tree) for tree, i in types.items()])


def _point(directory: Path, digest: str) -> None:
    temporary = directory / f"{POINTER}.new"
    temporary.write_text(json.dumps({"digest": digest, "file": f"{digest}.sqlite"}))
    temporary.replace(directory / POINTER)


def _forget_old(directory: Path, digest: str) -> None:
    files = sorted(directory.glob("*.sqlite"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[KEPT:]:
        if path.stem != digest:
            path.unlink(missing_ok=True)
