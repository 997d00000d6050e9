"""Which state a source is in, when it is stale, and what of it is held; sources that come and go while all runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.errors import RenderError, SetscrewError, SourceError, UsageError
from reconciler.loop.conditions import blank, check_losses, failed, gone_stale
from reconciler.loop.reading import Good, Reader
from reconciler.loop.serve import Clockwork
from reconciler.loop.sources import Sources
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.model.ref import ObjectRef
from reconciler.snapshot.model import Adopter
from reconciler.source.backend import Head
from reconciler.source.spec import GitRef, GitSource
from reconciler.store.sources import SourceStatus, read_sources
from tests.unit.loop.conftest import CONFIG, Site, names

SHOP = GitSource("shop", "https://git.example.com/shop", GitRef("branch", "main"), interval=300)
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (SourceError("x", code="SS2002"), "FetchFailed"),
        (SourceError("x", code="SS2011"), "FetchFailed"),
        (SourceError("x", code="SS2003"), "RefNotFound"),
        (SourceError("x", code="SS2006"), "RenderFailed"),
        (SourceError("x", code="SS2014"), "Held"),
        (SourceError("x", code="SS2015"), "Held"),
        (SourceError("x", code="SS2101"), "VerifyFailed"),
        (RenderError("x"), "RenderFailed"),
        (UsageError("x"), "RenderFailed"),
    ],
)
def test_what_failed_is_the_state(error: SetscrewError, state: str) -> None:
    found = failed(SHOP, None, Head("a" * 40, "refs/heads/main"), error)
    assert (found.state, found.attempted, found.enforced) == (state, f"main@sha1:{'a' * 40}", "")


@pytest.mark.parametrize(
    ("state", "minutes", "interval", "shown", "stale"),
    [
        ("FetchFailed", 14, 60, "FetchFailed", False),
        ("FetchFailed", 15, 60, "Stale", True),
        ("FetchFailed", 15, 600, "FetchFailed", False),
        ("FetchFailed", 30, 600, "Stale", True),
        ("RefNotFound", 16, 60, "RefNotFound", True),
        ("Held", 16, 60, "Held", True),
        ("Suspended", 10_000, 60, "Suspended", False),
        ("Ready", 10_000, 60, "Ready", False),
    ],
)
def test_a_source_that_could_not_be_followed_for_long_is_stale(
    state: str, minutes: int, interval: int, shown: str, stale: bool
) -> None:
    status = SourceStatus("shop", state)  # type: ignore[arg-type]
    found = gone_stale(status, replace(SHOP, interval=interval), NOW - timedelta(minutes=minutes), NOW)
    assert (found.state, bool(found.stale)) == (shown, stale)


def test_a_source_that_was_never_good_is_not_stale() -> None:
    assert gone_stale(SourceStatus("shop", "FetchFailed"), SHOP, None, NOW).stale == ""


def objects(count: int) -> list[RenderedObject]:
    return [
        RenderedObject({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"m{number}"}}, Provenance())
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("before", "now", "held"),
    [(10, 5, False), (10, 4, True), (8, 4, False), (8, 3, True), (6, 2, False), (4, 1, False), (4, 0, True),
     (1, 0, True), (0, 0, False), (0, 5, False)],
)  # fmt: skip
def test_more_than_half_of_five_or_more_objects_or_all_are_not_let_go_unasked(
    before: int, now: int, held: bool
) -> None:
    refs = [one.ref._replace(namespace="shop") for one in objects(before)]
    if not held:
        assert check_losses(SHOP, refs, objects(now)) is None
        return
    with pytest.raises(SourceError) as caught:
        check_losses(SHOP, refs, objects(now))
    assert f"{before - now} of {before} objects" in caught.value.message
    assert "setscrew source confirm shop" in caught.value.hint


def test_objects_that_give_way_to_as_many_others_are_let_go_all_the_same() -> None:
    with pytest.raises(SourceError):
        check_losses(SHOP, [ObjectRef("", "ConfigMap", "shop", f"other{number}") for number in range(6)], objects(6))


def test_what_defines_a_source_in_another_tool_is_told() -> None:
    adopter = Adopter("Kustomization", "apps", "flux-system")
    assert blank(replace(SHOP, adopted_by=adopter)).origin == "Kustomization flux-system/apps"
    assert blank(SHOP).origin == ""


def test_a_stale_source_is_published_once_and_once_more_when_it_is_followed_again(site: Site) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    found = site.reconciler()
    found.sync()
    back = site.hide("shop")
    found.sync()
    later = datetime.now(UTC) + timedelta(minutes=16)
    since = found.sources.succeeded["shop"] = datetime.now(UTC) - timedelta(minutes=16)
    for _ in range(3):
        found.age(later)
    assert found.current is not None
    assert found.current.sources["shop"].stale == since.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert len(site.published) == 2
    (row,) = read_sources(found.state)
    assert (row["state"], row["stale"]) == ("Stale", True)
    back()
    found.sync()
    found.age(datetime.now(UTC))
    assert [bool(snapshot.sources["shop"].stale) for snapshot in site.published] == [False, True, False]


def test_when_a_source_could_last_be_followed_is_known_after_a_restart(site: Site) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    before = site.reconciler()
    before.sync()
    site.hide("shop")
    after = site.reconciler(last=before.current)
    after.sync()
    known = [one.sources.succeeded["shop"].replace(microsecond=0) for one in (before, after)]
    assert known[0] == known[1]


def test_sources_that_come_and_go_are_followed_and_forgotten(site: Site) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    site.push("gpu", CONFIG % ("two", "x"))
    found = site.reconciler("shop")
    found.sync()
    both = site.reconciler().sources.configured
    found.sources.follow(both, [SourceStatus("chart", "Unsupported", message="an OCI chart")])
    found.sync()
    assert names(found) == ["one", "two"]
    assert {row["name"]: row["state"] for row in read_sources(found.state)} == {
        "shop": "Ready", "gpu": "Ready", "chart": "Unsupported",
    }  # fmt: skip
    found.sources.follow(both[1:])
    found.renew()
    assert names(found) == ["two"]
    assert [row["name"] for row in read_sources(found.state)] == ["gpu"]


def test_a_source_that_is_defined_otherwise_is_read_anew_though_git_has_nothing_new(site: Site) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    found = site.reconciler()
    found.sync()
    (source,) = found.sources.configured
    found.sources.follow([replace(source, path="nowhere")])
    found.sync()
    assert (found.sources.status["shop"].state, names(found)) == ("RenderFailed", ["one"])
    found.sources.follow([source])
    found.sync()
    assert found.sources.status["shop"].state == "Ready"


def test_nothing_can_be_confirmed_that_is_not_held(site: Site) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    sources: Sources = site.reconciler().sources
    sources.refresh()
    assert sources.confirm("shop") == ""
    with pytest.raises(UsageError):
        sources.confirm("nobody")


def test_what_is_confirmed_is_confirmed_once(site: Site) -> None:
    """The same commit may come to mean something else by another definition."""
    several = "---\n".join(CONFIG % (f"c{number}", "x") for number in range(12))
    site.push("shop", several)
    found = site.reconciler()
    found.sync()
    other = site.repositories["shop"].work / "other"
    other.mkdir()
    (other / "all.yaml").write_text(CONFIG % ("unrelated", "x"))
    site.push("shop", "---\n".join(several.split("---\n")[:5]))
    found.sync()
    assert found.sources.status["shop"].state == "Held"
    assert found.sources.confirm("shop")
    found.sync()
    assert len(names(found)) == 5
    (source,) = found.sources.configured
    found.sources.follow([replace(source, path="other")])
    found.sync()
    assert (found.sources.status["shop"].state, len(names(found))) == ("Held", 5)


def test_a_source_that_is_defined_otherwise_during_a_look_is_due_and_the_look_counts_for_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    clockwork = Clockwork(site.reconciler(), site.directory)
    sources = clockwork.reconciler.sources
    read, (source,) = Reader.read, sources.configured

    def slowly(*given: Any) -> Good:
        good = read(*given)
        sources.follow([replace(source, path="other")])
        return good

    with monkeypatch.context() as patched:
        patched.setattr(Reader, "read", slowly)
        clockwork._sync(["shop"])
    assert (sources.good, names(clockwork.reconciler)) == ({}, [])
    assert clockwork._due() == ["shop"]
