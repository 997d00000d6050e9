"""Owns the verdict on a write that comes in another version than Git declares."""

from __future__ import annotations

import json
from typing import Any

from reconciler.canonical.engine import canonicalize
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.policy.select import policy_for
from reconciler.snapshot.model import Entry, MemorySnapshot
from tests.support.decisions import KEY, SOURCE, builtin_rules, context
from tests.support.identities import identity
from webhook.decision.decide import decide
from webhook.decision.review import decode
from webhook.decision.types import Decision

KINDS = {"ResourceClaimTemplate": "resourceclaimtemplates", "DeviceClass": "deviceclasses"}


def template(version: str, **requests: Any) -> dict[str, Any]:
    spec = {"spec": {"devices": {"requests": [{"name": "gpu", **requests}]}}}
    return {
        "apiVersion": f"resource.k8s.io/{version}",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": "big", "namespace": "shop"},
        "spec": spec,
    }


OLD = template("v1beta1", deviceClassName="gpu.nvidia.com", allocationMode="ExactCount", count=1)
NEW = template("v1", exactly={"deviceClassName": "gpu.nvidia.com", "allocationMode": "ExactCount", "count": 1})
MORE = template("v1", exactly={"deviceClassName": "gpu.nvidia.com", "allocationMode": "ExactCount", "count": 2})


def held(git: Any) -> MemorySnapshot:
    rules = builtin_rules()
    form = canonicalize(RenderedObject(git, Provenance(SOURCE.name, SOURCE.revision, "claims.yaml", 1)), context(rules))
    policy = policy_for(rules.policies, form.ref, SOURCE.name, {})
    assert policy is not None
    return MemorySnapshot((Entry(form, policy, adopted=True),), rules, {SOURCE.name: SOURCE}, KEY, "d" * 64)


def judged(git: Any, old: Any, new: Any) -> Decision:
    group, version = (old or new)["apiVersion"].split("/")
    kind, metadata = new["kind"], new["metadata"]
    request = {
        "uid": "u-1",
        "kind": {"group": group, "version": version, "kind": kind},
        "resource": {"group": group, "version": version, "resource": KINDS[kind]},
        "name": metadata["name"],
        "namespace": metadata.get("namespace", ""),
        "operation": "UPDATE" if old else "CREATE",
        "userInfo": identity("alice"),
        "object": new,
        "oldObject": old,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return decide(decode(json.dumps(review).encode()), held(git), 0.0)


def test_what_means_the_same_in_the_version_of_git_conforms() -> None:
    assert judged(OLD, MORE, NEW).code == "conforms"
    assert judged(OLD, None, NEW).code == "conforms"


def test_what_asks_for_more_is_drift_in_the_words_of_git() -> None:
    decision = judged(OLD, NEW, MORE)
    assert (decision.allowed, decision.code) == (False, "drift")
    assert "spec.spec.devices.requests[0].count" in decision.message


def test_an_older_version_is_judged_as_well() -> None:
    more = template("v1beta1", deviceClassName="gpu.nvidia.com", allocationMode="ExactCount", count=2)
    assert judged(NEW, OLD, more).code == "drift"
    assert judged(NEW, more, OLD).code == "conforms"


def test_what_nobody_can_convert_is_refused() -> None:
    alpha = template("v1alpha3", deviceClassName="gpu.nvidia.com")
    assert judged(OLD, alpha, template("v1alpha3", deviceClassName="other")).code == "undecidable"
