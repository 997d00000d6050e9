"""A running instance is asked for what it guards, a kind at a time, or name by name where a page does not hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.model.ref import ObjectRef
from setscrew.api_client import UnreachableError
from setscrew.gpu import guarding
from setscrew.gpu.model import Guarded

GOLD = ObjectRef("resource.k8s.io", "DeviceClass", "", "gold")
SILVER = GOLD._replace(name="silver")


def item(ref: ObjectRef, *, adopted: bool = True) -> dict[str, Any]:
    return ref._asdict() | {"source": "gpu", "since": "2030-01-01T00:00:00Z", "commit": "c" * 40, "adopted": adopted}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """An instance that guards both classes, gives one item a page, and notes what it is asked."""
    questions: list[dict[str, str]] = []
    guarded = [item(GOLD), item(SILVER, adopted=False), item(GOLD._replace(name="other"))]

    def answer(_server: str, _token: bytes, _path: str, query: dict[str, str]) -> dict[str, Any]:
        questions.append(query)
        found = [one for one in guarded if query.get("name") in (None, one["name"])]
        return {"kind": "GuardedList", "items": found[:1], "metadata": {"remainingItemCount": len(found) - 1}}

    monkeypatch.setattr(guarding, "get_json", answer)
    return questions


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text("swordfish")
    return file


def test_of_more_than_a_page_each_name_is_asked_for(asked: list[dict[str, str]], token: Path) -> None:
    found = guarding.guarded_since("http://here", token, {GOLD, SILVER})
    assert found == {GOLD: Guarded("gpu", "2030-01-01T00:00:00Z", "c" * 40)}
    assert [question.get("name") for question in asked] == [None, "gold", "silver"]


def test_a_server_that_answers_something_else_is_not_taken_for_an_instance(
    monkeypatch: pytest.MonkeyPatch, token: Path
) -> None:
    monkeypatch.setattr(guarding, "get_json", lambda *_: {"items": []})
    with pytest.raises(UnreachableError, match="does not say what it guards"):
        guarding.guarded_since("http://here", token, {GOLD})
