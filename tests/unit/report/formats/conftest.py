"""A report with one finding of each kind of trouble that a format may meet."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.ref import ObjectRef
from reconciler.report.drift import Attribution, DriftChange, DriftItem, DriftSource, Owner, finding_id
from reconciler.report.formats.report import Report
from reconciler.report.listing import DriftReport
from reconciler.report.printable import printable

EVIL = "=cmd|'/C calc'!A0 `x` <b>&\"]]> @team\n| # ￾"


def finding(kind: str = "Deployment", name: str = "web", state: str = "drifted", **more: Any) -> DriftItem:
    source = DriftSource(
        "shop", "https://git.example.com/shop.git", "deploy", "deploy/a b.yaml", 12, "main@sha1:" + "c" * 40, "c" * 40
    )
    fixed = {"namespace": "shop", "source": source, "api_version": "apps/v1", "severity": "medium"}
    return DriftItem(
        id=finding_id(ObjectRef("apps", kind, "shop", name)),
        fingerprint="f" * 64,
        kind=kind,
        name=name,
        state=state,  # type: ignore[arg-type] # a word of the report
        first_seen="2030-01-01T00:00:00Z",
        last_seen="2030-01-02T03:00:00Z",
        **{**fixed, **more},
    )


def reported(*items: DriftItem, stale: str = "", **more: Any) -> Report:
    shown = tuple(item.as_json() for item in items)
    report = DriftReport(shown, "2030-01-02T03:04:05Z", "2030-01-02T03:00:00Z", stale=stale, total=len(items), **more)
    return Report.of(report.as_json(), "1.2.3")


@pytest.fixture
def report() -> Report:
    replicas = DriftChange("/spec/replicas", "replace", 3, 5, "changed", "kubectl", "Update", "t", "spec.replicas")
    text = DriftChange("/data/x", "replace", "a\nb\nc", "a\nB\nc", field="data.x")
    return reported(
        finding(
            changes=(replicas, text),
            attribution=Attribution("kubectl", "dana", "t", "admission"),
            owner=Owner("vision", "c-7", "#vision", {"team": "vision"}, "namespace"),
            severity="high",
        ),
        finding("ConfigMap", str(printable(EVIL)), "missing", namespace="ev-il", api_version="v1"),
        finding(
            "Node", "n1", "unknown", namespace="", api_version="v1", reason="nobody may read it", source=DriftSource()
        ),
    )
