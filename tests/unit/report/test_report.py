"""The envelope says how far a report may be trusted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from reconciler.report.drift import DriftReport, stale_reason, stamp

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
REPORT = DriftReport(
    items=({"id": "1", "state": "drifted", "lastSeen": "2030-01-02T03:04:05Z"},),
    generated_at=stamp(NOW),
    observed_at=stamp(NOW),
    snapshot="abc",
    managed=7,
    total=3,
    counts={"drifted": 2, "missing": 1},
)


def test_the_envelope_counts_all_and_says_what_remains() -> None:
    shown = REPORT.as_json()
    assert (shown["apiVersion"], shown["kind"]) == ("setscrew.dev/v1alpha1", "DriftList")
    assert shown["summary"] == {"managed": 7, "total": 3, "drifted": 2, "missing": 1, "unknown": 0}
    assert shown["metadata"]["remainingItemCount"] == 2
    assert shown["metadata"]["stale"] is False


def test_the_digest_stays_while_only_time_passes() -> None:
    later = replace(REPORT, generated_at="x", observed_at="y", items=({**REPORT.items[0], "lastSeen": "z"},))
    assert later.digest == REPORT.digest
    assert replace(REPORT, stale="old").digest != REPORT.digest


def test_a_report_is_stale_without_a_pass_with_an_old_one_or_with_a_broken_source() -> None:
    fresh = stamp(NOW)
    assert stale_reason(fresh, NOW) == ""
    assert "not been compared" in stale_reason("", NOW)
    assert "last compared" in stale_reason(fresh, NOW + timedelta(hours=1))
    assert "payments" in stale_reason(fresh, NOW, ["payments"])
