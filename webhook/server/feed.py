"""Owns the reading of snapshots: one file as a SnapshotView, and the feed that follows the pointer. Must not write.

Files are immutable, so they are opened with `immutable=1` (no locks) and `mmap_size=0` (memory does not grow with
objects read). A connection belongs to one thread at a time; big reviews are judged in threads, so each has its own.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from reconciler.canonical.form import CanonicalObject
from reconciler.errors import StoreError
from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Policy, Rules
from reconciler.schema.pack import load
from reconciler.schema.semantics import Semantics, semantics_of
from reconciler.schema.types import TypeNode
from reconciler.snapshot import rows
from reconciler.snapshot.found import FoundEntry, Head
from reconciler.snapshot.model import SHOWN, Earlier, Entry, SourceState, Taken
from webhook.server.digest import digest_of, pointed

KEY_FILE = "secret-values.key"
_KINDS_KEPT = 1024
_CACHE_KIB = 128


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
        if loaded.key_id != rows.key_id(secret_key):
            raise StoreError(
                "values of Secrets are hashed with another key than the one at hand",
                where=str(path),
                hint=f"the key is {KEY_FILE} of the state directory that the snapshot comes from",
            )
        self.rules: Rules = loaded.rules
        self.sources: Mapping[str, SourceState] = loaded.sources
        self.key_id = loaded.key_id
        self._policy = lru_cache(maxsize=None)(self._load_policy)
        self._types = lru_cache(maxsize=None)(self._load_types)
        self._semantics = lru_cache(maxsize=_KINDS_KEPT)(self._load_semantics)
        # Asked for every object that Git does not declare, and found by reading all rows of the group.
        self._exclusive = lru_cache(maxsize=_KINDS_KEPT)(self._load_exclusive)

    def find(self, group: str, resource: str, namespace: str, name: str) -> Entry | None:
        """See SnapshotView."""
        key = group, resource, namespace, name
        row = self._database().execute(rows.FIND, key).fetchone()
        if row is None:
            return None
        number, kind, version, source, policy, adopted, metadata = row
        ref = ObjectRef(group, kind, namespace, name)
        head = Head(ref, version, source, rows.metadata_of(metadata), self._policy(policy), bool(adopted))
        return FoundEntry(head, lambda: self._form(number, head))

    def _form(self, number: int, head: Head) -> CanonicalObject:
        types, header, want = self._all(rows.READ, (number,))[0]
        known = self._types(types)
        semantics = self._semantics(head.ref.group, head.ref.kind, known.custom)
        return rows.form_of(head.ref, head.metadata, header, want, known, semantics)

    def earlier(self, group: str, resource: str, namespace: str, name: str) -> tuple[Earlier, ...]:
        """See SnapshotView."""
        return self._earlier(rows.EARLIER, (group, resource, namespace, name))

    def by_ref(self, ref: ObjectRef) -> Entry | None:
        """See SnapshotView."""
        row = self._database().execute(rows.BY_REF, tuple(ref)).fetchone()
        return None if row is None else self._decoded(rows.Row(*row))

    def inside_namespace(self, namespace: str) -> Taken:
        """See SnapshotView."""
        return self._taken(rows.IN_NAMESPACE, namespace)

    def of_resource(self, group: str, resource: str) -> Taken:
        """See SnapshotView."""
        return self._taken(rows.OF_RESOURCE, group, resource) if resource else self._taken(rows.OF_GROUP, group)

    def exclusive_policies(self, group: str, kind: str) -> tuple[Policy, ...]:
        """See SnapshotView."""
        return self._exclusive(group, kind)

    def declares_version(self, group: str, version: str, kind: str) -> bool:
        """See SnapshotView."""
        return bool(self._all(rows.VERSION, (group, version, kind)))

    def refs_of(self, group: str, kind: str) -> tuple[ObjectRef, ...]:
        """See SnapshotView."""
        return tuple(ObjectRef(*row) for row in self._all(rows.OF_KIND, (group, kind)))

    def entries(self) -> Iterator[Entry]:
        """All entries in the order of their keys."""
        for row in self._all(rows.ALL):
            yield self._decoded(rows.Row(*row))

    def before(self) -> tuple[Earlier, ...]:
        """All that is kept of earlier revisions, newest first."""
        return self._earlier(rows.ALL_EARLIER)

    def _earlier(self, sql: str, key: tuple[str, ...] = ()) -> tuple[Earlier, ...]:
        return tuple(Earlier(self._decoded(rows.Row(*row[:-1])), row[-1]) for row in self._all(sql, key))

    def _decoded(self, row: rows.Row) -> Entry:
        types = self._types(row.types)
        return rows.from_row(row, self._policy(row.policy), types, self._semantics(row.grp, row.kind, types.custom))

    def _taken(self, where: str, *key: str) -> Taken:
        shown = tuple(ObjectRef(*row) for row in self._all(rows.REFS.format(where, SHOWN), key))
        found = [(self._policy(row[0]), row[1]) for row in self._all(rows.POLICIES.format(where), key)] if shown else []
        enforced, reported = (
            tuple(sorted((policy for policy, adopted in found if bool(adopted) is wanted), key=lambda one: one.name))
            for wanted in (True, False)
        )
        return Taken(shown, enforced, reported)

    def _all(self, sql: str, key: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        return self._database().execute(sql, key).fetchall()

    def _load_policy(self, number: int) -> Policy:
        return rows.load_policy(
            self._database().execute("SELECT policy FROM policies WHERE id = ?", (number,)).fetchone()[0]
        )

    def _load_exclusive(self, group: str, kind: str) -> tuple[Policy, ...]:
        policies = [self._policy(row[0]) for row in self._all(rows.EXCLUSIVE, (group, kind))]
        return tuple(sorted((one for one in policies if one.exclusive), key=lambda policy: policy.name))

    def _load_types(self, number: int) -> TypeNode:
        return load(
            rows.load_tree(self._database().execute("SELECT tree FROM types WHERE id = ?", (number,)).fetchone()[0])
        )

    def _load_semantics(self, group: str, kind: str, custom: bool) -> Semantics:
        return semantics_of(self.rules, group, kind, custom=custom)

    def _database(self) -> sqlite3.Connection:
        database: sqlite3.Connection | None = getattr(self._threads, "database", None)
        if database is None:
            database = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
            database.execute("PRAGMA mmap_size = 0")
            # The kernel keeps the pages for all workers; a cache of its own would grow with the objects of each.
            database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
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
        self.published = 0.0

    @classmethod
    def of(cls, state_dir: Path) -> Feed:
        """The feed of a state directory, looked at once."""
        feed = cls(state_dir / "snapshots" / "current.json")
        feed.poll()
        return feed

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
        except OSError as error:
            self.problem = str(error)
            return False
        except (StoreError, ValueError, LookupError, TypeError, sqlite3.Error) as error:
            # What is wrong inside stays wrong: without the stamp a bad file would be hashed ten times a second.
            self._stamp, self.problem = (
                stamp,
                f"{error}" if isinstance(error, StoreError) else f"bad pointer: {error!r}",
            )
            return False
        self._stamp, self.problem, self.published = stamp, "", stat.st_mtime
        return True

    def _load(self) -> SnapshotFile:
        path, digest = pointed(self._pointer)
        if self._current is not None and self._current.digest == digest:
            return self._current
        if digest_of(path) != digest:
            raise StoreError("the snapshot file does not have the digest of its pointer", where=str(path))
        key = self._pointer.parent.parent / KEY_FILE
        return SnapshotFile(path, key.read_bytes() if key.is_file() else b"", digest)
