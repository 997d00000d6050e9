"""The envelope says how far a report may be trusted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from reconciler.limits import REPORT_CURRENT_SECONDS
from reconciler.model.instant import stamp
from reconciler.model.ref import ObjectRef
from reconciler.report.item import stray_item
from reconciler.report.listing import DriftReport
from reconciler.report.stale import stale_reason

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
REPORT = DriftReport(
    items=({"id": "1", "state": "drifted", "lastSeen": "2030-01-02T03:04:05Z"},),
    generated_at=stamp(NOW),
    observed_at=stamp(NOW),
    snapshot="abc",
    managed=7,
    total=3,
    counts={"drifted": 2, "missing": 1},
    hidden={"hpa-range": 2},
    expired=("rule x expired",),
)


def test_the_envelope_counts_all_and_says_what_remains() -> None:
    shown = REPORT.as_json()
    assert (shown["apiVersion"], shown["kind"]) == ("setscrew.dev/v1alpha1", "DriftList")
    counts = {"managed": 7, "total": 3, "drifted": 2, "missing": 1, "extra": 0, "orphaned": 0, "unknown": 0}
    rules = {"hidden": {"hpa-range": 2}, "expiredRules": ["rule x expired"], "problems": []}
    assert shown["summary"] == counts | rules | {"unwatched": {}, "blind": {}}
    assert shown["metadata"]["remainingItemCount"] == 2
    assert shown["metadata"]["stale"] is False


def test_the_digest_stays_while_only_time_passes() -> None:
    aged = replace(REPORT, generated_at="x", observed_at="y", current_at="z")
    later = replace(aged, items=({**REPORT.items[0], "lastSeen": "z"},))
    assert later.digest == REPORT.digest
    assert replace(REPORT, stale="old").digest != REPORT.digest


def test_the_digest_changes_with_the_users_of_a_class_but_not_with_when_they_were_counted() -> None:
    def counted(running: int, at: str) -> DriftReport:
        gpu = {"classes": [{"running": running}], "seenAt": at, "lines": [f"{running} Pods (seen at {at})"]}
        return replace(REPORT, items=({**REPORT.items[0], "gpu": gpu},))

    assert counted(3, "x").digest == counted(3, "y").digest != REPORT.digest
    assert counted(4, "x").digest != counted(3, "x").digest


def test_a_report_is_stale_without_a_pass_with_an_old_one_or_with_a_broken_source() -> None:
    fresh = stamp(NOW)
    assert stale_reason(fresh, NOW) == ""
    assert "not been compared" in stale_reason("", NOW)
    assert "last compared" in stale_reason(fresh, NOW + timedelta(hours=1))
    assert "payments" in stale_reason(fresh, NOW, ["payments"])


def test_a_report_is_stale_where_changes_are_not_known_but_not_by_the_age_of_the_last_pass_alone() -> None:
    passed, later = stamp(NOW), NOW + timedelta(seconds=REPORT_CURRENT_SECONDS + 1)
    assert stale_reason(passed, later, current_at=stamp(later)) == ""
    assert stale_reason(passed, later, current_at=passed) == f"changes are known up to {passed}"
    why = stale_reason(passed, NOW, current_at=passed, unwatched={"apps/Deployment": "forbidden"})
    assert why == "changes are not known of: apps/Deployment"


def test_a_report_from_the_future_is_no_report_of_the_present() -> None:
    ahead = stamp(NOW + timedelta(hours=2))
    assert "the clock was set back" in stale_reason(ahead, NOW)
    assert "the clock was set back" in stale_reason(stamp(NOW), NOW, current_at=ahead)
    assert stale_reason(ahead, NOW, current_at=stamp(NOW)) == ""  # changes since then are known


def test_a_stray_of_an_exclusive_kind_names_who_made_it_and_which_policy_minds() -> None:
    ref = ObjectRef("resource.k8s.io", "DeviceClass", "", "any-gpu")
    fields = [
        {"manager": "kubectl-edit", "time": "2026-01-02T00:00:00Z"},
        {"manager": "kubectl-create", "time": "2026-01-01T00:00:00Z"},
    ]
    born = {"name": "any-gpu", "creationTimestamp": "2025-12-31T00:00:00Z"}
    live = {"apiVersion": "resource.k8s.io/v1", "metadata": {**born, "managedFields": fields}}
    item = stray_item(ref, live, "gpu-device-classes", now=datetime(2026, 1, 3, tzinfo=UTC))
    assert (item.state, item.attribution.manager) == ("extra", "kubectl-create")
    assert item.attribution.time == "2025-12-31T00:00:00Z"
    assert "gpu-device-classes" in item.reason
