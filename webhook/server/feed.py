"""Owns the reading of snapshots: one file as a SnapshotView, and the feed that follows the pointer. Must not write.

Files are immutable, so they are opened with `immutable=1` (no locks) and `mmap_size=0` (memory does not grow with
objects read). A connection belongs to one thread at a time; big reviews are judged in threads, so each has its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from reconciler.errors import StoreError
from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Policy, Rules
from reconciler.schema.types import TypeNode, load
from reconciler.snapshot import rows
from reconciler.snapshot.model import Entry, SourceState

KEY_FILE = "secret-values.key"


class SnapshotFile:
    """One snapshot file as `reconciler.snapshot.model.SnapshotView`. Raises StoreError where it cannot be used."""

    def __init__(self, path: Path, secret_key: bytes = b"", digest: str = "") -> None:
        self._path, self._threads = path, threading.local()
        self.secret_key = secret_key
        self.digest = digest or path.stem
        with _readable(path):
            meta: dict[str, bytes] = dict(self._all("SELECT key, value FROM meta"))
            if meta.get("format", b"").decode() != rows.FORMAT:
                raise StoreError(
                    "the snapshot is of another format", where=str(path), hint="let the reconciler write it anew"
                )
            loaded = rows.load_meta(meta)
        self.rules: Rules = loaded.rules
        self.sources: Mapping[str, SourceState] = loaded.sources
        self.key_id = loaded.key_id
        self._policy = lru_cache(maxsize=None)(self._load_policy)
        self._types = lru_cache(maxsize=None)(self._load_types)

    def find(self, group: str, resource: str, namespace: str, name: str) -> Entry | None:
        """See SnapshotView."""
        return self._entry(rows.FIND, (group, resource, namespace, name))

    def by_ref(self, ref: ObjectRef) -> Entry | None:
        """See SnapshotView."""
        return self._entry(rows.BY_REF, tuple(ref))

    def inside_namespace(self, namespace: str) -> tuple[ObjectRef, ...]:
        """See SnapshotView."""
        return self._refs(rows.IN_NAMESPACE, (namespace,)) if namespace else ()

    def of_resource(self, group: str, resource: str) -> tuple[ObjectRef, ...]:
        """See SnapshotView."""
        return self._refs(rows.OF_RESOURCE, (group, resource, resource))

    def exclusive_policy(self, group: str, kind: str) -> Policy | None:
        """See SnapshotView."""
        policies = [self._policy(row[0]) for row in self._all(rows.EXCLUSIVE, (group, kind))]
        return next((policy for policy in policies if policy.exclusive), None)

    def entries(self) -> Iterator[Entry]:
        """All entries in the order of their keys."""
        for row in self._all(rows.ALL):
            yield self._decoded(rows.Row(*row))

    def _entry(self, sql: str, key: tuple[str, ...]) -> Entry | None:
        row = self._database().execute(sql, key).fetchone()
        return None if row is None else self._decoded(rows.Row(*row))

    def _decoded(self, row: rows.Row) -> Entry:
        return rows.from_row(row, self._policy(row.policy), self._types(row.types))

    def _refs(self, sql: str, key: tuple[str, ...]) -> tuple[ObjectRef, ...]:
        return tuple(ObjectRef(*row) for row in self._all(sql, key))

    def _all(self, sql: str, key: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        return self._database().execute(sql, key).fetchall()

    def _load_policy(self, number: int) -> Policy:
        return rows.load_policy(
            self._database().execute("SELECT policy FROM policies WHERE id = ?", (number,)).fetchone()[0]
        )

    def _load_types(self, number: int) -> TypeNode:
        return load(
            rows.load_tree(self._database().execute("SELECT tree FROM types WHERE id = ?", (number,)).fetchone()[0])
        )

    def _database(self) -> sqlite3.Connection:
        database: sqlite3.Connection | None = getattr(self._threads, "database", None)
        if database is None:
            database = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
            database.execute("PRAGMA mmap_size = 0")
            self._threads.database = database
        return database


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, msgspec.MsgspecError, KeyError, UnicodeDecodeError) as error:
        raise StoreError(f"not a snapshot that can be read: {error}", where=str(path)) from error


def open_snapshot(path: Path, key_file: Path | None = None) -> SnapshotFile:
    """A snapshot file for `setscrew review`, with the installation's key where it lies beside the state."""
    found = key_file or next((p for p in (path.parent / KEY_FILE, path.parent.parent / KEY_FILE) if p.is_file()), None)
    if not path.is_file():
        raise StoreError("no such snapshot file", where=str(path))
    return SnapshotFile(path, found.read_bytes() if found is not None else b"")


class Feed:
    """The current snapshot of a state directory. `poll()` follows the pointer; a bad file never replaces a good one."""

    def __init__(self, pointer: Path) -> None:
        self._pointer = pointer
        self._stamp: tuple[int, int, int] | None = None
        self._current: SnapshotFile | None = None
        self.problem = ""

    def current(self) -> SnapshotFile | None:
        """The snapshot to decide with, or None while there is none."""
        return self._current

    def poll(self) -> bool:
        """Look at the pointer; True if another snapshot has become current. Never raises: see `problem`."""
        try:
            stat = os.stat(self._pointer)  # noqa: PTH116 - called ten times a second
        except OSError:
            return False
        stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if stamp == self._stamp:
            return False
        try:
            self._current = self._load()
        except (StoreError, OSError, ValueError) as error:
            self.problem = str(error)
            return False
        self._stamp, self.problem = stamp, ""
        return True

    def _load(self) -> SnapshotFile:
        pointer = json.loads(self._pointer.read_text())
        path = self._pointer.parent / Path(str(pointer["file"])).name
        digest = str(pointer["digest"])
        if self._current is not None and self._current.digest == digest:
            return self._current
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise StoreError("the snapshot file does not have the digest of its pointer", where=str(path))
        key = self._pointer.parent.parent / KEY_FILE
        return SnapshotFile(path, key.read_bytes() if key.is_file() else b"", digest)
