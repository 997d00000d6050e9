"""What a reconciler enforces while sources change, break, vanish, and while it is itself started anew."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

import reconciler.loop.reconciler as module
from reconciler.errors import StoreError
from reconciler.loop.reading import Good, Reader
from reconciler.policy.model import Policy
from reconciler.snapshot.model import MemorySnapshot
from reconciler.source.spec import GitSource
from tests.unit.loop.conftest import BROKEN, CONFIG, Site, names

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def config(name: str, value: str = "x") -> str:
    return CONFIG % (name, value)


def test_what_a_snapshot_needs_can_be_registered_before_it_is_in_force(site: Site) -> None:
    site.push("shop", CONFIG % ("one", 1))
    found = site.reconciler()
    pointer, seen = found.snapshots / "current.json", []
    found.preparing = lambda snapshot: seen.append((len(snapshot.entries), pointer.exists(), len(site.published)))
    found.sync()
    assert seen == [(1, False, 0)]
    assert (pointer.exists(), len(site.published)) == (True, 1)


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


def test_without_any_source_other_rules_count_at_once(site: Site) -> None:
    found = site.reconciler()
    before = found.sync()
    found.rules = replace(found.rules, policies=(*found.rules.policies, Policy("who-may-change-levers")))
    assert found.renew() != before
    assert found.current is not None
    assert found.current.rules.policies[-1].name == "who-may-change-levers"


def test_other_rules_hold_also_where_nothing_could_be_read_since_a_restart(site: Site) -> None:
    site.push("shop", config("one"))
    before = site.reconciler()
    digest = before.sync()
    site.hide("shop")
    after = site.reconciler(last=before.current)
    assert after.sync() == digest
    (old,) = (one.policy for one in after.current.entries) if after.current else ()
    after.rules = replace(after.rules, policies=(Policy("other", priority=old.priority + 1), *after.rules.policies))
    assert after.sync() != digest
    assert names(after) == ["one"]
    assert after.current is not None
    assert [one.policy.name for one in after.current.entries] == ["other"]


def test_other_rules_do_not_say_on_whose_word_a_form_was_taken(site: Site) -> None:
    site.push("shop", config("one"))
    before = site.reconciler()
    before.rules = replace(before.rules, policies=(Policy("old", priority=10**6, trusted_mutators=("sidecar",)),))
    before.sync()
    site.hide("shop")
    after = site.reconciler(last=before.current)
    after.rules = replace(before.rules, policies=(Policy("new", priority=10**6),))
    after.sync()
    assert after.current is not None
    assert [(one.policy.name, one.policy.trusted_mutators) for one in after.current.entries] == [("new", ("sidecar",))]


def test_other_rules_hold_also_for_the_one_source_that_could_not_be_read(site: Site) -> None:
    site.push("shop", config("one"))
    site.push("gpu", config("two"))
    before = site.reconciler()
    before.sync()
    site.hide("gpu")
    after = site.reconciler(last=before.current)
    after.rules = replace(after.rules, policies=(Policy("other", priority=10**6), *after.rules.policies))
    after.sync()
    assert after.current is not None
    assert {(one.source, one.policy.name) for one in after.current.entries} == {("shop", "other"), ("gpu", "other")}


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


def test_at_rest_no_object_is_looked_through_for_forms_that_are_due(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.push("shop", config("one"))
    found = site.reconciler()
    found.sync()
    found.forms.client = object()  # type: ignore[assignment]  # nobody asks it: what waits is not due
    found.forms.hold(found.forms.pending(found._assembly.declared, NOW.timestamp()), "no answer", NOW.timestamp())
    looked = list[object]()
    monkeypatch.setattr(type(found.forms), "_is_due", lambda _, one, *__: looked.append(one))
    assert [found.confirm(NOW) for _ in range(3)] == [0, 0, 0]
    assert len(looked) == 1


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
    honest = Reader.read

    def broken(self: Reader, source: GitSource, *rest: Any) -> Good:
        if source.name == "a":
            raise RecursionError("a secret of the commit")
        return honest(self, source, *rest)

    monkeypatch.setattr(Reader, "read", broken)
    found.sync()
    assert names(found) == ["two"]
    assert found.sources.status["a"].message == "source a: it could not be read: RecursionError [SS9000]"


def test_what_ends_with_time_is_renewed_for_what_is_enforced_last(site: Site) -> None:
    site.push("shop", CONFIG % ("one", "b"))
    found = site.reconciler()
    found.sync()
    renewing, go_on = threading.Event(), threading.Event()

    def slow(snapshot: MemorySnapshot) -> None:
        if threading.current_thread() is upkeep:
            renewing.set()
            go_on.wait()
        site.published.append(snapshot)

    found.published = slow
    upkeep, beside = threading.Thread(target=found.upkeep), threading.Thread(target=found.sync)
    upkeep.start()
    renewing.wait()
    site.push("shop", CONFIG % ("two", "b"))
    beside.start()
    beside.join(2)  # it waits for the upkeep, or is done before it
    go_on.set()
    upkeep.join()
    beside.join()
    assert site.published[-1] is found.current
    assert names(found) == ["two"]


def test_rules_that_are_replaced_hold_at_the_next_look(site: Site) -> None:
    site.push("shop", config("one"))
    found = site.reconciler()
    found.sync()
    assert found.sync() == found.digest
    found.rules = replace(found.rules, never_guarded=("ConfigMap",))
    found.sync()
    assert names(found) == []


def test_a_source_that_is_followed_no_longer_takes_its_objects_along(site: Site) -> None:
    site.push("a", config("one"))
    site.push("b", config("two"))
    found = site.reconciler("a", "b")
    found.sync()
    found.sources.configured = found.sources.configured[:1]
    found.sync()
    assert names(found) == ["one"]


def test_an_object_stays_with_the_source_that_had_it(site: Site) -> None:
    site.push("a", config("other"))
    site.push("b", config("one"))
    found = site.reconciler("a", "b")
    found.sync()
    site.push("a", config("one"))
    found.sync()
    assert found.current is not None
    assert [entry.source for entry in found.current.entries] == ["b"]
    assert "a:all.yaml:1 is left out" in " ".join(site.said)
    site.push("b", config("two"))
    found.sync()
    assert {entry.ref.name: entry.source for entry in found.current.entries} == {"one": "a", "two": "b"}
