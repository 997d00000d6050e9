"""The state directory: what cannot work is said before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import StoreError
from setscrew import statedir


def test_a_path_too_long_for_sockets_is_one_clear_line(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    with pytest.raises(StoreError, match="too long for the sockets") as caught:
        statedir.prepare(deep)
    assert caught.value.code == "SS6004"
    assert not deep.exists()


def test_a_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    made = statedir.prepare(tmp_path / "state")
    assert made.stat().st_mode & 0o777 == 0o700
