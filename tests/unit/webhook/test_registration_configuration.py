"""Holds which requests reach the webhook: the ValidatingWebhookConfiguration as a value."""

from __future__ import annotations

import base64
import itertools
import re
from dataclasses import replace
from typing import Any

import pytest

from reconciler.model.own import GROUP
from reconciler.model.ref import KindInfo
from reconciler.policy.model import Policy
from tests.support.decisions import builtin_rules
from webhook.registration.client import ServiceClient, UrlClient
from webhook.registration.conditions import METADATA_CHANGED, PEOPLE
from webhook.registration.configuration import build
from webhook.registration.kinds import OWN, never_registered
from webhook.registration.places import SYSTEM_NAMESPACES, Guarded

SOFT, HARD = Policy("default"), Policy("gpu", failure_policy="Fail")
DEPLOYMENT = KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True, subresources=("scale", "status"))
CONFIG_MAP = KindInfo("", "v1", "ConfigMap", "configmaps", namespaced=True)
POD = KindInfo("", "v1", "Pod", "pods", namespaced=True, subresources=(
    "attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward", "proxy", "resize", "status",
))  # fmt: skip
NODE = KindInfo("", "v1", "Node", "nodes", namespaced=False, subresources=("proxy", "status"))
NAMESPACE = KindInfo("", "v1", "Namespace", "namespaces", namespaced=False, subresources=("finalize", "status"))
DEVICE_CLASS = KindInfo("resource.k8s.io", "v1", "DeviceClass", "deviceclasses", namespaced=False)
WIDGET = KindInfo("example.com", "v1", "Widget", "widgets", namespaced=True, subresources=("scale", "status"))
PEM = b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
CLIENT = UrlClient("https://127.0.0.1:8443")
USER = "system:serviceaccount:setscrew-system:setscrew-canonicalizer"

Rule = tuple[str, str, str, tuple[str, ...], str]


def configuration(*guarded: Guarded | tuple[KindInfo, Policy], **options: Any) -> dict[str, Any]:
    return build(guarded, CLIENT, PEM, USER, **options)


