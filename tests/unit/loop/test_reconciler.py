"""What a reconciler enforces while sources change, break, vanish, and while it is itself started anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

import reconciler.loop.reconciler as module
from reconciler.errors import StoreError
from reconciler.loop.sources import Good, Sources
from reconciler.snapshot.model import MemorySnapshot
from reconciler.source.spec import GitSource
from tests.unit.loop.conftest import BROKEN, CONFIG, Site, names


def config(name: str, value: str = "x") -> str:
    return CONFIG % (name, value)


def test_the_first_look_publishes_what_git_says(site: Site) -> None:
    commit = site.push("shop", config("one"))
    found = site.reconciler()
    digest = found.sync()
    assert (site.directory / "snapshots" / f"{digest}.sqlite").exists()
    assert names(found) == ["one"]
    assert [snapshot.sources["shop"].commit for snapshot in site.published] == [commit]


def test_a_second_look_at_the_same_commit_publishes_nothing(site: Site) -> None:
    site.push("shop", config("one"))
    found = site.reconciler()
    assert found.sync() == found.sync()
    assert len(site.published) == 1


def test_a_broken_commit_keeps_the_last_good_and_says_so_once(site: Site) -> None:
    good = site.push("shop", config("one"))
    found = site.reconciler()
    digest = found.sync()
    bad = site.push("shop", BROKEN)
    assert [found.sync(), found.sync()] == [digest, digest]
    status = found.sources.status["shop"]
    assert (status.state, good in status.enforced, bad in status.attempted) == ("RenderFailed", True, True)
    told = [line for line in site.said if "RenderFailed" in line]
    assert len(told) == 1
    assert "all.yaml:4: YAML syntax error" in told[0]
    assert told[0].endswith("[SS3001]; the last good revision stays")


def test_the_mended_commit_is_enforced_and_said_to_be_well(site: Site) -> None:
    site.push("shop", config("one"))
    found = site.reconciler()
    found.sync()
    site.push("shop", BROKEN)
    found.sync()
    site.push("shop", config("two"))
    found.sync()
    assert names(found) == ["two"]
    assert "source shop: ready again" in site.said


def test_a_source_that_cannot_be_read_does_not_hold_up_the_others(site: Site) -> None:
    site.push("shop", config("one"))
    site.push("broken", BROKEN)
    found = site.reconciler()
    found.sync()
    assert names(found) == ["one"]
    assert not found.whole


def test_without_any_source_there_is_an_empty_snapshot(site: Site) -> None:
    found = site.reconciler()
    assert found.sync()
    assert names(found) == []


def test_while_no_source_could_be_read_there_is_no_snapshot(site: Site) -> None:
    site.push("shop", BROKEN)
    found = site.reconciler()
    assert found.sync() == ""
    assert site.published == []


def test_a_restart_without_git_goes_on_with_what_was_enforced(site: Site) -> None:
    site.push("shop", config("one"))
    before = site.reconciler()
    digest = before.sync()
    site.hide("shop")
    after = site.reconciler(last=before.current)
    assert after.sync() == digest
    assert names(after) == ["one"]
    assert any("source shop: FetchFailed" in line and "last good" in line for line in site.said)


def test_a_restart_with_one_source_gone_carries_it_beside_the_news_of_the_other(site: Site) -> None:
    site.push("shop", config("one"))
    site.push("gpu", config("two"))
    before = site.reconciler()
    before.sync()
    back = site.hide("gpu")
    site.push("shop", config("three"))
    after = site.reconciler(last=before.current)
    after.sync()
    assert names(after) == ["three", "two"]
    assert after.current is not None
    assert set(after.current.sources) == {"shop", "gpu"}
    back()
    site.push("gpu", config("four"))
    after.sync()
    assert names(after) == ["four", "three"]


def test_a_source_that_is_configured_no_longer_is_not_carried(site: Site) -> None:
    site.push("shop", config("one"))
    site.push("gpu", config("two"))
    before = site.reconciler()
    before.sync()
    after = site.reconciler("shop", last=before.current)
    after.sync()
    assert names(after) == ["one"]


def test_a_suspended_source_keeps_what_it_declared(site: Site) -> None:
    site.push("shop", config("one"))
    site.push("gpu", config("two"))
    before = site.reconciler()
    before.sync()
    after = site.reconciler(last=before.current)
    after.sources.configured = tuple(replace(one, suspend=one.name == "gpu") for one in after.sources.configured)
    site.push("gpu", config("three"))
    after.sync()
    assert names(after) == ["one", "two"]
    assert after.whole


def confirmed(snapshot: MemorySnapshot | None) -> MemorySnapshot:
    assert snapshot is not None
    entries = tuple(replace(one, object=replace(one.object, confidence="server")) for one in snapshot.entries)
    return MemorySnapshot(entries, snapshot.rules, snapshot.sources, snapshot.secret_key, "another digest")


def test_a_restart_keeps_server_forms_until_they_are_confirmed_anew(site: Site) -> None:
    site.push("shop", config("one"))
    before = site.reconciler()
    before.sync()
    after = site.reconciler(last=confirmed(before.current))
    after.forms.client = object()  # type: ignore[assignment]  # there is a server to ask, later
    after.sync()
    assert after.current is not None
    assert [entry.object.confidence for entry in after.current.entries] == ["server"]


def test_server_forms_of_another_commit_are_not_kept(site: Site) -> None:
    site.push("shop", config("one"))
    before = site.reconciler()
    before.sync()
    site.push("shop", config("one", "y"))
    after = site.reconciler(last=confirmed(before.current))
    after.forms.client = object()  # type: ignore[assignment]  # as above
    after.sync()
    assert after.current is not None
    assert [entry.object.confidence for entry in after.current.entries] == ["offline"]


def test_a_revision_survives_a_disk_that_was_full_for_a_moment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.push("shop", config("one"))
    found = site.reconciler()
    found.sync()
    site.push("shop", config("two"))

    def full(*_: object) -> str:
        raise StoreError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(module, "publish", full)
        with pytest.raises(StoreError):
            found.sync()
    assert names(found) == ["one"]
    assert not found.whole
    found.sync()
    assert names(found) == ["two"]


def test_only_the_named_source_is_looked_at(site: Site) -> None:
    site.push("shop", config("one"))
    site.push("gpu", config("two"))
    found = site.reconciler()
    found.sync()
    site.push("shop", config("three"))
    site.push("gpu", config("four"))
    found.sync(["gpu"])
    assert names(found) == ["four", "one"]


def test_an_unforeseen_error_of_one_source_does_not_hold_up_the_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.push("a", config("one"))
    site.push("b", config("two"))
    found = site.reconciler("a", "b")
    honest = Sources._read

    def broken(self: Sources, source: GitSource) -> Good:
        if source.name == "a":
            raise RecursionError("a secret of the commit")
        return honest(self, source)

    monkeypatch.setattr(Sources, "_read", broken)
    found.sync()
    assert names(found) == ["two"]
    assert found.sources.status["a"].message == "source a: it could not be read: RecursionError [SS9000]"
