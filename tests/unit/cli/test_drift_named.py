"""An object named as people name it is found by its kind in any spelling, and by nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import UsageError
from setscrew.cli.drift_named import only, parse_target, without

WEB = {"kind": "Deployment", "apiVersion": "apps/v1", "namespace": "shop", "name": "web", "state": "drifted"}
POLICY = {"kind": "NetworkPolicy", "apiVersion": "networking.k8s.io/v1", "name": "web", "state": "missing"}
CLASS = {"kind": "DeviceClass", "group": "resource.k8s.io", "apiVersion": "", "name": "gold", "state": "in-sync"}
MAP = {"kind": "ConfigMap", "apiVersion": "v1", "name": "web", "state": "unknown"}


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("deployment/web", WEB),
        ("Deployment/web", WEB),
        ("deployments/web", WEB),
        ("deploy/web", WEB),
        ("deploy.apps/web", WEB),
        ("deployments.apps/web", WEB),
        ("deployment.v1.apps/web", WEB),
        ("networkpolicies/web", POLICY),
        ("netpol/web", POLICY),
        ("deviceclasses/gold", CLASS),
        ("deviceclass.resource.k8s.io/gold", CLASS),
        ("cm/web", MAP),
    ],
)
def test_an_object_is_found_by_any_name_that_kubectl_takes(text: str, item: dict[str, Any]) -> None:
    assert parse_target(text).is_of(item)
    assert [one for one in (WEB, POLICY, CLASS, MAP) if parse_target(text).is_of(one)] == [item]


@pytest.mark.parametrize("text", ["deployment/web2", "pod/web", "deploy.extensions/web", "deploy.v1/web", "dep/web"])
def test_and_by_no_other(text: str) -> None:
    assert not any(parse_target(text).is_of(one) for one in (WEB, POLICY, CLASS, MAP))


@pytest.mark.parametrize("text", ["web", "/web", "deployment/", "a/b/c", ""])
def test_what_is_no_kind_and_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="KIND/NAME"):
        parse_target(text)


def test_a_report_of_some_objects_counts_these() -> None:
    report = {"metadata": {"stale": False}, "summary": {"managed": 9, "total": 3}, "items": [WEB, POLICY, MAP]}
    targets = [parse_target(text) for text in ("deploy/web", "cm/web", "svc/web")]
    found = only(report, targets)
    assert found["items"] == [WEB, MAP]
    counts = {"total": 2, "drifted": 1, "unknown": 1, "missing": 0, "extra": 0, "orphaned": 0, "managed": 9}
    assert found["summary"] == counts
    assert [str(one) for one in without(found["items"], targets)] == ["svc/web"]
