"""A finding is told in full: also where the record of who did it, or a label, comes after the finding."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.errors import SourceError
from reconciler.loop import passes
from reconciler.loop.enriching import Enricher
from reconciler.loop.passes import full_pass
from reconciler.loop.reconciler import Reconciler
from reconciler.loop.scan import Scan
from reconciler.report.drift import DriftChange, DriftItem, finding_id
from reconciler.report.item import drift_item
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.decisions import record_all
from reconciler.store.findings import put_findings, read_findings
from reconciler.store.history import read_history
from tests.support.fake_api import FakeApi, refused
from tests.unit.loop.conftest import CONFIG, Site

NOW = datetime(2030, 1, 1, tzinfo=UTC)
OWNERS = "* @acme/everything\n/all.yaml @acme/shop @dana\n"


@pytest.fixture
def found(site: Site) -> Reconciler:
    site.push("shop", CONFIG % ("one", "x"))
    one = site.reconciler()
    one.sync()
    return one


class Unreadable:
    """Stands for repositories that cannot be read for a moment."""

    def __getattr__(self, _: str) -> Any:
        raise SourceError("git does not answer")


def snapshot(found: Reconciler) -> MemorySnapshot:
    assert found.current is not None
    return found.current


def drifted(found: Reconciler) -> DriftItem:
    (entry,) = snapshot(found).entries
    item = drift_item(entry, None, {"metadata": {}}, now=NOW)
    change = DriftChange("/data/a", "replace", "x", "y", manager="kubectl", time="2030-01-01T00:00:00Z")
    return DriftItem(item.id, "f", "v1", "ConfigMap", "shop", "one", "drifted", item.source, (change,))


def told(found: Reconciler) -> DriftItem:
    return found.ledger.enricher.enriched([drifted(found)], snapshot(found))[0]


def decided(**changes: Any) -> bytes:
    said = {
        "time": "2030-01-01T00:00:00.5Z",
        "code": "audited",
        "allowed": True,
        "user": "alice",
        "operation": "UPDATE",
    }
    said |= {"group": "", "kind": "ConfigMap", "namespace": "shop", "name": "one", "groups": ["dev"], "uid": "r-1"}
    return json.dumps(said | {"paths": [{"path": "/data/a", "now": '"y"'}]} | changes).encode()


def namespaces(**labels: dict[str, str]) -> FakeApi:
    return FakeApi(lambda _: {"items": [{"metadata": {"name": name, "labels": own}} for name, own in labels.items()]})


def test_a_record_that_was_there_before_names_the_person(found: Reconciler) -> None:
    record_all(found.state, [decided()])
    item = told(found)
    assert (item.attribution.user, item.attribution.confidence, item.changes[0].user) == ("alice", "admission", "alice")


def test_a_record_from_before_the_object_was_in_sync_names_nobody_and_no_grant(found: Reconciler) -> None:
    record_all(found.state, [decided(grant="g-1")])
    put_findings(found.state, [told(found)])
    assert read_findings(found.state)[0][0]["grant"] == "g-1"
    seen = "2030-01-01T00:05:00Z"
    put_findings(found.state, [replace(drifted(found), state="in-sync", changes=(), last_seen=seen)])
    item = told(found)
    assert (item.attribution.user, item.attribution.confidence, item.grant) == ("", "managedFields", "")
    record_all(found.state, [decided(user="bob", time="2030-01-01T00:05:00.300Z")])
    assert told(found).attribution.user == "bob"


def test_a_record_that_comes_later_names_the_person_in_what_is_stored(found: Reconciler) -> None:
    with found.ledger.look() as look:
        found.ledger.put(look, {"": drifted(found)}, snapshot(found), NOW)
    assert read_findings(found.state)[0][0]["attribution"]["confidence"] == "managedFields"
    record_all(found.state, [decided()])
    found.ledger.recorded([decided(), b"no json", b"[]"], snapshot(found))
    ((item,), *_), (event,) = read_findings(found.state), read_history(found.state, drifted(found).id)
    assert (item["attribution"]["user"], item["attribution"]["requestUID"]) == ("alice", "r-1")
    assert (event["who"], item["occurrences"]) == ("alice", 1)


def test_a_look_says_whether_owners_may_be_others_now(site: Site) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    found = site.reconciler()
    look: Any = found.ledger.enricher.look
    api = namespaces(shop={"team": "a"})
    assert [look(api, at) for at in (0.0, 1000.0)] == [True, False]
    assert look(namespaces(shop={"team": "b"}), 2000.0)
    found.sync()
    assert [look(None, at) for at in (2001.0, 2002.0)] == [True, False]


@pytest.mark.parametrize("changes", [{"allowed": False}, {"code": "conforms"}, {"name": "other"}])
def test_records_of_other_writes_change_nothing(found: Reconciler, changes: dict[str, Any]) -> None:
    put_findings(found.state, [told(found)])
    record_all(found.state, [decided(**changes)])
    found.ledger.recorded([decided(**changes)], snapshot(found))
    assert read_findings(found.state)[0][0]["attribution"]["user"] == ""


def test_labels_of_the_namespace_say_whose_it_is(found: Reconciler) -> None:
    found.ledger.enricher.look(namespaces(shop={"team": "pay"}), 100.0)  # type: ignore[arg-type] # stands for one
    assert (told(found).owner.team, told(found).owner.labels) == ("pay", {"team": "pay"})
    assert Enricher(found.state).enriched([drifted(found)], snapshot(found))[0].owner.team == "pay"


def test_who_asks_while_labels_are_read_does_not_keep_the_old_ones(found: Reconciler) -> None:
    enricher = found.ledger.enricher
    enricher.look(namespaces(shop={"team": "old"}), 100.0)  # type: ignore[arg-type] # stands for one
    asked = list[str]()

    def answers(_: object) -> Any:
        asked.append(told(found).owner.team)
        return {"items": [{"metadata": {"name": "shop", "labels": {"team": "new"}}}]}

    enricher.look(FakeApi(answers), 9_000.0)  # type: ignore[arg-type] # stands for one
    assert (asked, told(found).owner.team) == (["old"], "new")


def test_labels_that_cannot_be_read_stay_what_they_were(found: Reconciler) -> None:
    enricher = found.ledger.enricher
    enricher.look(namespaces(shop={"team": "pay"}), 100.0)  # type: ignore[arg-type] # stands for one

    def fails(_: object) -> None:
        raise refused(403)

    enricher.look(FakeApi(fails), 900.0)  # type: ignore[arg-type] # stands for one
    assert told(found).owner.team == "pay"


def test_owners_of_the_file_at_the_sources_revision_say_whose_it_is(site: Site, found: Reconciler) -> None:
    enricher = found.ledger.enricher
    enricher.look(None, 0.0)
    assert told(found).owner.team == ""
    (site.repositories["shop"].work / "CODEOWNERS").write_text(OWNERS)
    site.push("shop", CONFIG % ("one", "z"))
    found.sync()
    enricher.look(None, 0.0)
    owner = told(found).owner
    assert (owner.team, owner.contact, owner.origin) == ("@acme/shop", "@acme/shop @dana", "CODEOWNERS")


def test_a_file_that_cannot_be_read_now_is_read_at_the_next_look(
    site: Site, found: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    enricher = found.ledger.enricher
    (site.repositories["shop"].work / "CODEOWNERS").write_text(OWNERS)
    site.push("shop", CONFIG % ("one", "z"))
    found.sync()
    objects, enricher.objects = enricher.objects, Unreadable()
    enricher.look(None, 0.0)
    assert told(found).owner.team == ""
    enricher.objects = objects
    assert enricher.look(None, 0.0)
    assert told(found).owner.team == "@acme/shop"


def test_what_counts_as_later_than_a_pass_knows_the_owners_that_the_pass_knows(
    site: Site, found: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look beside a pass is told by what names owners, and while a pass reads that, it is not known yet."""
    ledger, look = found.ledger, Enricher.look

    def beside(enricher: Enricher, *args: Any) -> bool:
        with ledger.look() as event:
            ledger.put(event, {drifted(found).id: drifted(found)}, snapshot(found), NOW)
        return look(enricher, *args)

    monkeypatch.setattr(Enricher, "look", beside)
    monkeypatch.setattr(passes, "scan", lambda *_: Scan([drifted(found)], frozenset(), frozenset()))
    found.client = namespaces(shop={"team": "pay"})  # type: ignore[assignment] # stands for one
    full_pass(found, NOW)
    assert [one["owner"]["team"] for one in read_findings(found.state)[0]] == ["pay"]


def test_a_link_in_the_place_of_the_file_is_not_followed(site: Site, found: Reconciler) -> None:
    work = site.repositories["shop"].work
    (work / "owners").write_text(OWNERS)
    (work / "CODEOWNERS").symlink_to("owners")
    site.push("shop", CONFIG % ("one", "z"))
    found.sync()
    found.ledger.enricher.look(None, 0.0)
    assert told(found).owner.origin == ""


def test_the_id_of_a_finding_is_that_of_its_cluster(found: Reconciler) -> None:
    assert drifted(found).id == finding_id(drifted(found).ref, found.state.cluster)
