"""Counting follows what Git declares, but not at every revision; what cannot be listed is named, never zero.

The client here is a fake that answers with canned lists: it is about when a count is due, not what an API server says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.errors import ApiError, ClusterError
from reconciler.limits import UNMANAGED_AGAIN_SECONDS, UNMANAGED_SECONDS
from reconciler.loop.unmanaged import Counting, count
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.report.unmanaged import Place
from reconciler.store.state import State, open_state, sqlite_url
from reconciler.store.unmanaged import read_unmanaged

NOW = datetime(2030, 1, 2, tzinfo=UTC)
MAPS = KindInfo("", "v1", "ConfigMap", "configmaps", namespaced=True)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = open_state(sqlite_url(tmp_path / "state.db"))
    yield opened
    opened.close()


@dataclass
class Lists:
    """A fake: pages of names by namespace, or an error."""

    pages: list[list[tuple[str, str]]] = field(default_factory=list)
    error: ClusterError | None = None
    asked: int = 0

    def send(self, _: str, __: str, *, query: dict[str, Any], accept: str) -> Any:
        assert "PartialObjectMetadataList" in accept
        self.asked += 1
        if self.error:
            raise self.error
        at = int(query.get("continue", 0))
        items = [{"metadata": {"namespace": space, "name": name}} for space, name in self.pages[at]]
        more = str(at + 1) if at + 1 < len(self.pages) else ""
        return SimpleNamespace(body={"metadata": {"continue": more}, "items": items})


def snapshot(*names: str) -> Any:
    refs = [ObjectRef("", "ConfigMap", "shop", name) for name in names]
    return SimpleNamespace(entries=[SimpleNamespace(ref=ref, object=SimpleNamespace(kind=MAPS)) for ref in refs])


def test_all_pages_are_counted_by_namespace_and_what_git_declares_beside_them() -> None:
    lists: Any = Lists([[("shop", "a"), ("shop", "by-hand")], [("lab", "x"), ("lab", "kube-root-ca.crt")]])
    found = count(lists, snapshot("a", "b"), NOW)
    assert found.places == {"shop": Place(2, {"ConfigMap": 1}), "lab": Place(0, {"ConfigMap": 1})}
    assert (found.at, found.unread) == ("2030-01-02T00:00:00Z", {})


def test_what_cannot_be_listed_is_named_and_what_is_not_served_has_no_objects() -> None:
    refused: Any = Lists(error=ClusterError("forbidden"))
    assert count(refused, snapshot("a"), NOW).unread == {"ConfigMap": "forbidden"}
    absent: Any = Lists(error=ApiError("no such kind", status=404))
    assert count(absent, snapshot("a"), NOW).unread == {}


def test_a_count_is_due_at_first_then_rarely_and_sooner_where_git_declares_other_objects(state: State) -> None:
    held: list[Any] = [None]
    lists: Any = Lists([[("shop", "by-hand")]])
    counting = Counting(lists, lambda: held[0], state, lambda _: None, lambda: NOW)
    assert not counting.step(0)
    held[0] = snapshot("a")
    assert counting.step(1)
    assert read_unmanaged(state).number == 1
    held[0] = snapshot("a")  # another revision of the same objects
    assert not counting.step(1 + UNMANAGED_AGAIN_SECONDS)
    held[0] = snapshot("a", "b")
    assert counting.step(2 + UNMANAGED_AGAIN_SECONDS)
    assert not counting.step(2 + 2 * UNMANAGED_AGAIN_SECONDS)
    assert counting.step(3 + UNMANAGED_AGAIN_SECONDS + UNMANAGED_SECONDS)


def test_a_count_that_failed_is_tried_again_soon(state: State) -> None:
    lists: Any = Lists([[("shop", "by-hand")]])
    counting = Counting(lists, lambda: snapshot("a"), state, lambda _: None, lambda: NOW)
    lists.pages = []
    with pytest.raises(IndexError):
        counting.step(0)
    lists.pages = [[]]
    assert counting.step(UNMANAGED_AGAIN_SECONDS)
