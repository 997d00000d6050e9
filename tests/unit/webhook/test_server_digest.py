"""The digest of the current snapshot file: read once, and read again when the file is another."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from webhook.server import digest


def a_pointer(directory: Path, content: bytes) -> Path:
    (directory / "one.sqlite").write_bytes(content)
    pointer = directory / "current.json"
    pointer.write_text(json.dumps({"file": "one.sqlite", "digest": hashlib.sha256(content).hexdigest()}))
    return pointer


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of each digest that is computed."""
    seen: list[str] = []
    compute = hashlib.file_digest

    def counted(file: object, name: str) -> object:
        seen.append(name)
        return compute(file, name)  # type: ignore[arg-type]

    monkeypatch.setattr("webhook.server.digest.hashlib.file_digest", counted)
    return seen


def test_what_was_read_ahead_is_not_read_again(tmp_path: Path, reads: list[str]) -> None:
    pointer = a_pointer(tmp_path, b"content")
    digest.read_ahead(pointer).join()
    path, wanted = digest.pointed(pointer)
    assert digest.digest_of(path) == wanted
    assert len(reads) == 1


def test_a_file_that_has_changed_is_read_again(tmp_path: Path, reads: list[str]) -> None:
    path, wanted = digest.pointed(a_pointer(tmp_path, b"content"))
    assert digest.digest_of(path) == wanted
    path.write_bytes(b"another content")
    assert digest.digest_of(path) == hashlib.sha256(b"another content").hexdigest()
    assert len(reads) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"file": "gone", "digest": ""}'])
def test_a_pointer_that_is_none_is_left_to_who_opens_it(tmp_path: Path, text: str, reads: list[str]) -> None:
    pointer = tmp_path / "current.json"
    pointer.write_text(text)
    digest.read_ahead(pointer).join()
    digest.read_ahead(tmp_path / "not there").join()
    assert reads == []


def test_the_file_lies_beside_its_pointer_whatever_the_pointer_says(tmp_path: Path) -> None:
    pointer = tmp_path / "current.json"
    pointer.write_text(json.dumps({"file": "../../etc/passwd", "digest": "d"}))
    assert digest.pointed(pointer) == (tmp_path / "passwd", "d")
