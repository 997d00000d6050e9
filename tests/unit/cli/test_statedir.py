"""The state directory: one run at a time, a key that nobody else reads, plain words when the disk says no."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from reconciler.errors import StoreError
from setscrew import statedir


def test_it_is_made_for_this_user_alone(tmp_path: Path) -> None:
    made = statedir.prepare(tmp_path / "a" / "state")
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_file_in_its_place_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(StoreError, match="cannot be made: File exists"):
        statedir.prepare(tmp_path / "state")


def test_a_second_holder_is_told_and_the_lock_ends_with_the_first(tmp_path: Path) -> None:
    with statedir.locked(tmp_path):
        with pytest.raises(StoreError) as caught, statedir.locked(tmp_path):
            pass
        assert (caught.value.code, caught.value.exit_status) == ("SS6001", 5)
    with statedir.locked(tmp_path):
        assert (tmp_path / "lock").exists()


def test_the_key_is_made_once_and_read_by_nobody_else(tmp_path: Path) -> None:
    key = statedir.secret_key(tmp_path)
    assert len(key) == 32
    assert statedir.secret_key(tmp_path) == key
    assert (tmp_path / statedir.KEY_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damaged", [b"", b"short"])
def test_a_damaged_key_is_refused_and_not_used(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / statedir.KEY_FILE).write_bytes(damaged)
    with pytest.raises(StoreError) as caught:
        statedir.secret_key(tmp_path)
    assert caught.value.code == "SS6003"


def test_a_directory_that_cannot_be_written_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(statedir.os, "open", refuse)
    for act in (lambda: statedir.secret_key(tmp_path), lambda: statedir.locked(tmp_path).__enter__()):
        with pytest.raises(StoreError, match="No space left on device") as caught:
            act()
        assert caught.value.code == "SS6002"


def test_a_registration_is_remembered_until_a_new_run_forgets_it(tmp_path: Path) -> None:
    assert not statedir.registered_before(tmp_path)
    statedir.note_registration(tmp_path)
    assert statedir.registered_before(tmp_path)
    statedir.forget_registration(tmp_path)
    statedir.forget_registration(tmp_path)
    assert not statedir.registered_before(tmp_path)
