"""A finding keeps what has happened to it, while it lasts and after it is over; all of it is bounded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.report.drift import Attribution, DriftChange, DriftItem, IgnoredField
from reconciler.report.revived import revived
from reconciler.store import history
from reconciler.store.findings import Pass, drop_findings, put_findings, read_findings, replace_findings
from reconciler.store.history import note_history, read_history, read_in_sync, read_resolved
from reconciler.store.namespaces import keep_namespaces, read_namespaces
from reconciler.store.query import read_lines
from reconciler.store.renaming import read_items, rename_findings
from reconciler.store.state import State, open_state, sqlite_url

WEB = DriftItem(
    *("web", "one", "apps/v1", "Deployment", "shop", "web", "drifted"),
    changes=(DriftChange("/spec/replicas", "replace", 1, 5),),
    attribution=Attribution(manager="kubectl", confidence="managedFields"),
    first_seen="2030-01-01T00:00:00Z",
    last_seen="2030-01-01T00:00:00Z",
)


def at(minute: int, **changes: Any) -> DriftItem:
    """The finding as it is seen then."""
    time = f"2030-01-01T00:{minute:02}:00Z"
    return replace(WEB, first_seen=time, last_seen=time, **changes)


def one(state: State) -> dict[str, Any]:
    (found,), *_ = read_findings(state)
    return found


def events(state: State, identity: str = "web") -> list[tuple[str, str]]:
    return [(event["event"], event["time"][14:16]) for event in read_history(state, identity)]


def test_a_difference_that_becomes_another_one_occurs_once_more(state: State) -> None:
    for minute, fingerprint in enumerate(["one", "one", "two", "two", "one"]):
        put_findings(state, [at(minute, fingerprint=fingerprint)])
    assert (one(state)["occurrences"], one(state)["firstSeen"]) == (3, "2030-01-01T00:00:00Z")
    assert events(state) == [("detected", "00"), ("changed", "02"), ("changed", "04")]


def test_what_comes_back_is_counted_on_and_begins_anew(state: State) -> None:
    put_findings(state, [at(0)])
    put_findings(state, [at(1, fingerprint="two")])
    put_findings(state, [at(2, state="in-sync", changes=())])
    assert read_findings(state)[1] == 0
    put_findings(state, [at(3)])
    assert (one(state)["occurrences"], one(state)["firstSeen"]) == (3, "2030-01-01T00:03:00Z")
    assert events(state) == [("detected", "00"), ("changed", "01"), ("resolved", "02"), ("detected", "03")]


def test_what_is_over_stays_as_it_last_was(state: State) -> None:
    put_findings(state, [at(0)])
    put_findings(state, [at(4, state="in-sync", changes=())])
    (found,) = read_resolved(state, "", 10)
    assert (found["state"], found["resolvedAt"], found["changes"][0]["live"]) == ("drifted", "2030-01-01T00:04:00Z", 5)
    assert read_resolved(state, "2030-01-01T00:05:00Z", 10) == []


def test_an_object_was_in_sync_when_its_last_finding_ended_so_and_not_when_nobody_looked_any_more(state: State) -> None:
    put_findings(state, [at(0), replace(at(0), id="other")])
    assert read_in_sync(state, ["web", "other"]) == {}
    put_findings(state, [at(4, state="in-sync", changes=())])
    drop_findings(state, ["other"], at(4).last_seen)
    put_findings(state, [at(9)])
    assert read_in_sync(state, ["web", "other", "unheard"]) == {"web": "2030-01-01T00:03:55Z"}


def test_what_was_found_before_it_was_in_sync_is_from_before_however_quickly_it_was_put_back(state: State) -> None:
    found = "2030-01-01T00:00:00Z"
    put_findings(state, [at(0)])
    put_findings(state, [replace(at(0, state="in-sync", changes=()), last_seen="2030-01-01T00:00:02Z")])
    assert read_in_sync(state, ["web"]) == {"web": found}


@pytest.mark.parametrize("before", [[at(0)], []])
def test_not_to_know_is_no_event(state: State, before: list[DriftItem]) -> None:
    put_findings(state, before)
    put_findings(state, [at(1, state="unknown", fingerprint="nobody knows", changes=())])
    put_findings(state, [at(2)])
    assert (one(state)["occurrences"], len(events(state))) == (1, 1)
    assert one(state)["firstSeen"] == (before[0].first_seen if before else "2030-01-01T00:02:00Z")


def test_what_was_over_while_nobody_knew_is_resolved_as_it_was_known(state: State) -> None:
    put_findings(state, [at(0)])
    put_findings(state, [at(1, state="unknown", fingerprint="nobody knows", changes=())])
    put_findings(state, [at(2, state="in-sync", changes=())])
    assert [found["state"] for found in read_resolved(state, "", 10)] == ["drifted"]
    put_findings(state, [at(3, state="unknown", fingerprint="nobody knows", changes=())])
    put_findings(state, [at(4, state="in-sync", changes=())])
    assert len(read_resolved(state, "", 10)) == 1
    assert events(state) == [("detected", "00"), ("resolved", "02")]


@pytest.mark.parametrize("then", ["drifted", "unknown", "in-sync"])
def test_where_the_clock_was_set_back_nothing_began_later_than_it_was_seen(state: State, then: Any) -> None:
    put_findings(state, [at(30)])
    put_findings(state, [at(9, state=then)])
    put_findings(state, [at(10)])
    found, over = one(state), read_resolved(state, "", 10)
    assert found["firstSeen"] == ("2030-01-01T00:10:00Z" if over else "2030-01-01T00:09:00Z")
    for ended in over:
        assert {ended[name] for name in ("firstSeen", "lastSeen", "resolvedAt")} == {"2030-01-01T00:09:00Z"}
    assert (found["occurrences"], len(over)) == ((2, 1) if then == "in-sync" else (1, 0))


def test_an_event_names_who_and_where_and_no_value(state: State) -> None:
    put_findings(state, [replace(WEB, attribution=Attribution(user="alice", confidence="admission"))])
    (event,) = read_history(state, "web")
    assert event == {
        "event": "detected",
        "time": "2030-01-01T00:00:00Z",
        "who": "alice",
        "confidence": "admission",
        "state": "drifted",
        "severity": "medium",
        "paths": ["/spec/replicas"],
        "morePaths": 0,
        "fingerprint": "one",
    }


def test_the_end_says_why(state: State) -> None:
    stray = replace(WEB, id="stray", state="extra")
    put_findings(state, [WEB, replace(WEB, id="let-go"), stray])
    drop_findings(state, ["let-go", "stray"], "2030-01-01T00:09:00Z")
    put_findings(state, [at(9, state="in-sync", changes=())])
    ends = {name: read_history(state, name)[-1] for name in ("web", "let-go", "stray")}
    assert {name: (end["code"], end["reason"]) for name, end in ends.items()} == {
        "web": ("in-sync", "as Git says"),
        "let-go": ("not-guarded", "not guarded"),
        "stray": ("gone", "it is gone, or Git declares it"),
    }


@pytest.mark.parametrize(("code", "synced"), [("in-sync", True), ("not-guarded", False), ("gone", False)])
def test_that_it_was_in_sync_is_known_by_a_code_and_not_by_words(state: State, code: str, synced: bool) -> None:
    words = {"code": code, "reason": "as Git says" if not synced else "wie Git es sagt"}
    note_history(state, "web", "resolved", "2030-01-01T00:00:05Z", words)
    assert read_in_sync(state, ["web"]) == ({"web": "2030-01-01T00:00:00Z"} if synced else {})


def test_a_full_pass_notes_what_began_and_what_is_over(state: State) -> None:
    replace_findings(state, [at(0), replace(at(0), id="gone")], Pass("2030-01-01T00:00:00Z"))
    replace_findings(state, [at(1, fingerprint="two"), replace(at(1), id="new")], Pass("2030-01-01T00:01:00Z"))
    assert [events(state, name)[-1][0] for name in ("web", "gone", "new")] == ["changed", "resolved", "detected"]


def test_healing_writes_into_the_same_history(state: State) -> None:
    put_findings(state, [WEB])
    note_history(state, "web", "healed", "2030-01-01T00:01:00Z", {"who": "setscrew"})
    assert read_history(state, "web")[-1] == {"event": "healed", "time": "2030-01-01T00:01:00Z", "who": "setscrew"}
    assert read_history(State(state.engine, "other"), "web") == []


def test_an_object_that_flaps_pushes_out_only_its_own_past(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "HISTORY_OF_OBJECT", 3)
    put_findings(state, [WEB])
    for minute in range(9):
        note_history(state, "noisy", "changed", f"2030-01-01T00:0{minute}:00Z", {})
    assert (events(state), events(state, "noisy")) == (
        [("detected", "00")],
        [("changed", "06"), ("changed", "07"), ("changed", "08")],
    )


def test_the_whole_history_is_bounded(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "HISTORY_KEPT", 20)
    monkeypatch.setattr(history, "_COUNTED", 10)
    for number in range(100):
        note_history(state, f"n{number}", "changed", "2030-01-01T00:00:00Z", {})
    assert 20 <= sum(len(read_history(state, f"n{number}")) for number in range(100)) < 30
    assert read_history(state, "n99")


def test_what_is_over_is_bounded_also_where_all_is_over_at_once(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "RESOLVED_KEPT", 5)
    many = [replace(WEB, id=f"n{number}") for number in range(12)]
    put_findings(state, many)
    put_findings(state, [replace(item, state="in-sync") for item in many])
    assert len(read_resolved(state, "", 100)) == 5


def test_a_stored_finding_is_read_as_it_was(state: State) -> None:
    whole = replace(WEB, gpu={"effect": "live"}, patch=({"op": "add"},), hidden={"r": 1}, live_generation=3)
    whole = replace(whole, uid="u", ignored=(IgnoredField("spec.x", "changed", "r", "it is allocated"),))
    change = DriftChange("/data/x", "replace", "***", "***", subresource="scale", masked=True, field="data.x")
    by = Attribution(user="dana", confidence="audit", user_agent="kubectl/v1.35", audit_id="a")
    whole = replace(whole, changes=(change,), attribution=by)
    assert revived(whole.as_json()) == whole
    put_findings(state, [whole])
    assert list(read_items(state, ["web", "nobody"])) == [replace(whole, cluster=state.cluster)]


def test_who_is_known_later_is_named_in_the_finding_and_its_last_event(state: State) -> None:
    put_findings(state, [WEB])
    rename_findings(state, [replace(WEB, attribution=Attribution(user="alice", confidence="admission"))])
    assert (one(state)["attribution"]["user"], read_history(state, "web")[0]["who"]) == ("alice", "alice")


def test_who_is_known_too_late_is_not_named_for_another_difference(state: State) -> None:
    put_findings(state, [replace(WEB, fingerprint="two")])
    rename_findings(state, [replace(WEB, attribution=Attribution(user="alice", confidence="admission"))])
    assert (one(state)["attribution"]["user"], read_history(state, "web")[0]["who"]) == ("", "kubectl")


def test_a_finding_whose_body_names_another_cluster_stays_in_the_lists_of_this_one(path: Path) -> None:
    state = open_state(sqlite_url(path), cluster="prod")  # as version 5 stored it: each body named the default one
    put_findings(state, [WEB])
    rename_findings(state, [replace(WEB, severity="high")])
    assert [(line.cluster, line.severity) for line in read_lines(state)] == [("prod", "high")]
    put_findings(state, [at(1)])
    assert one(state)["lastSeen"] == at(1).last_seen
    state.close()


def test_labels_of_namespaces_are_those_that_were_last_seen(state: State) -> None:
    keep_namespaces(state, {"shop": {"team": "a"}, "gone": {}})
    keep_namespaces(state, {"shop": {"team": "b"}, "new": {"x": "y"}})
    assert read_namespaces(state) == {"new": {"x": "y"}, "shop": {"team": "b"}}
