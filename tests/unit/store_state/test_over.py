"""Findings that are over and fights are read as they last were; an object is named once, none of another cluster."""

from __future__ import annotations

from dataclasses import replace

from reconciler.report.drift import DriftChange, DriftItem
from reconciler.report.unmanaged import Place, Unmanaged
from reconciler.store.findings import put_findings
from reconciler.store.history import note_history
from reconciler.store.over import read_fights, read_over
from reconciler.store.state import State
from reconciler.store.unmanaged import read_unmanaged, save_unmanaged

WEB = DriftItem(
    *("web", "one", "apps/v1", "Deployment", "shop", "web", "drifted"),
    changes=(DriftChange("/spec/replicas", "replace", 1, 5),),
    first_seen="2030-01-01T00:00:00Z",
    last_seen="2030-01-01T00:00:00Z",
)
SINCE = "2030-01-01T00:00:00Z"


def ended(state: State, minute: int, item: DriftItem = WEB) -> None:
    time = f"2030-01-01T00:{minute:02}:00Z"
    put_findings(state, [replace(item, fingerprint=f"at {minute}", first_seen=time, last_seen=time)])
    put_findings(state, [replace(item, state="in-sync", changes=(), last_seen=f"2030-01-01T00:{minute:02}:30Z")])


def test_what_is_over_is_told_as_it_last_was_the_newest_of_several(state: State) -> None:
    assert read_over(state, "web") is None
    ended(state, 1)
    ended(state, 5)
    found = read_over(state, "web")
    assert found is not None
    assert (found["fingerprint"], found["resolvedAt"]) == ("at 5", "2030-01-01T00:05:30Z")
    assert found["changes"][0]["live"] == 5
    assert read_over(replace(state, cluster="other"), "web") is None


def test_each_object_that_is_fought_over_is_named_once_also_when_it_is_over(state: State) -> None:
    put_findings(state, [WEB])
    other = replace(WEB, id="cart", name="cart")
    ended(state, 3, other)
    for identity, minute in (("web", 1), ("cart", 2), ("web", 3), ("forgotten", 4)):
        note_history(state, identity, "fight", f"2030-01-01T00:{minute:02}:00Z", {"opponent": "keda"})
    found = read_fights(state, SINCE, 10)
    assert [(one["name"], one["time"][14:16], one["opponent"]) for one in found] == [
        ("web", "03", "keda"),
        ("cart", "02", "keda"),
    ]
    assert [one["id"] for one in read_fights(state, SINCE, 1)] == ["web"]
    assert read_fights(state, "2030-01-01T00:05:00Z", 10) == []
    assert read_fights(replace(state, cluster="other"), SINCE, 10) == []


def test_the_last_count_of_unmanaged_objects_stays_and_none_is_no_zero(state: State) -> None:
    assert read_unmanaged(state).at == ""
    found = Unmanaged(
        "2030-01-01T00:00:00Z", {"shop": Place(2, {"ConfigMap": 3}), "": Place(1)}, {"Secret": "forbidden"}
    )
    save_unmanaged(state, found)
    assert read_unmanaged(state) == found
    assert (read_unmanaged(state).number, read_unmanaged(state).managed) == (3, 3)