def entries(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {webhook["name"].removesuffix(".guard.setscrew.dev"): webhook for webhook in document["webhooks"]}


def rules(document: dict[str, Any]) -> set[Rule]:
    return {
        (name, rule["apiGroups"][0], resource, tuple(rule["operations"]), rule["scope"])
        for name, webhook in entries(document).items()
        for rule in webhook["rules"]
        for resource in rule["resources"]
    }


ALL = ("CREATE", "UPDATE", "DELETE")
CRDS = "customresourcedefinitions"
UPDATE = ("UPDATE",)
DELETE = ("DELETE",)


def held(failure: str = "") -> set[Rule]:
    """What takes guarded objects along with their namespace."""
    name = f"core-v1-namespaces-held{failure}"
    return {(name, "", "namespaces", DELETE, "Cluster"), (name, "", "namespaces/finalize", UPDATE, "Cluster")}


# What every registration holds: our own kinds, and the definitions without which they would not be.
ALWAYS = {
    *(("setscrew.dev-v1alpha1-fail", "setscrew.dev", kind.resource, ALL, "Cluster") for kind in OWN),
    *(("setscrew.dev-v1alpha1-fail", "setscrew.dev", f"{kind.resource}/status", UPDATE, "Cluster") for kind in OWN),
    ("apiregistration.k8s.io-v1-definitions", "apiregistration.k8s.io", "apiservices", UPDATE, "Cluster"),
    ("apiextensions.k8s.io-v1-definitions", "apiextensions.k8s.io", CRDS, UPDATE, "Cluster"),
    (
        "apiextensions.k8s.io-v1-definitions-fail",
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        DELETE,
        "Cluster",
    ),
    ("apiregistration.k8s.io-v1-definitions-fail", "apiregistration.k8s.io", "apiservices", DELETE, "Cluster"),
}


def test_the_guards_own_kinds_are_registered_also_where_nothing_is_guarded() -> None:
    assert rules(configuration()) == ALWAYS


def test_they_are_the_levers_of_the_decision_rule_and_fail_as_their_policy_says() -> None:
    (policy,) = (policy for policy in builtin_rules().policies if policy.name == "own-levers")
    assert {f"{kind.group}/{kind.kind}" for kind in OWN} == {name for one in policy.match for name in one.kinds}
    assert policy.failure_policy == "Fail"


def test_a_lever_that_git_declares_is_registered_once_and_as_its_policy_says() -> None:
    (lever,) = (kind for kind in OWN if kind.kind == "GitSource")
    found = {
        rule for rule in rules(configuration((replace(lever, subresources=("status",)), SOFT))) if rule[1] == GROUP
    }
    assert found == {
        ("setscrew.dev-v1alpha1", "setscrew.dev", "gitsources", ALL, "Cluster"),
        ("setscrew.dev-v1alpha1", "setscrew.dev", "gitsources/status", UPDATE, "Cluster"),
        *(
            ("setscrew.dev-v1alpha1-fail", "setscrew.dev", resource, operations, "Cluster")
            for kind in OWN
            for resource, operations in ((kind.resource, ALL), (f"{kind.resource}/status", UPDATE))
            if kind != lever
        ),
    }


def test_definitions_stay_open_to_changes_while_the_guard_is_down() -> None:
    changed = [rule for rule in rules(configuration((WIDGET, HARD))) if rule[2] == "customresourcedefinitions"]
    assert sorted(changed) == sorted(rule for rule in ALWAYS if rule[2] == "customresourcedefinitions")


def test_a_guarded_definition_is_registered_once() -> None:
    crd = KindInfo(
        "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
    )
    found = [rule for rule in rules(configuration((crd, SOFT))) if rule[2] == crd.resource]
    assert found == [("apiextensions.k8s.io-v1", "apiextensions.k8s.io", "customresourcedefinitions", ALL, "Cluster")]


def test_a_guarded_kind_registers_its_writes_its_scale_and_the_metadata_of_its_status() -> None:
    assert rules(configuration((DEPLOYMENT, SOFT))) == ALWAYS | {
        ("apps-v1", "apps", "deployments", ALL, "Namespaced"),
        ("apps-v1", "apps", "deployments/scale", UPDATE, "Namespaced"),
        ("apps-v1-status", "apps", "deployments/status", UPDATE, "Namespaced"),
        *held(),
    }


def test_subresources_may_come_from_discovery() -> None:
    bare = KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True)
    present = {"apps/v1": ["deployments", "deployments/scale", "statefulsets/scale"], "v1": ["deployments/status"]}
    found = rules(configuration((bare, SOFT), resources_present=present))
    assert {rule[2] for rule in found - ALWAYS} == {
        "deployments",
        "deployments/scale",
        "namespaces",
        "namespaces/finalize",
    }


def test_only_configuring_subresources_of_pods_are_registered_and_system_pods_left_alone() -> None:
    document = configuration((POD, SOFT), own_namespace="setscrew-system")
    assert {rule[2:4] for rule in rules(document) if rule[0].startswith("core-v1-pods")} == {
        ("pods", ALL),
        ("pods/ephemeralcontainers", UPDATE),
        ("pods/resize", UPDATE),
        ("pods/status", UPDATE),
    }
    for name in ("core-v1-pods", "core-v1-pods-status"):
        (expression,) = entries(document)[name]["namespaceSelector"]["matchExpressions"]
        assert expression == {
            "key": "kubernetes.io/metadata.name",
            "operator": "NotIn",
            "values": sorted([*SYSTEM_NAMESPACES, "setscrew-system"]),
        }


def test_only_pods_are_selected_by_namespace() -> None:
    document = configuration((POD, SOFT), (CONFIG_MAP, SOFT), (NAMESPACE, SOFT))
    assert entries(document)["core-v1"]["namespaceSelector"] == {}
    assert all(webhook["objectSelector"] == {} for webhook in document["webhooks"])


