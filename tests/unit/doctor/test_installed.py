"""Each check of an installation in a cluster, by facts: what is well, what is told, and what is done about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.model.own import OFF
from setscrew.doctor.examine import INSTALLED
from setscrew.doctor.facts import Try
from setscrew.doctor.finding import Finding, Missing
from setscrew.doctor.installed import Installed
from webhook.tls.lifetime import Validity

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
SERVICE = {"namespace": "setscrew-system", "name": "setscrew-admission", "port": 443}


def deployment(ready: int = 2, new: int = 2, wanted: int = 2, version: str = "0.1.0", *args: str) -> dict[str, Any]:
    spec = {"replicas": wanted, "template": {"spec": {"containers": [{"args": list(args)}]}}}
    status = {"availableReplicas": ready, "updatedReplicas": new}
    return {"metadata": {"annotations": {"setscrew.dev/version": version}}, "spec": spec, "status": status}


def pod(name: str, digest: str = "abc", role: str = "follower") -> dict[str, Any]:
    annotations = {"setscrew.dev/snapshot": digest} if digest else {}
    return {"metadata": {"name": name, "labels": {"setscrew.dev/role": role}, "annotations": annotations}}


def lease(holder: str = "a", age: int = 1) -> dict[str, Any]:
    renewed = (NOON - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    return {"spec": {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 10}}


def registration(service: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    entry = {"name": "apps-v1.guard.setscrew.dev", "clientConfig": {"service": service or SERVICE}}
    return {"metadata": metadata, "webhooks": [entry]}


def source(status: str, reason: str = "") -> dict[str, Any]:
    condition = {"type": "Ready", "status": status, "reason": reason, "message": "no answer"}
    return {"kind": "GitSource", "metadata": {"name": "shop"}, "status": {"conditions": [condition]}}


POLICY = {"metadata": {"name": "setscrew-levers"}}
BINDING = {"spec": {"policyName": "setscrew-levers", "validationActions": ["Deny", "Audit"]}}
WELL = Installed(
    now=NOON,
    ours="0.1.0",
    deployment=deployment(),
    pods=(pod("a", role="leader"), pod("b")),
    lease=lease(),
    registration=registration(),
    bundles=(Validity(NOON, NOON + timedelta(days=900)),),
    published=(3, ""),
    levers=(source("True", "Enforced"),),
    guard=(POLICY, BINDING),
    tried=Try("setscrew.dev/v1alpha1", "DriftPolicy setscrew-levers", "sees"),
)


def findings(**changes: Any) -> list[Finding]:
    facts = replace(WELL, **changes)
    return [one for check in INSTALLED.values() for one in check(facts)]


def test_all_is_well_and_each_check_says_so() -> None:
    found = findings()
    assert {one.state for one in found} == {"ok"}
    assert {one.check for one in found} == set(INSTALLED)


REPORT_ONLY = deployment(2, 2, 2, "0.1.0", "--no-register")


@pytest.mark.parametrize(
    ("changes", "check", "state", "what"),
    [
        ({"deployment": None}, "deployment", "problem", "there is no Deployment"),
        ({"deployment": deployment(0, 2)}, "deployment", "problem", "none of 2 replicas"),
        ({"deployment": deployment(1, 2)}, "deployment", "warning", "1 of 2 replicas are ready"),
        ({"deployment": deployment(1, 1, 1)}, "deployment", "warning", "one replica"),
        ({"deployment": deployment(version="0.0.9")}, "deployment", "warning", "0.0.9 is installed"),
        ({"lease": None}, "leader", "problem", "nobody leads"),
        ({"lease": lease("")}, "leader", "problem", "nobody leads"),
        ({"lease": lease(age=31)}, "leader", "problem", "has not said so for 31 s"),
        ({"lease": lease("z")}, "leader", "problem", "is none of the pods"),
        ({"pods": (pod("a"), pod("b", role="leader"))}, "leader", "warning", "b bears the label"),
        ({"pods": ()}, "replicas", "problem", "there is no pod"),
        ({"pods": (pod("a", role="leader"), pod("b", "xyz"))}, "replicas", "warning", "several snapshots"),
        ({"pods": (pod("a", role="leader"), pod("b", ""))}, "replicas", "warning", "b has no snapshot"),
        ({"registration": None}, "registration", "problem", "there is no entry"),
        ({"registration": registration(annotations={OFF: "at noon"})}, "registration", "problem", "switched off at"),
        ({"registration": registration({"namespace": "x", "name": "y"})}, "registration", "problem", "something else"),
        ({"bundles": ()}, "ca-bundle", "unknown", "nothing is registered"),
        ({"bundles": (Validity(NOON, NOON),)}, "ca-bundle", "problem", "the registered authority"),
        ({"published": (0, "")}, "published", "warning", "no snapshot is published"),
        ({"published": (2, "no manifest")}, "published", "problem", "cannot be used: no manifest"),
        ({"levers": ()}, "sources", "warning", "there is no GitSource"),
        ({"levers": (source("Unknown", "Pending"),)}, "sources", "warning", "is not enforced yet"),
        ({"levers": ({**source(""), "status": {}},)}, "sources", "warning", "is not enforced yet"),
        ({"levers": (source("False", "FetchFailed"),)}, "sources", "problem", "shop is FetchFailed: no answer"),
        ({"guard": (None, None)}, "own-guard", "problem", "is not there"),
        ({"guard": (POLICY, None)}, "own-guard", "problem", "is not bound"),
        (
            {"guard": (POLICY, {"spec": {**BINDING["spec"], "validationActions": ["Audit"]}})},
            "own-guard",
            "problem",
            "",
        ),
        ({"tried": Try("e", "o", "blind", "admitted")}, "calls", "problem", "the guard sees nothing"),
        ({"tried": Try("e", "o", "silent", "refused")}, "calls", "problem", "the guard does not answer"),
        ({"tried": Try("e", "o", "unsure", "quota")}, "calls", "unknown", "nothing is proved"),
        ({"deployment": REPORT_ONLY, "registration": None}, "calls", "unknown", "nothing is registered"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(changes: dict[str, Any], check: str, state: str, what: str) -> None:
    told = [one for one in findings(**changes) if one.state != "ok"]
    assert {one.check for one in told} == {check}
    assert told[0].state == state
    assert what in told[0].what
    assert told[0].fix or state == "unknown"


def test_what_could_not_be_asked_is_unknown_and_hides_nothing_else() -> None:
    from setscrew.doctor.examine import examine_installed
    from tests.support.healthy import HEALTHY

    found = examine_installed(replace(WELL, lease=Missing("no right", "ask somebody")), HEALTHY)
    assert [(one.check, one.what) for one in found if one.state == "unknown"] == [("leader", "no right")]
