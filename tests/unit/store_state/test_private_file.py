"""A small file of the state directory is there whole, or as it was, and nothing else is left behind."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from reconciler.errors import StoreError
from reconciler.store.private_file import write_private


def test_a_file_is_for_its_owner_alone_and_whole(tmp_path: Path) -> None:
    write_private(tmp_path / "head.json", "old")
    write_private(tmp_path / "head.json", "new")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("head.json", "new")]
    assert stat.S_IMODE((tmp_path / "head.json").stat().st_mode) == 0o600


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "head.json").mkdir()
    with pytest.raises(StoreError, match="cannot write"):
        write_private(tmp_path / "head.json", "new")
    assert [one.name for one in tmp_path.iterdir()] == ["head.json"]
