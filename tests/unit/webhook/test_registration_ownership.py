"""Holds who owns what of the registration: our entries are ours as a whole, but for the choices of an admin."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from reconciler.model.own import ENTRY_SUFFIX, OFF
from tests.support.fake_registration import FakeApi, wanted
from webhook.registration.apply import register
from webhook.registration.change import change
from webhook.registration.ownership import MANAGER, choosers, taken_over, writers

A, B = f"a{ENTRY_SUFFIX}", f"b{ENTRY_SUFFIX}"


def item(name: str) -> str:
    return f'k:{{"name":"{name}"}}'


def fields(*entries: str, **of_each: Any) -> dict[str, Any]:
    return {"f:webhooks": {item(name): {f"f:{field}": {} for field in of_each} for name in entries}}


def managed(manager: str, fields_v1: dict[str, Any], operation: str = "Update", time: str = "") -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "time": time, "fieldsType": "FieldsV1", "fieldsV1": fields_v1}


def live(*managers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    api = FakeApi()
    register(api, wanted("a", "b"))
    assert api.live is not None
    found = copy.deepcopy(api.live)
    found["metadata"]["managedFields"] = list(managers)
    found["webhooks"][0].update(changes)
    return found


OURS = managed(MANAGER, fields(A, B, rules=1, failurePolicy=1), "Apply")


@pytest.mark.parametrize("field", ["failurePolicy", "timeoutSeconds"])
def test_what_an_admin_has_chosen_stays_and_is_told(field: str) -> None:
    value = {"failurePolicy": "Fail", "timeoutSeconds": 10}[field]
    found = live(OURS, managed("kubectl-edit", fields(A, **{field: 1})), **{field: value})
    assert not change(found, wanted("a", "b"))
    assert change(found, wanted("a", "b")).kept == (f"{A}: {field} {value} stays, as kubectl-edit has set it",)
    applied = change(found, wanted("a")).apply
    assert applied is not None
    assert field not in applied["webhooks"][0]


def test_what_nobody_has_chosen_is_put_back() -> None:
    found = live(OURS, failurePolicy="Fail")
    assert change(found, wanted("a", "b")).missing == (A,)
    assert choosers(found, A, "failurePolicy") == []


def test_an_admin_who_has_chosen_what_we_would_is_no_news() -> None:
    found = live(OURS, managed("kubectl-edit", fields(A, failurePolicy=1)))
    assert change(found, wanted("a", "b")).kept == ()


def test_what_an_earlier_version_wrote_by_put_becomes_ours() -> None:
    before = managed(MANAGER, {**fields(A, B, rules=1), "f:metadata": {"f:labels": {"f:app": {}}}})
    taken = taken_over(live(before), [A])
    assert taken is not None
    (own,) = taken
    assert (own["manager"], own["operation"], own["fieldsV1"]) == (MANAGER, "Apply", before["fieldsV1"])


def test_both_ways_of_writing_are_united() -> None:
    taken = taken_over(live(OURS, managed(MANAGER, fields(A, clientConfig=1))), [A])
    assert taken is not None
    assert taken[0]["fieldsV1"]["f:webhooks"][item(A)] == {"f:rules": {}, "f:failurePolicy": {}, "f:clientConfig": {}}


def test_what_others_own_of_an_entry_that_goes_would_keep_it_alive_so_it_is_taken() -> None:
    theirs = {**fields(B, failurePolicy=1), "f:metadata": {"f:labels": {"f:team": {}}}}
    taken = taken_over(live(OURS, managed("kubectl-edit", theirs)), [A])
    assert taken is not None
    own, other = taken
    assert own["fieldsV1"]["f:webhooks"][item(B)] == {"f:rules": {}, "f:failurePolicy": {}}
    assert other["fieldsV1"] == {"f:metadata": {"f:labels": {"f:team": {}}}}


def test_a_foreign_condition_in_an_entry_of_ours_is_taken_and_a_choice_is_not() -> None:
    theirs = fields(A, failurePolicy=1, matchConditions=1)
    taken = taken_over(live(OURS, managed("kubectl-edit", theirs)), [A, B])
    assert taken is not None
    assert taken[1]["fieldsV1"] == fields(A, failurePolicy=1)


def test_an_off_switch_of_others_is_taken() -> None:
    theirs = {"f:metadata": {"f:annotations": {".": {}, f"f:{OFF}": {}, "f:note": {}}}}
    taken = taken_over(live(OURS, managed("kubectl-patch", theirs)), [A, B])
    assert taken is not None
    assert taken[1]["fieldsV1"] == {"f:metadata": {"f:annotations": {".": {}, "f:note": {}}}}


@pytest.mark.parametrize(
    "theirs",
    [
        {"f:metadata": {"f:labels": {"f:team": {}}}},
        fields("theirs.example.com", rules=1, failurePolicy=1),
        fields(A, failurePolicy=1),
    ],
    ids=["labels", "an entry", "a choice"],
)
def test_what_is_theirs_stays_theirs(theirs: dict[str, Any]) -> None:
    assert taken_over(live(OURS, managed("kubectl-edit", theirs)), [A, B]) is None


def test_who_wrote_what_is_ours_is_told_newest_first() -> None:
    found = live(
        OURS,
        managed("older", fields(A, rules=1), time="2026-11-22T11:00:00Z"),
        managed("newer", fields(B, rules=1), time="2026-11-22T12:00:00Z"),
        managed("elsewhere", fields("theirs.example.com", rules=1), time="2026-11-22T13:00:00Z"),
    )
    assert list(writers(found)) == [("2026-11-22T12:00:00Z", "newer"), ("2026-11-22T11:00:00Z", "older")]
