"""Owns the opening of the state store: engine, locking, file mode, version of the schema. Must not hold queries.

One process writes findings and sources, others read them and note deliveries; SQLite in WAL mode lets readers go on
while a writer works, and a second writer waits. It speaks SQLAlchemy Core, so that another database is no rewrite.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, insert, inspect, make_url, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from reconciler.errors import StoreError
from reconciler.limits import STATE_BUSY_SECONDS, STATE_CACHE_KIB, STATE_CONNECTIONS, STATE_STATEMENTS
from reconciler.store.schema import ADDED_TO, APPEND_ONLY, META, METADATA, SCHEMA_VERSION
from reconciler.store.taking_over import add_lines

_ANY_CLUSTER = ""
_ASK_AGAIN_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class State:
    """An open state store. Share one between threads; open another in each process (never carry one over a fork)."""

    engine: Engine
    cluster: str

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one moment of the store. Raises StoreError."""
        with plain_errors(), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, rolled back on an error. Raises StoreError."""
        engine = self.engine.execution_options(setscrew_write=True)
        with plain_errors(), engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def sqlite_url(path: Path) -> URL:
    """The URL of a state file."""
    return URL.create("sqlite", database=str(path))


def open_state(url: str | URL, *, cluster: str = "default") -> State:
    """Open the store, making its tables if it is new. Raises StoreError if it is damaged or of another version."""
    try:
        target = make_url(url)
        engine = _engine(target, STATE_BUSY_SECONDS)
    except (ArgumentError, ImportError) as error:
        raise StoreError(
            f"no usable state URL: {error}", hint="for example sqlite:////var/lib/setscrew/state.db"
        ) from None
    if target.get_backend_name() == "sqlite":
        _private_file(target.database)
    state = State(engine, cluster)
    try:
        _prepare(state)
    except StoreError:
        state.close()
        raise
    return state


def hurried(state: State, seconds: float) -> State:
    """The same store for one who cannot wait: a write that another holds up for longer raises. Closes the given one."""
    state.close()
    return State(_engine(state.engine.url, seconds), state.cluster)


def _engine(target: URL, busy_seconds: float) -> Engine:
    if target.get_backend_name() != "sqlite":
        return create_engine(target)
    held = {"timeout": busy_seconds, "cached_statements": STATE_STATEMENTS}
    # Few stay open, and the last one is taken first: each keeps something of the file, and for hours more and more. As
    # many as are asked for: who reads a list needs another one meanwhile, and all who wait would hold what others need.
    pool = {"poolclass": QueuePool, "pool_size": STATE_CONNECTIONS, "max_overflow": -1, "pool_use_lifo": True}
    engine = create_engine(target, connect_args=held, **pool)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _prepare(state: State) -> None:
    with state.write() as connection:
        if not inspect(connection).has_table(META.name):
            METADATA.create_all(connection)
            if connection.dialect.name == "sqlite":
                for statement in APPEND_ONLY:
                    connection.exec_driver_sql(statement)
            row = {"cluster": _ANY_CLUSTER, "key": "schema", "value": SCHEMA_VERSION}
            connection.execute(insert(META).values(row))
        where = (META.c.cluster == _ANY_CLUSTER) & (META.c.key == "schema")
        found = connection.execute(select(META.c.value).where(where)).scalar()
        if found in ADDED_TO:
            METADATA.create_all(connection)
            add_lines(connection)
            connection.execute(update(META).where(where).values(value=SCHEMA_VERSION))
            found = SCHEMA_VERSION
    if found != SCHEMA_VERSION:
        raise StoreError(
            f"the state store has format {found or 'unknown'}, this version of Setscrew reads format {SCHEMA_VERSION}",
            where=str(state.engine.url.database),
            hint="use the version that wrote it, or keep the file elsewhere: it holds the record of decisions",
        )


def _private_file(database: str | None) -> None:
    # Before SQLite makes it with the mode of the umask; its -wal and -shm files take over the mode of this one.
    if database in {None, "", ":memory:"}:
        raise StoreError("the state store must be a file: several processes share it")
    path = Path(str(database))
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        # One that exists is not opened here: closing it would drop the locks that this process holds on it elsewhere.
        if path.is_symlink():
            raise StoreError("cannot open the state store: it is a symbolic link", where=str(path)) from None
    except OSError as error:
        raise StoreError(f"cannot open the state store: {error.strerror}", where=str(path)) from None


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own BEGIN comes too late and is deferred: two writers would then fail instead of waiting.
    connection.isolation_level = None
    _write_ahead(connection)
    for pragma in ("synchronous=NORMAL", "trusted_schema=OFF", f"cache_size=-{STATE_CACHE_KIB}"):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: sqlite3.Connection) -> None:
    # SQLite does not wait where a reader turns writer, as here in a new file: of processes that start together, all
    # but one would be told that it is locked.
    end = time.monotonic() + STATE_BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                raise
        time.sleep(_ASK_AGAIN_SECONDS)


def _on_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("setscrew_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """What the database says, as StoreError and without the row."""
    try:
        yield
    except SQLAlchemyError as error:
        # The first line of the driver's own words: SQLAlchemy's would print the row.
        words = str(getattr(error, "orig", None) or type(error).__name__).splitlines() or [""]
        raise StoreError(f"the state store failed: {words[0]}") from None
