"""Laws of the registration: what is guarded is asked about exactly once, and where nothing is, nothing is asked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.ref import KindInfo
from reconciler.policy.model import Policy
from tests.support.matching import Asking, matching
from webhook.registration import configuration
from webhook.registration.client import UrlClient
from webhook.registration.configuration import build
from webhook.registration.kinds import always_ignores
from webhook.registration.places import SYSTEM_NAMESPACES, Guarded

PEM = b"-----BEGIN CERTIFICATE-----\n"
NAMESPACES = ("blue", "green", "red", "kube-system", "setscrew-system")
QUIET = {*SYSTEM_NAMESPACES, "setscrew-system"}
NAMESPACE = KindInfo("", "v1", "Namespace", "namespaces", namespaced=False, subresources=("finalize", "status"))
POD = KindInfo("", "v1", "Pod", "pods", namespaced=True, subresources=("ephemeralcontainers", "resize", "status"))
NAMESPACED = (
    KindInfo("", "v1", "ConfigMap", "configmaps", namespaced=True),
    KindInfo("", "v1", "Service", "services", namespaced=True, subresources=("status",)),
    POD,
    KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True, subresources=("scale", "status")),
    KindInfo("apps", "v1", "ReplicaSet", "replicasets", namespaced=True, subresources=("scale", "status")),
    KindInfo("batch", "v1", "CronJob", "cronjobs", namespaced=True, subresources=("status",)),
    KindInfo("example.com", "v1", "Widget", "widgets", namespaced=True, subresources=("scale", "status")),
    KindInfo("example.com", "v2", "Widget", "widgets", namespaced=True),
    KindInfo("coordination.k8s.io", "v1", "Lease", "leases", namespaced=True),
)
CLUSTER = (
    KindInfo("", "v1", "Node", "nodes", namespaced=False, subresources=("status",)),
    KindInfo("resource.k8s.io", "v1", "DeviceClass", "deviceclasses", namespaced=False),
    KindInfo("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False),
)
POLICIES = [
    Policy(f"{failure}{descendants}{exclusive}", failure_policy=failure, descendants=descendants, exclusive=exclusive)
    for failure in ("Ignore", "Fail")
    for descendants in ("Ignore", "Audit")
    for exclusive in (False, True)
]
# Where one of a kind is exclusive little else can be seen of it, so that is rare here.
policies = st.sampled_from([*(one for one in POLICIES if not one.exclusive for _ in range(4)), *POLICIES])
# Two kinds of one entry, often: that is where conditions are.
namespaced = st.one_of(st.sampled_from(NAMESPACED[:2]), st.sampled_from(NAMESPACED))
guarded_objects = st.lists(
    st.one_of(
        st.builds(Guarded, namespaced, policies, st.sampled_from(NAMESPACES)),
        st.builds(Guarded, st.sampled_from(CLUSTER), policies, st.just("")),
        st.builds(Guarded, st.just(NAMESPACE), policies, st.sampled_from(NAMESPACES)),
    ),
    max_size=12,
)
BUILT_IN = ("", "apps", "batch", "resource.k8s.io", "rbac.authorization.k8s.io")


def built(guarded: list[Guarded]) -> dict[str, Any]:
    return build(guarded, UrlClient("https://127.0.0.1:8443"), PEM, "canonicalizer", own_namespace="setscrew-system")


def asking(one: Guarded, operation: str, subresource: str = "") -> Asking:
    place, kind = one.place or "", one.kind
    own = kind == NAMESPACE
    return Asking(kind.group, kind.version, kind.resource, operation, "" if own else place, place if own else "x",
                  subresource)  # fmt: skip


def asked_of(one: Guarded) -> list[Asking]:
    """What must be asked for the sake of one guarded object."""
    if one.kind.group == "coordination.k8s.io" or (one.kind == POD and one.place in QUIET):
        return []
    parts = {"scale", "resize", "ephemeralcontainers", "finalize", *(["status"] if one.kind.group in BUILT_IN else [])}
    return [
        *(asking(one, operation) for operation in ("CREATE", "UPDATE", "DELETE")),
        *(asking(one, "UPDATE", part) for part in one.kind.subresources if part in parts),
    ]


@given(guarded_objects)
def test_every_write_to_a_guarded_object_is_asked_about_once(guarded: list[Guarded]) -> None:
    document = built(guarded)
    for request in {request for one in guarded for request in asked_of(one)}:
        assert len(matching(document, request)) == 1, request


@given(guarded_objects)
def test_an_exclusive_kind_is_asked_about_in_every_namespace(guarded: list[Guarded]) -> None:
    document = built(guarded)
    for one in guarded:
        if one.policy.exclusive and one.kind.namespaced and asked_of(one):
            elsewhere = asking(one._replace(place="nowhere"), "CREATE")
            assert len(matching(document, elsewhere)) == 1


@given(guarded_objects)
def test_where_nothing_is_guarded_nothing_is_asked(guarded: list[Guarded]) -> None:
    document = built(guarded)
    for kind in NAMESPACED:
        same = [one for one in guarded if (one.kind.group, one.kind.resource) == (kind.group, kind.resource)]
        if any(one.policy.exclusive for one in same):
            continue
        for place in (*NAMESPACES, "nowhere"):
            derives = kind.resource in {"pods", "replicasets"} and any(
                one.policy.descendants == "Audit" and one.place == place for one in guarded
            )
            if not derives and not any(one.place == place and one.kind == kind for one in same):
                for operation in ("CREATE", "UPDATE", "DELETE"):
                    assert matching(document, asking(Guarded(kind, POLICIES[0], place), operation)) == []


@given(guarded_objects)
def test_deleting_a_namespace_is_asked_about_once_if_it_holds_anything_guarded(guarded: list[Guarded]) -> None:
    document = built(guarded)
    holding = {one.place for one in guarded if one.kind.namespaced}
    declared = {one.place for one in guarded if one.kind == NAMESPACE}
    for place in (*NAMESPACES, "nowhere"):
        for request in (Asking("", "v1", "namespaces", "DELETE", name=place),
                        Asking("", "v1", "namespaces", "UPDATE", name=place, subresource="finalize")):  # fmt: skip
            exclusive = any(one.kind == NAMESPACE and one.policy.exclusive for one in guarded)
            expected = 1 if exclusive or place in holding | declared else 0
            assert len(matching(document, request)) == expected, request


@given(guarded_objects)
def test_a_namespace_is_deleted_past_no_dead_server_where_what_is_in_it_is_not(guarded: list[Guarded]) -> None:
    document = built(guarded)
    strict = {webhook["name"] for webhook in document["webhooks"] if webhook["failurePolicy"] == "Fail"}
    for one in (one for one in guarded if one.kind.namespaced and one.place not in QUIET):
        if any(strict & set(matching(document, request)) for request in asked_of(one)):
            (entry,) = matching(document, Asking("", "v1", "namespaces", "DELETE", name=one.place or ""))
            assert entry in strict


@given(guarded_objects)
def test_definitions_of_what_is_guarded_and_our_own_are_asked_about_and_no_others(guarded: list[Guarded]) -> None:
    document = built(guarded)
    custom = {f"{one.kind.resource}.{one.kind.group}" for one in guarded if one.kind.group == "example.com"}
    for name in ("widgets.example.com", "gitsources.setscrew.dev", "others.example.com", ""):
        for operation in ("UPDATE", "DELETE"):
            request = Asking("apiextensions.k8s.io", "v1", "customresourcedefinitions", operation, name=name)
            expected = name in {*custom, "gitsources.setscrew.dev", ""}
            assert len(matching(document, request)) == expected, request


@given(guarded_objects)
def test_where_a_cluster_starts_from_no_failing_call_refuses(guarded: list[Guarded]) -> None:
    document = built(guarded)
    failing = {webhook["name"] for webhook in document["webhooks"] if webhook["failurePolicy"] == "Fail"}
    for one in (one for one in guarded if one.place in QUIET and not one.policy.exclusive):
        anywhere = any(other.kind.resource == one.kind.resource and other.policy.exclusive for other in guarded)
        if not anywhere:
            for request in asked_of(one):
                assert not failing & set(matching(document, request)), request


@given(guarded_objects)
def test_pods_and_nodes_never_fail_closed(guarded: list[Guarded]) -> None:
    document = built(guarded)
    failing = {webhook["name"] for webhook in document["webhooks"] if webhook["failurePolicy"] == "Fail"}
    for one in (one for one in guarded if always_ignores(one.kind)):
        for request in asked_of(one):
            assert not failing & set(matching(document, request)), request


@pytest.mark.parametrize("limit", ["REGISTRATION_BYTES", "REGISTRATION_CONDITIONS", "REGISTRATION_CONDITION_CHARS"])
@given(guarded=guarded_objects)
def test_a_registration_over_a_limit_asks_more_and_never_less(limit: str, guarded: list[Guarded]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(configuration, limit, 1)
        document = built(guarded)
    for request in {request for one in guarded for request in asked_of(one)}:
        assert matching(document, request), request
