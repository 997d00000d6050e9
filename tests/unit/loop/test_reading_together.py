"""What one look has found of several sources does not hide what another look has found of one of them meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.loop import sources
from reconciler.loop.reading import Reader
from reconciler.loop.reconciler import Reconciler
from tests.unit.loop.conftest import BROKEN, CONFIG, Site


@pytest.fixture
def found(site: Site) -> Reconciler:
    site.push("shop", CONFIG % ("one", 1))
    site.push("slow", CONFIG % ("two", 1))
    found = site.reconciler("shop", "slow")
    found.sync()
    return found


def sync_slowly(found: Reconciler, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], Any]) -> None:
    """Look at both sources, one after the other, and do this when the first one was read."""
    heads = Reader.heads

    def slow(self: Reader, source: Any, since: float) -> Any:
        if source.name == "slow":
            meanwhile()
        return heads(self, source, since)

    monkeypatch.setattr(sources, "SOURCES_AT_ONCE", 1)
    monkeypatch.setattr(Reader, "heads", slow)
    found.sync()


@pytest.mark.parametrize(("text", "state"), [(BROKEN, "RenderFailed"), (CONFIG % ("one", 2), "Ready")])
def test_an_older_look_does_not_speak_over_a_newer_one(
    site: Site, found: Reconciler, monkeypatch: pytest.MonkeyPatch, text: str, state: str
) -> None:
    commits = list[str]()

    def push() -> None:
        commits.append(site.push("shop", text))
        found.sync(["shop"])

    sync_slowly(found, monkeypatch, push)
    status = found.sources.status["shop"]
    assert (status.state, commits[0] in status.attempted) == (state, True)


def test_an_older_failure_does_not_speak_over_a_newer_success(
    site: Site, found: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = site.hide("shop")

    def mend() -> None:
        show()
        found.sync(["shop"])

    sync_slowly(found, monkeypatch, mend)
    assert found.sources.status["shop"].state == "Ready"
