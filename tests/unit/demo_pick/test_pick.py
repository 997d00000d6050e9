"""Holds that a person's own source always gets changes that fit it, whatever it declares."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import ABSENT
from setscrew.demo import own_source_story, pick
from setscrew.demo.own_source_plan import Declared, Plan
from setscrew.demo.pick_shared import as_pointer, at, target
from setscrew.demo.player import judge

DENIED = 'Error from server (Forbidden): admission webhook "core-v1.guard.setscrew.dev" denied the request: no.'


def declared(kind: KindInfo, name: str, body: dict[str, Any], namespace: str = "shop") -> Declared:
    place = namespace if kind.namespaced else ""
    metadata = {"name": name, **({"namespace": place} if place else {}), **body.pop("metadata", {})}
    tree = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **body}
    return Declared(ObjectRef(kind.group, kind.kind, place, name), kind, tree)


def kind(group: str, name: str, resource: str, *, namespaced: bool = True) -> KindInfo:
    return KindInfo(group, "v1", name, resource, namespaced)


CONFIG = kind("", "ConfigMap", "configmaps")
DEPLOYMENT = kind("apps", "Deployment", "deployments")
CLASS = kind("resource.k8s.io", "DeviceClass", "deviceclasses", namespaced=False)
POLICY = kind(
    "admissionregistration.k8s.io", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False
)


def config(name: str = "settings", namespace: str = "shop") -> Declared:
    return declared(CONFIG, name, {"data": {"long": "a" * 50, "mode": "fast"}}, namespace)


def web() -> Declared:
    containers = [
        {"name": "web", "image": "web:1", "env": [{"name": "FROM", "valueFrom": {}}, {"name": "A", "value": "b"}]}
    ]
    spec = {"replicas": 3, "template": {"spec": {"containers": containers}}}
    return declared(DEPLOYMENT, "web", {"metadata": {"labels": {"team": "web"}}, "spec": spec})


def titles(*objects: Declared) -> list[str]:
    return [one.step.title for one in pick.refused(objects)]


def test_a_deployment_gets_image_replicas_environment_and_a_sidecar() -> None:
    assert titles(web())[:4] == [
        "Another image",
        "More replicas, through the scale subresource",
        "An environment variable",
        "A sidecar that Git never saw",
    ]


def test_the_variable_that_is_changed_is_one_with_a_value() -> None:
    change = next(one for one in pick.refused([web()]) if one.step.title == "An environment variable")
    assert change.step.argv[-1] == "A=changed-by-hand"
    assert at(change.on.tree, change.path) == "b"


def test_a_device_class_is_made_to_mean_any_device() -> None:
    gpu = declared(CLASS, "gpu", {"spec": {"selectors": [{"cel": {"expression": "device.driver == 'x'"}}]}})
    change = next(one for one in pick.refused([gpu]) if one.step.title == "Which devices a class means")
    assert change.step.argv[2:4] == ("deviceclasses.resource.k8s.io/gpu", "--type=json")
    assert "device.driver == 'x'" in change.repair[-1]


def test_several_small_objects_still_give_ten_changes_and_each_only_once() -> None:
    picks = pick.refused([config(f"settings-{number}") for number in range(5)])
    assert len(picks) == pick.REFUSED
    assert len({one.step.argv for one in picks}) == len(picks)


def test_what_the_api_server_asks_no_webhook_about_is_never_picked() -> None:
    policy = declared(POLICY, "rules", {"spec": {}})
    assert titles(policy) == []
    assert all(one.on.ref.kind != "ValidatingAdmissionPolicy" for one in pick.refused([policy, config()]))


@pytest.mark.parametrize("namespace", ["default", "kube-system"])
def test_a_namespace_that_kubernetes_itself_keeps_is_not_deleted(namespace: str) -> None:
    assert "Deletion of a whole namespace" not in titles(config(namespace=namespace))
    assert "Deletion of a whole namespace" in titles(config(namespace="shop"))


def test_deletions_come_last_and_wait_for_nothing() -> None:
    verbs = ["delete" in one.step.argv for one in pick.refused([web(), config()])]
    assert verbs == sorted(verbs)
    assert all("--wait=false" in one.step.argv for one in pick.refused([web()]) if "delete" in one.step.argv)


def test_every_path_of_a_pick_leads_to_a_value_that_git_declares() -> None:
    picks = [one for one in pick.refused([web(), config()]) if one.path]
    assert picks
    assert all(at(one.on.tree, one.path) is not ABSENT for one in picks)


def test_the_story_ends_with_a_change_that_slips_in_and_is_put_back() -> None:
    plan = _plan(web(), config())
    *_, last = own_source_story.chapters(plan)
    assert [step.expect for step in last.steps] == ["allowed", "allowed", "drift", "allowed", "allowed"]
    assert last.steps[1].argv == next(one.step.argv for one in pick.refused(plan.objects) if one.path)


def test_no_secret_is_shown_on_the_way() -> None:
    secret = declared(kind("", "Secret", "secrets"), "keys", {"stringData": {"token": "hunter2hunter2"}})
    steps = [step for chapter in own_source_story.chapters(_plan(secret)) for step in chapter.steps]
    assert steps
    assert not any("hunter2" in f"{step.argv}{step.stdin}{step.checks}" for step in steps)


def test_namespaces_that_objects_name_are_made_unless_declared_or_always_there() -> None:
    own = declared(kind("", "Namespace", "namespaces", namespaced=False), "own", {})
    plan = _plan(config(namespace="own"), config(namespace="other"), config(namespace="kube-system"), own)
    assert plan.undeclared_namespaces == ("other", "release")


def test_kubectl_is_told_the_group_so_that_it_guesses_none() -> None:
    assert target(web()) == ("deployments.apps/web", "-n", "shop")
    assert as_pointer(("metadata", "labels", "a/b~c", 0)) == "/metadata/labels/a~1b~0c/0"


def test_only_our_own_denial_counts_as_refused() -> None:
    assert judge(1, DENIED) == "refused"
    assert judge(1, DENIED.replace("guard.setscrew.dev", "somebody.else")) == "failed"


def _plan(*objects: Declared) -> Plan:
    from pathlib import Path

    return Plan(Path("/source"), "yaml", "", "release", (), objects)