def test_custom_resources_bring_their_definitions_and_services_but_no_status() -> None:
    assert rules(configuration((WIDGET, HARD))) == ALWAYS | {
        ("example.com-v1-fail", "example.com", "widgets", ALL, "Namespaced"),
        ("example.com-v1-fail", "example.com", "widgets/scale", UPDATE, "Namespaced"),
        *held("-fail"),
    }


def test_cluster_scoped_kinds_of_the_api_server_bring_nothing_else() -> None:
    assert rules(configuration((DEVICE_CLASS, HARD))) == ALWAYS | {
        ("resource.k8s.io-v1-fail", "resource.k8s.io", "deviceclasses", ALL, "Cluster")
    }


def test_a_guarded_namespace_is_registered_once() -> None:
    document = configuration((NAMESPACE, SOFT), (DEPLOYMENT, HARD))
    assert [rule for rule in rules(document) if rule[2] == "namespaces"] == [
        ("core-v1-namespaces-fail", "", "namespaces", ALL, "Cluster")
    ]
    assert ("core-v1-namespaces-fail", "", "namespaces/finalize", UPDATE, "Cluster") in rules(document)


def test_the_strictest_policy_of_a_kind_holds_for_all_of_it() -> None:
    document = configuration((DEPLOYMENT, SOFT), (DEPLOYMENT, HARD), (DEPLOYMENT, SOFT), (CONFIG_MAP, SOFT))
    failures = {name: webhook["failurePolicy"] for name, webhook in entries(document).items()}
    assert {name: failures[name] for name in failures if name.startswith(("apps", "core"))} == {
        "apps-v1-fail": "Fail",
        "apps-v1-status-fail": "Fail",
        "core-v1": "Ignore",
        "core-v1-namespaces-held-fail": "Fail",
    }


@pytest.mark.parametrize("kind", [NODE, POD])
def test_what_a_cluster_needs_to_start_never_fails_closed(kind: KindInfo) -> None:
    found = entries(configuration((kind, HARD)))
    assert {webhook["failurePolicy"] for name, webhook in found.items() if name.startswith("core")} == {"Ignore"}


