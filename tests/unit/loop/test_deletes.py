"""What a GitOps writer has deleted is a finding if it stays away, and says who it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.errors import UnreachableError
from reconciler.limits import DELETE_SETTLE_SECONDS, DELETES_PENDING
from reconciler.loop.deletes import Deletes
from reconciler.loop.ledger import Ledger
from reconciler.loop.reconciler import Reconciler
from reconciler.store.decisions import record_all
from reconciler.store.findings import read_findings
from tests.support.fake_api import Call, FakeApi, refused
from tests.unit.loop.conftest import CONFIG, Site

NOW = datetime(2026, 1, 1, 0, 0, 20, tzinfo=UTC)
TIME = "2026-01-01T00:00:05.000Z"
LATER = "2026-01-01T00:00:06.000Z"
USER = "system:serviceaccount:argocd:argocd-application-controller"


def decided(code: str = "writer-delete", time: str = TIME, **changes: str) -> bytes:
    record = {"code": code, "allowed": True, "time": time, "user": USER, "operation": "DELETE"}
    record |= {"group": "", "kind": "ConfigMap", "resource": "configmaps", "namespace": "shop", "name": "one"}
    return json.dumps(record | changes).encode()


def kept(found: Reconciler, deletes: Deletes, *lines: bytes) -> None:
    record_all(found.state, lines)
    deletes.note(lines, 100.0)


def settled(found: Reconciler, deletes: Deletes, there: bool, clock: float) -> list[dict[str, Any]]:
    """The findings after a look at `clock` at a cluster that holds the object, or does not."""

    def answer(_: Call) -> Any:
        if not there:
            raise refused(404)
        assert found.current is not None
        return found.current.entries[0].object.want

    deletes.settle(FakeApi(answer), found.current, found.ledger, NOW, clock)  # type: ignore[arg-type] # stands for one
    return read_findings(found.state)[0]


@pytest.fixture
def found(site: Site) -> Reconciler:
    site.push("shop", CONFIG % ("one", "old"))
    one = site.reconciler()
    one.sync()
    return one


def test_what_stays_away_is_a_finding_that_names_the_writer_and_the_time(found: Reconciler) -> None:
    deletes = Deletes()
    kept(found, deletes, decided())
    assert settled(found, deletes, there=False, clock=99.0 + DELETE_SETTLE_SECONDS) == []
    (item,) = settled(found, deletes, there=False, clock=100.0 + DELETE_SETTLE_SECONDS)
    assert (item["state"], item["name"]) == ("missing", "one")
    assert item["reason"] == f"{USER} deleted it at {TIME}, and it is not back although Git declares it"
    named = {key: value for key, value in item["attribution"].items() if value}
    assert named == {"user": USER, "time": TIME, "verb": "delete", "confidence": "admission"}


def test_whoever_sees_it_go_while_it_is_looked_at_need_not_wait_for_its_writer(
    found: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    deletes, waiting = Deletes(), list[bool]()
    kept(found, deletes, decided())
    assert found.current is not None
    (entry,) = found.current.entries
    monkeypatch.setattr(Ledger, "put", lambda *_: waiting.append(deletes.waits(entry)))
    assert deletes.waits(entry)
    settled(found, deletes, there=True, clock=200.0)
    assert (waiting, deletes.waits(entry)) == ([False], False)


def test_while_nobody_answers_it_is_still_waited_for(found: Reconciler) -> None:
    deletes = Deletes()
    kept(found, deletes, decided())
    assert found.current is not None

    def nobody(_: Call) -> Any:
        raise UnreachableError("nobody answers")

    with pytest.raises(UnreachableError):
        deletes.settle(FakeApi(nobody), found.current, found.ledger, NOW, 200.0)  # type: ignore[arg-type] # stands for one
    assert deletes.waits(found.current.entries[0])
    assert [one["state"] for one in settled(found, deletes, there=False, clock=201.0)] == ["missing"]


def test_what_is_back_is_no_finding(found: Reconciler) -> None:
    deletes = Deletes()
    kept(found, deletes, decided())
    assert settled(found, deletes, there=True, clock=200.0) == []


def test_what_a_newer_revision_has_dropped_is_no_finding(site: Site, found: Reconciler) -> None:
    deletes = Deletes()
    kept(found, deletes, decided())
    site.push("shop", CONFIG % ("two", "old"))
    found.sync()
    assert settled(found, deletes, there=False, clock=200.0) == []


@pytest.mark.parametrize(
    "taken",
    [
        {"kind": "Namespace", "resource": "namespaces", "name": "shop"},
        {"kind": "CustomResourceDefinition", "resource": "customresourcedefinitions", "name": "configmaps.",
         "group": "apiextensions.k8s.io", "namespace": ""},
    ],
)  # fmt: skip
def test_what_goes_along_with_what_is_deleted_is_looked_at(found: Reconciler, taken: dict[str, str]) -> None:
    deletes = Deletes()
    kept(found, deletes, decided(**taken))
    assert [item["name"] for item in settled(found, deletes, there=False, clock=200.0)] == ["one"]


@pytest.mark.parametrize("line", [decided("conforms"), decided("conforms", name="writer-delete"), decided(name="two")])
def test_only_deletes_of_writers_are_waited_for(found: Reconciler, line: bytes) -> None:
    deletes = Deletes()
    kept(found, deletes, line)
    assert settled(found, deletes, there=False, clock=200.0) == []


def test_who_deleted_it_is_told_only_while_nobody_has_written_it_since(found: Reconciler) -> None:
    deletes = Deletes()
    kept(found, deletes, decided(), decided("conforms", LATER, operation="CREATE"))
    (item,) = settled(found, deletes, there=False, clock=200.0)
    assert "deleted it" not in item["reason"]
    assert item["attribution"]["user"] == ""


def test_a_flood_of_deletes_is_bounded(found: Reconciler) -> None:
    deletes = Deletes()
    deletes.note((decided(name=f"n{number}") for number in range(DELETES_PENDING + 10)), 0.0)
    assert len(deletes._due) == DELETES_PENDING
    assert settled(found, deletes, there=False, clock=200.0) == []
    assert deletes._due == {}
