"""The one is named whose write made the live value, by the best evidence there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.limits import DENIAL_PATHS
from reconciler.model.tree import ABSENT
from reconciler.report.attributed import attributed
from reconciler.report.drift import Attribution, DriftChange, DriftItem

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "findings" / "attribution.yaml").read_text())


def change(path: str, live: Any, manager: str = "", time: str = "") -> DriftChange:
    return DriftChange(path, "replace", 1, ABSENT if live is None else live, manager=manager, time=time)


def record(user: str, time: str, what: Any, code: str = "audited") -> dict[str, Any]:
    """A decision; `what` is what was written by path (as pairs: a path twice), or the operation."""
    operation, pairs = (what, []) if isinstance(what, str) else ("UPDATE", list(getattr(what, "items", what.copy)()))
    paths = [{"path": path, "now": now} for path, now in pairs[:DENIAL_PATHS]]
    said = {"user": user, "time": time, "operation": operation, "code": code, "uid": f"of-{user}", "groups": ["g"]}
    return said | {"allowed": True, "paths": paths, "morePaths": max(0, len(pairs) - DENIAL_PATHS)}


def write(user: str, time: str, verb: str, status: int = 200, subresource: str = "") -> dict[str, Any]:
    known = {"verb": verb, "status": status, "subresource": subresource, "id": f"a-{user}", "agent": "curl/8"}
    return {"user": user, "time": time, **known}


def found(case: dict[str, Any]) -> DriftItem:
    item = DriftItem(
        *("id", "print", "apps/v1", "Deployment", "shop", "web", case.get("state", "drifted")),
        attribution=Attribution(time=case.get("born", "")),
        changes=tuple(change(path, *rest) for path, rest in case.get("changes", {}).items()),
    )
    records, around = ([record(*one) for one in case.get(name, ())] for name in ("records", "around"))
    slipped = [write(*one) for one in case.get("slipped", ())]
    return attributed(item, records, slipped, around, case.get("since", ""))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_a_finding_names_whose_write_made_it(case: dict[str, Any]) -> None:
    item = found(case)
    named = {
        key: value for key, value in item.attribution.as_json().items() if key in ("user", "confidence", "manager")
    }
    assert named == {key: case.get(key, "") for key in ("manager", "user", "confidence")}
    if "users" in case:
        assert [one.user for one in item.changes] == case["users"]


def test_an_attribution_says_how_it_is_known() -> None:
    by_record = found({"changes": {"/a": [1]}, "records": [["alice", "T", {"/a": "1"}]]}).attribution
    assert (by_record.request_uid, by_record.groups, by_record.verb, by_record.time) == (
        "of-alice",
        ("g",),
        "update",
        "T",
    )
    by_log = found({"changes": {"/a": [1]}, "slipped": [["eve", "T", "patch"]]}).attribution
    assert (by_log.audit_id, by_log.verb, by_log.request_uid) == ("a-eve", "patch", "")
    assert (by_log.user_agent, by_record.user_agent) == ("curl/8", "")


def test_what_is_missing_says_in_words_who_deleted_it() -> None:
    item = found({"state": "missing", "records": [["alice", "2030-01-01T00:00:05Z", "DELETE"]]})
    assert item.reason == "alice deleted it at 2030-01-01T00:00:05Z, and it is not back although Git declares it"


@pytest.mark.parametrize("state", ["unknown", "orphaned", "in-sync"])
def test_other_states_name_nobody(state: str) -> None:
    item = found({"state": state, "records": [["alice", "T", "DELETE"]], "changes": {"/a": [1]}})
    assert item.attribution.confidence == "none"


def test_no_control_character_of_a_name_gets_through() -> None:
    item = found({"changes": {"/a": [1]}, "records": [["eve\x1b[2J", "T", {"/a": "1"}]]})
    assert item.attribution.user == "eve\\x1b[2J"
