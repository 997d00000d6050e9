"""The plans of installing and removing, without a cluster: order, versions, what is chosen, what is dropped."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import UsageError
from reconciler.model.own import LEVERS, OWN_GUARD
from reconciler.model.ref import ObjectRef
from setscrew import configuration
from setscrew.installing import inventory, kustomize
from setscrew.installing.inventory import Inventory
from setscrew.installing.objects import by_helm, holds_all, ordered, ref_of, shown
from setscrew.installing.plan import bridged, dropped
from setscrew.installing.removal import DEFINITIONS, THE_REGISTRATION, people_have, steps
from setscrew.installing.rollout import STAGES, beside, is_of_rollout, softened, stage
from setscrew.installing.settings import Settings, customized, git_source, grantors_of, images, installers_of
from setscrew.installing.versions import definition_problems, minor, older, skew
from setscrew.installing.waiting import holds

POLICY = ObjectRef("admissionregistration.k8s.io", "ValidatingAdmissionPolicy", "", "setscrew-canary")
ROLE = ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "setscrew-reconciler")
DEPLOYMENT = ObjectRef("apps", "Deployment", "setscrew-system", "setscrew")
SERVICE = ObjectRef("", "Service", "setscrew-system", "setscrew-api")
NAMESPACE = ObjectRef("", "Namespace", "", "setscrew-system")
SOURCE = ObjectRef("setscrew.dev", "GitSource", "", "shop")
LEVER = ObjectRef("setscrew.dev", "DriftPolicy", "", OWN_GUARD)
SECRET = ObjectRef("", "Secret", "setscrew-system", "shop-git")
KNOWN = (POLICY, ROLE, DEPLOYMENT, SERVICE, NAMESPACE, LEVER)


def document(kind: str, name: str = "one", api: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **more}


def pod(image: str) -> dict[str, Any]:
    spec = {"template": {"spec": {"initContainers": [{"image": "other"}], "containers": [{"image": image}]}}}
    return document("Deployment", "setscrew", "apps/v1", spec=spec)


def test_what_others_need_is_applied_before_them() -> None:
    shuffled = [
        document("Deployment", api="apps/v1"),
        document("Service"),
        document("GitSource", api="setscrew.dev/v1alpha1"),
        document("ValidatingAdmissionPolicyBinding", api="admissionregistration.k8s.io/v1"),
        document("ValidatingAdmissionPolicy", api="admissionregistration.k8s.io/v1"),
        document("ConfigMap"),
        document("ClusterRoleBinding", api="rbac.authorization.k8s.io/v1"),
        document("ClusterRole", api="rbac.authorization.k8s.io/v1"),
        document("CustomResourceDefinition", api="apiextensions.k8s.io/v1"),
        document("Namespace"),
    ]
    kinds = [tree["kind"] for trees in ordered(shuffled).values() for tree in trees]
    assert kinds == [
        *("Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "ConfigMap"),
        *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "GitSource", "Service", "Deployment"),
    ]


def test_by_whom_it_is_locked_comes_last_so_that_nobody_locks_himself_out_in_the_middle() -> None:
    trees = customized(
        [pod("setscrew")], Settings(installers=("group:platform",), sources=(git_source("https://h/a"),))
    )
    phases = ordered(trees)
    assert [ref_of(tree) for tree in phases["lock"]] == [ObjectRef("", "ConfigMap", "setscrew-system", OWN_GUARD)]
    assert list(phases) == ["levers", "workloads", "lock"]
    assert [ref_of(tree).name for tree in phases["levers"]] == ["a", OWN_GUARD]


@pytest.mark.parametrize(
    ("installed", "wanted", "goes"),
    [
        ("0.1.0", "0.1.9", True),
        ("0.1.0.dev0", "0.2.0", True),
        ("0.2.0", "0.1.0", True),
        ("0.1.0", "0.3.0", False),
        ("0.3.0", "0.1.0", False),
        ("0.9.0", "1.0.0", False),
        ("", "0.1.0", True),
        ("strange", "0.1.0", True),
    ],
)
def test_a_minor_version_up_or_down_and_no_more(installed: str, wanted: str, goes: bool) -> None:
    assert (skew(installed, wanted) == "") == goes


def test_versions_of_vendors_are_read() -> None:
    assert [minor(one) for one in ("v1.36.3", "v1.31.4-gke.100", "v1.30+", "1.29.0", "", "x")] == [
        *((1, 36), (1, 31), (1, 30), (1, 29), None, None)
    ]
    assert older("0.1.9", "0.2.0")
    assert not older("0.2.0", "0.2.0")
    assert not older("0.2.0", "")


def definition(*versions: tuple[str, bool], scope: str = "Cluster", stored: tuple[str, ...] = ()) -> dict[str, Any]:
    spec = {"group": "setscrew.dev", "scope": scope, "versions": [{"name": n, "served": s} for n, s in versions]}
    return {**document("CustomResourceDefinition"), "spec": spec, "status": {"storedVersions": list(stored)}}


def test_a_definition_may_lose_neither_a_stored_nor_a_served_version_nor_its_scope() -> None:
    live = definition(("v1alpha1", True), ("v1beta1", False), stored=("v1alpha1", "v1beta1"))
    assert list(definition_problems(live, definition(("v1alpha1", True), ("v1beta1", True)))) == []
    told = " ".join(definition_problems(live, definition(("v1beta1", True), scope="Namespaced")))
    assert "scope would change from Cluster to Namespaced" in told
    assert "objects are stored as v1alpha1" in told
    assert "v1alpha1 is served now" in told


def test_an_image_is_put_in_place_of_ours_and_of_no_other() -> None:
    for image in ("setscrew", "setscrew:0.1.0", "reg.example.com:5000/a/setscrew:1@sha256:abc", "ghcr.io/x/setscrew"):
        made = customized([pod(image)], Settings(image="new/setscrew:2"))
        assert images(made) == {"other", "new/setscrew:2"}
    assert "helm/setscrew-not" in images(customized([pod("helm/setscrew-not")], Settings(image="new")))


SUBJECT = st.sampled_from(
    ["alice", "group:platform", "system:serviceaccount:ci:deploy", "alice@example.com", "group:a:b"]
)


@given(st.lists(SUBJECT, unique=True), st.lists(SUBJECT, unique=True))
def test_who_was_chosen_is_read_back(installers: list[str], grantors: list[str]) -> None:
    settings = Settings(installers=tuple(installers), grantors=tuple(grantors))
    made = {tree["kind"]: tree for tree in customized([], settings)}
    assert set(installers_of(made["ConfigMap"])) == set(installers)
    assert grantors_of(made["DriftPolicy"]) == tuple(grantors)
    writers = made["DriftPolicy"]["spec"].get("writers", [])
    assert sum(len(one["subjects"]) for one in writers) == len(installers)


def test_what_is_shipped_of_us_is_not_made_twice_and_subjects_are_put_into_it() -> None:
    shipped = {**document("ConfigMap", OWN_GUARD), "data": {"users": "", "groups": ""}}
    shipped["metadata"]["namespace"] = "setscrew-system"
    shipped["data"]["certificates"] = "system:serviceaccount:cert-manager:cert-manager\n"
    (made,) = (tree for tree in customized([shipped], Settings(installers=("alice",))) if tree["kind"] == "ConfigMap")
    assert made["data"] == {**shipped["data"], "users": "alice\n"}


@pytest.mark.parametrize(
    ("text", "name", "spec"),
    [
        ("https://git.example.com/shop.git", "shop", {"url": "https://git.example.com/shop.git"}),
        (
            "https://git.example.com/a/shop.git//deploy/prod?ref=main",
            "shop",
            {"url": "https://git.example.com/a/shop.git", "path": "deploy/prod", "ref": {"branch": "main"}},
        ),
        ("prod=ssh://git@git.example.com/shop", "prod", {"url": "ssh://git@git.example.com/shop"}),
    ],
)
def test_a_source_is_written_as_kustomize_writes_urls(text: str, name: str, spec: dict[str, Any]) -> None:
    made = git_source(text)
    assert (made["metadata"]["name"], made["spec"]) == (name, spec)


@pytest.mark.parametrize(
    "text",
    [
        "shop",
        "http://git.example.com/shop",
        "https://user:hunter2@h/x",
        "https://hunter2@h/x",
        "https://h/Ä",
        "https://h/x?depth=1",
        "https:///x",
        "file:///x",
    ],
)
def test_a_source_that_is_none_is_one_clear_line_without_its_password(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        git_source(text)
    assert "hunter2" not in str(raised.value)
    assert raised.value.hint


def test_an_address_as_git_writes_it_is_told_how_to_be_written() -> None:
    with pytest.raises(UsageError) as raised:
        git_source("git@git.example.com:platform/shop.git")
    assert raised.value.hint == "write it as ssh://git@git.example.com/platform/shop.git"


def test_the_inventory_is_read_as_it_was_written_and_strange_lines_are_passed_over() -> None:
    written = Inventory("0.1.0", "prevent", "reg/setscrew:1", frozenset(KNOWN))
    made = inventory.as_document(written)
    assert inventory.read(made) == written
    made["data"]["objects"] += "a/b\n/\n//x/\n\n"
    assert inventory.read(made) == written
    assert inventory.read(None) == Inventory()


def test_an_upgrade_drops_what_is_no_longer_shipped_but_nothing_that_holds_peoples_work() -> None:
    before = Inventory(objects=frozenset({*KNOWN, *DEFINITIONS}))
    assert dropped(before, [DEPLOYMENT]) == sorted([POLICY, ROLE, SERVICE, LEVER])


def test_while_both_versions_run_a_role_has_the_rights_of_both() -> None:
    old, new = {"resources": ["pods"], "verbs": ["get"]}, {"resources": ["pods"], "verbs": ["list"]}
    live = document("ClusterRole", rules=[old, new])
    wanted = document("ClusterRole", rules=[new])
    assert bridged(live, wanted)["rules"] == [new, old]
    assert wanted["rules"] == [new]
    assert bridged(None, wanted) is wanted
    assert bridged(document("ClusterRole", rules=[new]), wanted) is wanted
    aggregated = document("ClusterRole", rules=[], aggregationRule={"x": 1})
    assert bridged(live, aggregated) is aggregated


def titles(purge: bool, theirs: tuple[ObjectRef, ...] = ()) -> dict[str, tuple[ObjectRef, ...]]:
    return {step.title: step.refs for step in steps(KNOWN, [SOURCE, LEVER], theirs, purge=purge)}


def test_line_12_removal_first_lets_go_then_ends_the_pods_then_takes_their_rights_then_what_held_those() -> None:
    order = list(titles(purge=True))
    assert order == [
        "what guards Setscrew itself",
        "the pods",
        "configuration",
        "definitions",
        "rights and services",
        "what holds our identities",
        "the registration",
        "namespaces",
    ]
    assert titles(purge=True)["configuration"] == (LEVER, SOURCE)
    assert titles(purge=True)["the registration"] == (THE_REGISTRATION,)


def test_without_purge_stays_what_people_wrote_and_the_namespace_that_holds_it() -> None:
    kept = titles(purge=False, theirs=(SECRET,))
    going = {ref for refs in kept.values() for ref in refs}
    assert going & {SOURCE, SECRET, NAMESPACE, *DEFINITIONS} == set()
    assert {LEVER, SERVICE, ROLE, DEPLOYMENT, POLICY} <= going
    assert NAMESPACE in titles(purge=False)["namespaces"]
    assert NAMESPACE in titles(purge=True, theirs=(SECRET,))["namespaces"]


def test_what_pods_and_controllers_make_is_nobodys_own() -> None:
    made = [ObjectRef("", "Secret", "setscrew-system", name) for name in ("setscrew-values", "setscrew-tls")]
    everywhere = ObjectRef("", "ConfigMap", "setscrew-system", "kube-root-ca.crt")
    assert people_have([SECRET, *made, everywhere, SERVICE], KNOWN) == [SECRET]


def test_what_cert_manager_makes_for_us_is_nobodys_own() -> None:
    file = kustomize.manifests() / "components" / "cert-manager" / "certificates.yaml"
    trees = [tree for tree in yaml.safe_load_all(file.read_text()) if tree["kind"] == "Certificate"]
    made = [ObjectRef("", "Secret", tree["metadata"]["namespace"], tree["spec"]["secretName"]) for tree in trees]
    assert len(made) == 2
    assert people_have([SECRET, *made], KNOWN) == [SECRET]


def builtin() -> list[Any]:
    return [tree for _, tree in configuration.documents(configuration.builtin_policies())]


def test_a_rollout_softens_every_shipped_policy_but_the_one_of_levers_and_stands_just_above_it() -> None:
    shipped = {tree["metadata"]["name"]: tree["spec"] for tree in builtin() if tree["kind"] == "DriftPolicy"}
    made = softened(builtin(), "Audit")
    assert {f"rollout-{name}" for name in shipped} - {tree["metadata"]["name"] for tree in made} == {
        "rollout-own-levers"
    }
    for tree in made:
        spec, original = tree["spec"], shipped[tree["metadata"]["name"].removeprefix("rollout-")]
        assert (spec["action"], spec["failurePolicy"]) == ("Audit", "Ignore")
        assert spec["priority"] == original["priority"] + 1
        assert {**spec, **{key: original[key] for key in ("action", "failurePolicy", "priority")}} == original
        assert is_of_rollout(tree)
    assert softened(builtin(), "Deny") == []


def test_the_mildest_copy_says_how_far_a_rollout_is() -> None:
    audit, warn = softened(builtin(), "Audit"), softened(builtin(), "Warn")
    assert [stage(levers) for levers in (audit, warn, [*warn, audit[0]], [])] == ["Audit", "Warn", "Audit", "Deny"]
    assert [beside(now, 1) for now in STAGES] == ["Warn", "Deny", "Deny"]
    assert [beside(now, -1) for now in STAGES] == ["Audit", "Audit", "Warn"]


def test_what_helm_has_made_is_known() -> None:
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    assert [by_helm(one) for one in ({"metadata": {"labels": labels}}, {"metadata": {}}, None)] == [True, False, False]


def test_an_object_holds_a_document_if_all_of_it_is_there() -> None:
    live = {"spec": {"a": [{"x": 1, "y": 2}], "b": 1}, "status": {}}
    assert holds_all(live, {"spec": {"a": [{"x": 1}]}})
    assert not holds_all(live, {"spec": {"a": [{"x": 2}]}})
    assert not holds_all(live, {"spec": {"a": []}})
    assert not holds_all(live, {"spec": {"c": None}})


def test_what_holds_an_object_is_said_in_its_own_words() -> None:
    gone = {"deletionTimestamp": "2030-01-01T00:00:00Z"}
    trouble = {"type": "NamespaceDeletionDiscoveryFailure", "status": "True", "message": "metrics.k8s.io is down"}
    held = {"metadata": gone, "spec": {"finalizers": ["kubernetes"]}}
    assert "metrics.k8s.io is down" in holds({**held, "status": {"conditions": [trouble]}})
    assert holds(held) == "it is being deleted"
    assert "example.com/hold" in holds({"metadata": {**gone, "finalizers": ["example.com/hold"]}})
    assert holds({"metadata": {}}) == "it is still there"
    assert shown(ref_of(document("Namespace", "x"))) == "namespace/x"
    assert set(LEVERS) == {ref.name.partition(".")[0] for ref in DEFINITIONS}