@pytest.mark.parametrize(
    ("group", "resource"),
    [
        ("coordination.k8s.io", "leases"),
        ("", "events"),
        ("events.k8s.io", "events"),
        ("", "endpoints"),
        ("discovery.k8s.io", "endpointslices"),
        ("authentication.k8s.io", "tokenreviews"),
        ("authorization.k8s.io", "subjectaccessreviews"),
        ("authorization.k8s.io", "localsubjectaccessreviews"),
        ("certificates.k8s.io", "certificatesigningrequests"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ],
)
def test_what_stops_a_cluster_is_never_registered(group: str, resource: str) -> None:
    kind = KindInfo(group, "v1", "Any", resource, namespaced=True, subresources=("status",))
    # Its namespace is not to be deleted with it all the same.
    assert rules(configuration((kind, HARD))) == ALWAYS | held()
    assert never_registered(kind)


def test_no_rule_has_a_wildcard_or_connect() -> None:
    document = configuration(*((kind, SOFT) for kind in (DEPLOYMENT, POD, NODE, NAMESPACE, WIDGET, CONFIG_MAP)))
    for webhook in document["webhooks"]:
        for rule in webhook["rules"]:
            assert "*" not in str(rule)
            assert "CONNECT" not in rule["operations"]


def test_every_entry_excludes_the_canonicalizers_dry_runs_only() -> None:
    document = configuration((DEPLOYMENT, SOFT), (POD, SOFT))
    for webhook in document["webhooks"]:
        assert webhook["matchConditions"][0]["expression"] == (
            f'!(request.userInfo.username == "{USER}" && has(request.dryRun) && request.dryRun)'
        )


def test_a_user_name_cannot_break_out_of_its_literal() -> None:
    document = build([(DEPLOYMENT, SOFT)], CLIENT, PEM, 'x" || "a" == "a')
    assert r'"x\" || \"a\" == \"a"' in document["webhooks"][0]["matchConditions"][0]["expression"]


def test_only_status_entries_ask_whether_metadata_changed() -> None:
    document = configuration((DEPLOYMENT, SOFT))
    asked = {name for name, webhook in entries(document).items() if METADATA_CHANGED in webhook["matchConditions"]}
    assert asked == {"apps-v1-status"}
    expression = entries(document)["apps-v1-status"]["matchConditions"][1]["expression"]
    assert re.findall(r"object\.metadata\.\?(\w+)\.", expression.replace("oldObject", "")) == [
        "labels",
        "annotations",
        "finalizers",
        "ownerReferences",
    ]


def test_each_entry_names_its_version_in_its_path() -> None:
    document = configuration((DEPLOYMENT, SOFT), (CONFIG_MAP, SOFT))
    urls = {name: webhook["clientConfig"]["url"] for name, webhook in entries(document).items()}
    assert urls["apps-v1-status"] == urls["apps-v1"] == "https://127.0.0.1:8443/validate/apps/v1"
    assert urls["core-v1"] == "https://127.0.0.1:8443/validate/core/v1"
    assert base64.b64decode(document["webhooks"][0]["clientConfig"]["caBundle"]) == PEM


def test_in_a_cluster_a_service_is_called() -> None:
    document = build([(CONFIG_MAP, SOFT)], ServiceClient("setscrew-system", "setscrew"), PEM, USER)
    assert entries(document)["core-v1"]["clientConfig"]["service"] == {
        "namespace": "setscrew-system",
        "name": "setscrew",
        "path": "/validate/core/v1",
        "port": 443,
    }


def test_every_entry_promises_the_same() -> None:
    document = configuration((DEPLOYMENT, SOFT), (WIDGET, HARD), (POD, SOFT))
    for webhook in document["webhooks"]:
        assert webhook["matchPolicy"] == "Equivalent"
        assert webhook["sideEffects"] == "NoneOnDryRun"
        assert webhook["timeoutSeconds"] == 3
        assert webhook["admissionReviewVersions"] == ["v1"]


def test_names_are_unique_and_qualified() -> None:
    kinds = (DEPLOYMENT, POD, NODE, NAMESPACE, WIDGET, CONFIG_MAP, DEVICE_CLASS)
    document = configuration(*((kind, policy) for kind in kinds for policy in (SOFT, HARD)))
    names = [webhook["name"] for webhook in document["webhooks"]]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9.-]+", name) and name.count(".") >= 2 for name in names)


def test_the_document_does_not_depend_on_the_order_of_what_is_guarded() -> None:
    guarded = [(DEPLOYMENT, SOFT), (WIDGET, HARD), (POD, SOFT), (DEPLOYMENT, HARD)]
    documents = [configuration(*order) for order in itertools.permutations(guarded)]
    assert all(document == documents[0] for document in documents)


def test_what_controllers_derive_is_registered_for_people_and_only_where_a_policy_asks() -> None:
    assert not any("derived" in name for name in entries(configuration((DEPLOYMENT, SOFT))))
    document = configuration((DEPLOYMENT, Policy("asks", descendants="Audit", failure_policy="Fail")))
    assert {rule for rule in rules(document) if "derived" in rule[0]} == {
        ("apps-v1-replicasets-derived", "apps", "replicasets", ALL, "Namespaced"),
        ("core-v1-pods-derived", "", "pods", ALL, "Namespaced"),
        ("core-v1-pods-derived", "", "pods/ephemeralcontainers", UPDATE, "Namespaced"),
        ("core-v1-pods-derived", "", "pods/resize", UPDATE, "Namespaced"),
    }
    for name in ("apps-v1-replicasets-derived", "core-v1-pods-derived"):
        assert entries(document)[name]["failurePolicy"] == "Ignore"
        assert PEOPLE in entries(document)[name]["matchConditions"]


def test_a_declared_kind_is_registered_once_also_where_it_is_derived() -> None:
    document = configuration((DEPLOYMENT, Policy("asks", descendants="Audit")), (POD, SOFT))
    assert not any("pods-derived" in name for name in entries(document))
