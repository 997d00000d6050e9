"""The state store is private, versioned, shared between processes, and says plainly what is wrong with it."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from reconciler.errors import StoreError
from reconciler.limits import STATE_CACHE_KIB
from reconciler.store.meta import get_meta, put_meta
from reconciler.store.state import State, open_state, sqlite_url


def test_a_new_store_is_readable_by_its_owner_alone(state: State, path: Path) -> None:
    with state.write() as connection:
        put_meta(connection, "default", "a", "b")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_a_store_is_opened_again_with_what_it_held(state: State, path: Path) -> None:
    with state.write() as connection:
        put_meta(connection, "default", "a", "b")
    again = open_state(sqlite_url(path))
    with again.read() as connection:
        assert get_meta(connection, "default", "a") == "b"
    again.close()


def test_no_connection_keeps_more_of_a_growing_file_than_the_limit(state: State) -> None:
    for transaction in (state.write, state.read):
        with transaction() as connection:
            assert connection.exec_driver_sql("PRAGMA cache_size").scalar() == -STATE_CACHE_KIB


def test_a_store_of_another_version_is_refused(state: State, path: Path) -> None:
    state.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    connection.close()
    with pytest.raises(StoreError, match="format 99"):
        open_state(sqlite_url(path))


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"this is not a database, not at all" * 100)
    with pytest.raises(StoreError) as caught:
        open_state(sqlite_url(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "mysterydb://x/y", "sqlite:////nowhere/at/all/state.db"])
def test_an_unusable_url_is_refused(url: str) -> None:
    with pytest.raises(StoreError):
        open_state(url)


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "state.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError):
        open_state(sqlite_url(tmp_path / "state.db"))


def test_an_error_rolls_the_transaction_back(state: State) -> None:
    def half_way() -> None:
        with state.write() as connection:
            put_meta(connection, "default", "a", "b")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        half_way()
    with state.read() as connection:
        assert get_meta(connection, "default", "a") == ""


def test_readers_go_on_while_a_writer_writes(state: State, path: Path) -> None:
    reader = open_state(sqlite_url(path))
    with state.write() as connection:
        put_meta(connection, "default", "a", "b")
        with reader.read() as other:
            assert get_meta(other, "default", "a") == ""
    reader.close()


def test_writers_of_one_process_wait_for_each_other(state: State) -> None:
    def work(number: int) -> None:
        for turn in range(20):
            with state.write() as connection:
                count = int(get_meta(connection, "default", "n") or "0")
                put_meta(connection, "default", "n", str(count + 1))
                put_meta(connection, "default", f"by{number}", str(turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with state.read() as connection:
        assert get_meta(connection, "default", "n") == "80"


def test_a_store_that_another_process_is_making_is_waited_for(path: Path) -> None:
    # In a file that is not in WAL mode yet SQLite does not wait by itself.
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    done = threading.Timer(0.3, other.execute, ["COMMIT"])
    done.start()
    open_state(sqlite_url(path)).close()
    assert not other.in_transaction
    done.join()
    other.close()


def test_opening_a_store_drops_no_lock_that_this_process_holds(state: State, path: Path) -> None:
    # POSIX takes every lock of a process on a file when it closes any descriptor of that file.
    code = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    with state.read() as connection:
        get_meta(connection, "default", "n")
        open_state(sqlite_url(path)).close()
        asked = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert "BlockingIOError" in asked.stderr


def test_processes_that_start_together_make_one_store(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from reconciler.store.state import *\n"
        "state = open_state(sqlite_url(Path(sys.argv[1])))\n"
        "from reconciler.store.meta import *\n"
        "for n in range(20):\n"
        "    with state.write() as c: put_meta(c, 'default', 'n', str(int(get_meta(c, 'default', 'n') or 0) + 1))\n"
        "state.close()\n"
    )
    path = tmp_path / "state.db"
    started = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    state = open_state(sqlite_url(path))
    with state.read() as connection:
        assert get_meta(connection, "default", "n") == "60"
    state.close()
