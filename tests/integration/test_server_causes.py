"""Holds that a refused dry-run harms nobody: an offline form with its reason, until the cause goes away.

Every cause stands on one stage: a full quota, a rule on the name, a fresh namespace, a missing CRD, a missing right.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.demo.stage import Stage, dump
from tests.support import small_shop
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

BASE = Path(__file__).parents[2] / "manifests" / "base"
LONG = "a-service-whose-name-has-sixty-characters-and-no-room-for-it"
HERE = """\
apiVersion: v1
kind: Namespace
metadata: {name: full}
---
apiVersion: v1
kind: Namespace
metadata: {name: named}
---
apiVersion: v1
kind: Service
metadata: {name: counted, namespace: full}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: fixed, namespace: named}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: LONG, namespace: full}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: powerful}
rules: [{apiGroups: [""], resources: [pods], verbs: [delete]}]
""".replace("LONG", LONG)
NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata: {name: fresh}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: fresh}
data: {a: b}
"""
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.causes.example.com}
spec:
  group: causes.example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties: {size: {type: integer, default: 3}, colour: {type: string}}
"""
WIDGET = """\
apiVersion: causes.example.com/v1
kind: Widget
metadata: {name: one, namespace: full}
spec: {colour: red}
"""
# Not in Git: what stands in the way.
IN_THE_WAY = """\
apiVersion: v1
kind: ResourceQuota
metadata: {name: services, namespace: full}
spec: {hard: {count/services: "2"}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: fixed-names}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: named}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [services]}]
  validations: [{expression: object.metadata.name == "fixed"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: fixed-names}
spec: {policyName: fixed-names, validationActions: [Deny]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: dry-run-widgets, labels: {setscrew.dev/aggregate-to-canonicalizer: "true"}}
rules: [{apiGroups: [causes.example.com], resources: ["*"], verbs: [create, update]}]
"""
REASONS = {
    "counted": "a quota of namespace full refuses it",
    "fixed": "the object cannot be tried under another name",
    "settings": "namespace fresh does not exist yet",
    "one": "the API server does not serve Widget in causes.example.com/v1 yet",
    "powerful": "the canonicalizer lacks a right on clusterroles",
}


def fill(work: Path) -> None:
    (work / "all").mkdir()
    for number, text in enumerate((HERE, NAMESPACE, CRD, WIDGET)):
        (work / "all" / f"{number}.yaml").write_text(text)


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    with Stage({"all": {"path": "all", "render": {"kind": "YAML"}}}, fill, scan_seconds=1) as one:
        sync(one, HERE)
        one.plane.kubectl("apply", "-f", "-", input=IN_THE_WAY)
        one.plane.kubectl("apply", "-f", "-", input=dump(without_escalate()))
        used = ("get", "quota", "services", "-n", "full", "-o", "jsonpath={.status.used}")
        one.wait("the quota to be counted", lambda: '"2"' in one.plane.kubectl(*used).stdout)
        one.start_setscrew()
        one.wait("a look at everything", lambda: set(REASONS) == {name for name in REASONS if reason(one, name)})
        one.wait("the guard", one.guarded)
        yield one


def without_escalate() -> list[Any]:
    """The identities' rights as installed, but for the right to dry-run roles beyond one's own."""
    documents = list(yaml.safe_load_all((BASE / "rbac.yaml").read_text()))
    for document in documents:
        if document.get("rules"):
            document["rules"] = [rule for rule in document["rules"] if "escalate" not in rule["verbs"]]
    return documents


def sync(stage: Stage, text: str) -> bool:
    """What the GitOps identity does with these documents; a refusal is raised with all that kubectl says."""
    options = ("--server-side", "--force-conflicts", "--field-manager=argocd-controller")
    documents = dump(small_shop.documents(text))
    done = stage.plane.kubectl("apply", *options, "-f", "-", kubeconfig=stage.gitops, input=documents)
    return done.returncode == 0


def entry(stage: Stage, name: str) -> Any:
    return next(one.object for one in stage.snapshot().entries() if one.object.ref.name == name)


def reason(stage: Stage, name: str) -> str:
    return str(entry(stage, name).reason)


def states(stage: Stage) -> dict[str, str]:
    return {item["name"]: item["state"] for item in (stage.drift() or {"items": []})["items"]}


def becomes_known(stage: Stage, *names: str) -> bool:
    """Wait for the server forms of these; whether they stand without a reason."""
    for name in names:
        stage.wait(f"the server form of {name}", lambda name=name: entry(stage, name).confidence == "server")
    return not any(reason(stage, name) for name in names)


@pytest.mark.parametrize("name", list(REASONS))
def test_an_object_that_cannot_be_dry_run_keeps_its_offline_form_and_says_why(stage: Stage, name: str) -> None:
    assert entry(stage, name).confidence == "offline"
    assert reason(stage, name).startswith(REASONS[name])
    assert f"no server form for now: {REASONS[name]}" in stage.log


def test_a_reason_is_the_same_at_each_try(stage: Stage) -> None:
    told = [line for line in stage.log.splitlines() if "under another name" in line]
    assert len(told) == 1


def test_none_of_them_is_called_drifted(stage: Stage) -> None:
    stage.wait("a scan of all", lambda: {"settings", "one"} <= set(states(stage)))
    found = states(stage)
    assert {found[name] for name in ("settings", "one")} == {"missing"}
    assert "drifted" not in found.values()


def test_a_correct_sync_of_what_is_there_passes(stage: Stage) -> None:
    assert sync(stage, HERE)


def test_a_name_of_sixty_characters_leaves_room_for_a_copy(stage: Stage) -> None:
    stage.plane.kubectl("patch", "quota", "services", "-n", "full", "-p", '{"spec":{"hard":{"count/services":"9"}}}')
    assert len(LONG) == 60
    assert becomes_known(stage, LONG, "counted")


def test_a_rule_on_the_name_that_goes_gives_way_to_the_server_form(stage: Stage) -> None:
    stage.plane.kubectl("delete", "validatingadmissionpolicybinding", "fixed-names")
    assert becomes_known(stage, "fixed")


def test_a_namespace_that_comes_brings_the_forms_of_what_is_in_it(stage: Stage) -> None:
    sync(stage, NAMESPACE)
    assert becomes_known(stage, "settings")


def test_a_crd_that_comes_brings_the_forms_of_its_kind(stage: Stage) -> None:
    sync(stage, CRD)
    stage.wait("the CRD", lambda: stage.plane.kubectl("get", "widgets", "-A", check=False).returncode == 0)
    sync(stage, WIDGET)
    assert becomes_known(stage, "one")
    assert entry(stage, "one").want["spec"] == {"colour": "red", "size": 3}


def test_a_right_that_is_given_brings_the_form(stage: Stage) -> None:
    stage.plane.kubectl("apply", "-f", BASE / "rbac.yaml")
    assert becomes_known(stage, "powerful")


def test_with_all_causes_gone_everything_is_known_synced_and_in_sync(stage: Stage) -> None:
    assert stage.unconfirmed() == []
    for text in (HERE, NAMESPACE, CRD, WIDGET):
        sync(stage, text)
    stage.wait("no finding", lambda: states(stage) == {})


def test_another_default_of_a_crd_is_wanted_as_soon_as_it_is_there(stage: Stage) -> None:
    text = CRD.replace("default: 3", "default: 4")
    small_shop.edit(stage, "all/2.yaml", text, "Widgets are larger")
    sync(stage, text)
    stage.wait("the new default", lambda: entry(stage, "one").want["spec"]["size"] == 4)
    assert entry(stage, "one").confidence == "server"


OWN_ACCOUNTS = ("setscrew-reconciler", "setscrew-canonicalizer", "setscrew-canary")


def test_a_restart_without_a_snapshot_under_failure_policy_fail_is_no_deadlock(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sync(stage, NAMESPACE)  # so that the test stands alone
    # Made before: afterwards nobody may write a Namespace, not even the tests.
    accounts = {name: stage.account(name) for name in OWN_ACCOUNTS}
    monkeypatch.setattr(Stage, "account", lambda _, name: accounts[name])
    strict = {
        "apiVersion": "setscrew.dev/v1alpha1",
        "kind": "DriftPolicy",
        "metadata": {"name": "strict"},
        "spec": {
            "failurePolicy": "Fail",
            "writers": [{"subjects": [{"serviceAccount": "argocd/argocd-application-controller"}]}],
        },
    }
    stage.stop_setscrew()
    (stage.directory / "config" / "policy.yaml").write_text(json.dumps(strict))
    stage.start_setscrew()
    stage.wait("the guard", lambda: refused_while_down(stage, probe=False))
    stage.stop_setscrew()
    shutil.rmtree(stage.state_dir / "snapshots")
    # The API server may act by the registration of before for a moment.
    eventually(lambda: refused_while_down(stage, probe=True), "a refusal because nobody answers")
    canonicalizer = accounts["setscrew-canonicalizer"]
    config = ("create", "configmap", "any", "-n", "fresh")
    assert stage.plane.kubectl(*config, "--dry-run=server", kubeconfig=canonicalizer, check=False).returncode == 0
    assert stage.plane.kubectl(*config, kubeconfig=canonicalizer, check=False).returncode != 0
    stage.start_setscrew()
    assert becomes_known(stage, "fresh", "settings")
    assert sync(stage, NAMESPACE)


def refused_while_down(stage: Stage, *, probe: bool) -> bool:
    """Whether a write to a guarded kind fails: with `probe` because nobody answers, else because it is drift."""
    patch = ("patch", "configmap", "settings", "-n", "fresh", "--type=merge", "-p", '{"data":{"a":"x"}}')
    done = stage.plane.kubectl(*patch, "--dry-run=server", check=False)
    registered = stage.plane.kubectl("get", "validatingwebhookconfiguration", "setscrew", "-o", "yaml").stdout
    said = "failed calling webhook" if probe else "denied the request"
    # Our own kinds always fail closed; this is the entry of ConfigMaps.
    return said in done.stderr and "name: core-v1-fail." in registered
