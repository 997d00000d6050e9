"""What Git has dropped is a finding for as long as the cluster holds that object and nobody declares it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.loop.orphans import Orphans
from reconciler.loop.reconciler import Reconciler
from reconciler.report.drift import DriftItem
from reconciler.store.dropped import read_dropped
from tests.support.fake_api import Call, FakeApi, refused
from tests.unit.loop.conftest import CONFIG, Site

NOW = datetime(2030, 1, 1, tzinfo=UTC)
BOTH = CONFIG % ("one", "x") + "---\n" + CONFIG % ("two", "x")
ONE = CONFIG % ("one", "x")


@pytest.fixture
def found(site: Site) -> Reconciler:
    site.push("shop", BOTH)
    one = site.reconciler()
    one.sync()
    return one


def look(found: Reconciler, uid: str | None = "u-1", status: int = 404) -> dict[str, DriftItem | None]:
    """One look at a cluster that holds the object with that uid; None: it answers with `status`."""

    def answer(call: Call) -> Any:
        if uid is None:
            raise refused(status)
        return {"metadata": {"name": call.path.rpartition("/")[2], "namespace": "shop", "uid": uid}}

    assert found.current is not None
    return dict(found.ledger.orphans.look(FakeApi(answer), found.current, NOW).found)  # type: ignore[arg-type] # stands for one


def states(items: dict[str, DriftItem | None]) -> list[tuple[str, str] | None]:
    return [(one.name, one.state) if one is not None else None for one in items.values()]


def test_a_dropped_object_is_an_orphan_until_it_is_gone(site: Site, found: Reconciler) -> None:
    assert look(found) == {}
    site.push("shop", ONE)
    found.sync()
    assert states(look(found)) == states(look(found)) == [("two", "orphaned")]
    assert states(look(found, None)) == [None]
    assert look(found) == {}


def test_an_object_of_the_same_name_that_comes_later_is_nobodys_orphan(site: Site, found: Reconciler) -> None:
    site.push("shop", ONE)
    found.sync()
    look(found)
    assert states(look(found, "u-2")) == [None]
    assert read_dropped(found.state) == {}


def test_while_nobody_can_see_it_nothing_is_said(site: Site, found: Reconciler) -> None:
    site.push("shop", ONE)
    found.sync()
    look(found)
    assert look(found, None, status=500) == {}
    assert states(look(found)) == [("two", "orphaned")]


def test_what_is_declared_again_is_no_orphan(site: Site, found: Reconciler) -> None:
    site.push("shop", ONE)
    found.sync()
    site.push("shop", BOTH)
    found.sync()
    assert (look(found), read_dropped(found.state)) == ({}, {})


def test_a_restart_forgets_no_orphan(site: Site, found: Reconciler) -> None:
    last = found.current
    site.push("shop", ONE)
    again = site.reconciler(last=last)
    again.sync()
    assert states(look(again)) == [("two", "orphaned")]
    assert Orphans(again.state).is_due(0.0)


def test_it_is_looked_at_once_and_then_now_and_then_while_there_is_any(site: Site, found: Reconciler) -> None:
    orphans = found.ledger.orphans
    assert orphans.is_due(100.0)
    look(found)
    assert not orphans.is_due(10_000.0)
    site.push("shop", ONE)
    found.sync()
    assert orphans.is_due(100.0)
    look(found)
    assert [orphans.is_due(clock) for clock in (100.0, 105.0, 200.0)] == [False, False, True]
    orphans.soon()
    assert [orphans.is_due(201.0), orphans.is_due(202.0)] == [True, False]
