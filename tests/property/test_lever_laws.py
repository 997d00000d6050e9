"""Laws of levers: no policy locks installers out, none lets in whom it does not name, no grant opens grants."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.policy.grant import Grant, Scope
from reconciler.policy.model import Subject
from reconciler.snapshot.model import MemorySnapshot
from tests.support.decisions import KEY, rules_with
from tests.support.identities import identity
from webhook.decision.decide import decide
from webhook.decision.look import CURRENT
from webhook.decision.review import decode

pytestmark = pytest.mark.property
RESOURCES = {"gitsources": "GitSource", "driftpolicies": "DriftPolicy", "driftgrants": "DriftGrant"}
KINDS = [
    "*",
    "setscrew.dev/*",
    "setscrew.dev/GitSource",
    "setscrew.dev/DriftGrant",
    "*/DriftPolicy",
    "{custom}",
    "apps/*",
    "s*.dev/*",
]
SUBJECTS = [
    {"user": "ivan"},
    {"group": "setscrew:instalers"},
    {"group": "deployers"},
    {"serviceAccount": "argocd/argocd-application-controller"},
]

writers = st.fixed_dictionaries(
    {"subjects": st.lists(st.sampled_from(SUBJECTS), max_size=2), "verify": st.sampled_from(["None", "Content"])}
)
delegations = st.fixed_dictionaries(
    {
        "to": st.lists(st.sampled_from(SUBJECTS), max_size=2),
        "kinds": st.lists(st.sampled_from(KINDS), max_size=2),
        "paths": st.lists(st.sampled_from(["/**", "/spec/suspend", "/metadata/**"]), max_size=2),
        "operations": st.lists(st.sampled_from(["CREATE", "UPDATE", "DELETE"]), max_size=3, unique=True),
    }
)
policies = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.fixed_dictionaries(
        {
            "priority": st.integers(-2000, 2000),
            "match": st.lists(
                st.fixed_dictionaries({"kinds": st.lists(st.sampled_from(KINDS), max_size=2)}), max_size=2
            ),
            "action": st.just("Deny"),
            "undeclared": st.sampled_from(["Deny", "Allow"]),
            "undecidable": st.sampled_from(["Deny", "Allow"]),
            "fragment": st.booleans(),
            "writers": st.lists(writers, max_size=2),
            "delegate": st.lists(delegations, max_size=2),
        }
    ),
    max_size=3,
)
requests = st.fixed_dictionaries(
    {
        "resource": st.sampled_from(sorted(RESOURCES)),
        "operation": st.sampled_from(["CREATE", "UPDATE", "DELETE"]),
        "subresource": st.sampled_from(["", "status"]),
        "dryRun": st.booleans(),
    }
)


def answered(who: str, asked: dict[str, Any], given_policies: Any, bare: bool, grants: tuple[Grant, ...] = ()) -> bool:
    """Whether it is admitted. A grant that is asked for is for somebody else."""
    spec = {"subjects": [{"user": "otto"}], "scope": {"namespaces": ["shop"]}}
    old = {"metadata": {"name": "one"}, "spec": spec, "status": {"mode": "Held"}}
    new = {"metadata": {"name": "one"}, "spec": {**spec, "suspend": True}, "status": {"mode": "Enforced"}}
    operation = "UPDATE" if asked["subresource"] else asked["operation"]
    place = {"group": "setscrew.dev", "version": "v1alpha1"}
    request = {
        "uid": "u-1",
        "kind": {**place, "kind": RESOURCES[asked["resource"]]},
        "resource": {**place, "resource": asked["resource"]},
        "subResource": asked["subresource"],
        "name": "one",
        "operation": operation,
        "userInfo": identity(who),
        "object": None if operation == "DELETE" else new,
        "oldObject": None if operation == "CREATE" else old,
        "dryRun": asked["dryRun"],
    }
    body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()
    snapshot = MemorySnapshot((), rules_with(None, given_policies, bare=bare), {}, KEY)
    return decide(decode(body), snapshot, 0.0, look=CURRENT, grants=grants).allowed


@given(requests, policies, st.booleans())
def test_no_policy_locks_installers_out(asked: dict[str, Any], given_policies: Any, bare: bool) -> None:
    assert answered("ivy@setscrew:installers", asked, given_policies, bare)


@given(requests, policies, st.booleans())
def test_no_policy_lets_in_whom_it_does_not_name(asked: dict[str, Any], given_policies: Any, bare: bool) -> None:
    for who in ("alice", "root", "job", "impersonated argo", "garbage-collector", "namespace-controller"):
        assert not answered(who, asked, given_policies, bare), who


@given(requests, policies)
def test_no_grant_opens_grants_or_a_status(asked: dict[str, Any], given_policies: Any) -> None:
    scope = Scope(kinds=("setscrew.dev/*", "*"))
    grant = Grant("g-1", (Subject(user="alice"),), scope, "a case", not_after=3600.0)
    opened = answered("alice", asked, given_policies, bare=False, grants=(grant,))
    assert opened is (asked["resource"] != "driftgrants" and not asked["subresource"])
