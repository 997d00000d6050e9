"""Owns what is read on this machine: state directory, certificate files, processes. Must write nothing there."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from reconciler.errors import StoreError, UsageError
from reconciler.limits import BLIND_SHOWN
from reconciler.model.sockets import RECONCILER_SOCKET
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.blind import read_blind, read_watches
from reconciler.store.findings import last_pass
from reconciler.store.schema import SCHEMA_VERSION
from reconciler.store.sources import read_sources
from reconciler.store.watched import read_watch
from setscrew.certificates import DIRECTORY
from setscrew.doctor.facts import Disk, FileProblem, Running, Stored
from setscrew.doctor.finding import RUN
from setscrew.readiness import listens
from setscrew.statedir import RUN_FILE
from setscrew.store import STATE_FILE, existing_store
from webhook.server.feed import Feed
from webhook.tls import given as given_files
from webhook.tls.checks import problems
from webhook.tls.files import BUNDLE
from webhook.tls.given import REMEMBERED, GivenFiles

_PROCESSES: Final = Path("/proc")


def existing(state_dir: Path | None) -> Path:
    """The state directory. Raises UsageError where there is none."""
    if state_dir is None:
        raise UsageError("no state directory was given", hint="give that of `setscrew run` with --state")
    if not state_dir.is_dir():
        raise UsageError("there is no such directory", where=str(state_dir), hint=f"{RUN}, or correct --state")
    return state_dir.absolute()


def look_run(state_dir: Path) -> Mapping[str, Any]:
    """What the last `setscrew run` has written of itself; empty where there was none."""
    try:
        found = json.loads((state_dir / RUN_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def look_files(state_dir: Path, given: GivenFiles | None, host: str, now: datetime) -> tuple[FileProblem, ...]:
    """What is wrong with the certificate files. Raises UsageError, OSError for files that cannot be read."""
    names = (host,) if host else ()
    if given is not None:
        return tuple(FileProblem(str(given.file(one)), *one[1:]) for one in given_files.check(given, names, now))
    directory = state_dir / DIRECTORY
    if (directory / REMEMBERED).exists():
        hint = "name them with --tls-certificate, --tls-key and --tls-ca-bundle"
        raise UsageError("certificates were given as files", hint=hint)
    files = {"certificate": directory / "tls.crt", "key": directory / "tls.key", "bundle": directory / BUNDLE}
    certificate, key, bundle = (path.read_bytes() for path in files.values())
    fix = "the reconciler makes its own anew: start `setscrew run`, and read its log"
    return tuple(
        FileProblem(str(files[one.part]), one.what, fix) for one in problems(certificate, key, bundle, names, now)
    )


def look_snapshot(feed: Feed) -> tuple[MemorySnapshot, datetime]:
    """The current snapshot without the key of its Secrets, and since when. Raises UsageError."""
    found = feed.current()
    if found is None:
        raise UsageError(feed.problem or "there is no snapshot yet", hint=RUN)
    entries, sources = tuple(found.entries()), dict(found.sources)
    published = datetime.fromtimestamp(feed.published, UTC)
    return MemorySnapshot(entries, found.rules, sources, digest=found.digest), published


def look_schema(state_dir: Path) -> str:
    """The format of the state store, which opening it as a writer might change. Raises UsageError, StoreError."""
    path = state_dir / STATE_FILE
    if not path.is_file():
        raise UsageError("there is no state store yet", where=str(path), hint=RUN)
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            row = database.execute("SELECT value FROM meta WHERE cluster = '' AND key = 'schema'").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"the state store cannot be read: {error}", where=str(path)) from error
    return str(row[0]) if row else ""


def look_stored(state_dir: Path, schema: str) -> Stored:
    """What the reconciler has written down. Raises UsageError, StoreError."""
    if schema != SCHEMA_VERSION:
        raise UsageError("the state store is of another format", hint="see the check store")
    with existing_store(state_dir) as state:
        spans, _ = read_blind(state, BLIND_SHOWN)
        now = tuple(span for span in spans if not span["until"])
        watch = read_watch(state)
        seen = (last_pass(state).observed_at, watch.current_at, watch.unwatched)
        return Stored(tuple(read_sources(state)), read_watches(state), now, *seen)


def look_running(state_dir: Path) -> Running:
    """Who works on it."""
    found = sum(1 for _ in _reconcilers(state_dir))
    return Running(_is_locked(state_dir), listens(state_dir / RECONCILER_SOCKET), found)


def look_disk(state_dir: Path) -> Disk:
    """Its disk. Raises OSError."""
    usage = shutil.disk_usage(state_dir)
    return Disk(usage.free, usage.total)


def _is_locked(state_dir: Path) -> bool:
    try:
        descriptor = os.open(state_dir / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        # Shared and let go at once, so that two doctors never meet.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _reconcilers(state_dir: Path) -> Iterator[Path]:
    """Processes `setscrew reconcile --state DIRECTORY`, as far as this one may see them."""
    for process in _PROCESSES.glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            told = words[words.index("reconcile") :] if "setscrew" in map(os.path.basename, words) else []
            place = told[told.index("--state") + 1] if "--state" in told else ""
            if place and ((process / "cwd").resolve() / place).resolve() == state_dir.resolve():
                yield process
        except (OSError, ValueError, IndexError):
            continue
