"""Which mutating webhooks and policies are active, and which kinds they may change."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.cluster.mutators import GROUP, Mutator, mutators, read_mutators
from reconciler.errors import ClusterError
from reconciler.model.ref import KindInfo, ObjectRef
from tests.support.fake_api import Call, FakeApi, refused

DEPLOYMENT = KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True)
NODE = KindInfo("", "v1", "Node", "nodes", namespaced=False)
RULE: dict[str, Any] = {
    "apiGroups": ["apps"],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["deployments"],
}


def webhooks(*rules: dict[str, Any], **hook: Any) -> dict[str, Any]:
    hooks = [{"name": "one.example.com", "clientConfig": {"caBundle": "Q0E="}, "rules": list(rules), **hook}]
    return {"metadata": {"name": "injector"}, "webhooks": hooks}


def found(tree: dict[str, Any]) -> Mutator:
    ref = ObjectRef(GROUP, "MutatingWebhookConfiguration", "", "injector")
    (one,) = mutators({ref: tree})
    return one


CASES: list[tuple[str, dict[str, Any], KindInfo, bool]] = [
    ("its kind", {}, DEPLOYMENT, True),
    ("another kind", {}, NODE, False),
    ("another group", {"apiGroups": ["batch"]}, DEPLOYMENT, False),
    ("every group", {"apiGroups": ["*"]}, DEPLOYMENT, True),
    ("every resource", {"resources": ["*"]}, DEPLOYMENT, True),
    ("every resource and subresource", {"resources": ["*/*"]}, DEPLOYMENT, True),
    ("one subresource", {"resources": ["deployments/scale"]}, DEPLOYMENT, False),
    ("the resource with all subresources", {"resources": ["deployments/*"]}, DEPLOYMENT, True),
    ("another version, which the server converts", {"apiVersions": ["v1beta1"]}, DEPLOYMENT, True),
    ("deletion", {"operations": ["DELETE"]}, DEPLOYMENT, False),
    ("update", {"operations": ["UPDATE", "DELETE"]}, DEPLOYMENT, True),
    ("every operation", {"operations": ["*"]}, DEPLOYMENT, True),
    ("what has no namespace", {"scope": "Cluster"}, DEPLOYMENT, False),
    ("what has a namespace", {"scope": "Namespaced"}, DEPLOYMENT, True),
]


@pytest.mark.parametrize(("more", "kind", "answer"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_webhook_matches_what_its_rules_name(more: dict[str, Any], kind: KindInfo, answer: bool) -> None:
    assert found(webhooks(RULE | more)).matches(kind) is answer


def test_with_an_exact_policy_the_version_counts() -> None:
    assert not found(webhooks(RULE | {"apiVersions": ["v1beta1"]}, matchPolicy="Exact")).matches(DEPLOYMENT)


def test_a_renewed_ca_bundle_is_no_change_and_another_address_is() -> None:
    first = found(webhooks(RULE))
    assert found(webhooks(RULE, clientConfig={"caBundle": "TkVX"})) == first
    assert found(webhooks(RULE, clientConfig={"url": "https://elsewhere.example.com"})) != first


def policy(name: str, *bound: str) -> dict[ObjectRef, Any]:
    objects = {
        ObjectRef(GROUP, "MutatingAdmissionPolicy", "", name): {
            "metadata": {"name": name},
            "spec": {"matchConstraints": {"resourceRules": [RULE]}},
        }
    }
    for binding in bound:
        ref = ObjectRef(GROUP, "MutatingAdmissionPolicyBinding", "", binding)
        objects[ref] = {"metadata": {"name": binding}, "spec": {"policyName": name}}
    return objects


def test_a_policy_acts_only_where_it_is_bound() -> None:
    assert mutators(policy("idle")) == ()
    (one,) = mutators(policy("busy", "here"))
    assert (one.kind, one.name, one.matches(DEPLOYMENT)) == ("MutatingAdmissionPolicy", "busy", True)
    assert {ref.name for ref in one.parts} == {"busy", "here"}


def test_another_binding_changes_the_policy() -> None:
    assert mutators(policy("busy", "here")) != mutators(policy("busy", "here", "there"))


def kinds(*names: tuple[str, str]) -> dict[tuple[str, str, str], KindInfo]:
    plurals = {"MutatingAdmissionPolicy": "mutatingadmissionpolicies"}
    return {
        (GROUP, version, name): KindInfo(GROUP, version, name, plurals.get(name, f"{name.lower()}s"), namespaced=False)
        for version, name in names
    }


def test_each_kind_is_read_at_its_best_version_and_not_where_it_is_unknown() -> None:
    api = FakeApi(lambda _: {"items": []})
    served = kinds(("v1", "MutatingWebhookConfiguration"), ("v1alpha1", "MutatingAdmissionPolicy"),
                   ("v1beta1", "MutatingAdmissionPolicy"))  # fmt: skip
    assert read_mutators(api, served) == ()  # type: ignore[arg-type]
    assert [call.path for call in api.calls] == [
        f"/apis/{GROUP}/v1/mutatingwebhookconfigurations",
        f"/apis/{GROUP}/v1beta1/mutatingadmissionpolicies",
    ]


def test_what_cannot_be_read_is_an_error_and_not_an_empty_answer() -> None:
    def handler(_: Call) -> Any:
        raise refused(403, "forbidden")

    with pytest.raises(ClusterError, match="mutating admission cannot be read: forbidden"):
        read_mutators(FakeApi(handler), kinds(("v1", "MutatingWebhookConfiguration")))  # type: ignore[arg-type]
