"""Holds that nobody makes something wanted by mutating dry-runs: only policy or Git say whose mutations are wanted."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.model.ref import ObjectRef
from setscrew.demo.stage import Stage
from tests.support import small_shop

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

POLICY = "MutatingAdmissionPolicy"
WEB = ObjectRef("apps", "Deployment", "shop", "web")
SIDECAR = """\
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: add-sidecar}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  matchConditions:
  - name: not-yet
    expression: '!object.spec.template.spec.containers.exists(c, c.name == "sidecar")'
  failurePolicy: Fail
  reinvocationPolicy: Never
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: >-
        [JSONPatch{op: "add", path: "/spec/template/spec/containers/-",
        value: Object.spec.template.spec.containers{name: "sidecar", image: "registry.example.com/sidecar:1"}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: add-sidecar}
spec: {policyName: add-sidecar}
"""
TRUSTING = {
    "apiVersion": "setscrew.dev/v1alpha1",
    "kind": "DriftPolicy",
    "metadata": {"name": "trusting"},
    "spec": {
        "trustedMutators": ["add-sidecar"],
        "writers": [{"subjects": [{"serviceAccount": "argocd/argocd-application-controller"}]}],
    },
}


def form(stage: Stage, ref: ObjectRef = WEB) -> Any:
    return next(entry.object for entry in stage.snapshot().entries() if entry.object.ref == ref)


def containers(stage: Stage) -> list[str]:
    return [one["name"] for one in form(stage).want["spec"]["template"]["spec"]["containers"]]


def findings(stage: Stage) -> dict[str, Any]:
    items = (stage.drift() or {"items": []})["items"]
    return {item["kind"]: item for item in items if "untrusted-mutator" in item["reason"]}


def add_sidecar(stage: Stage, text: str = SIDECAR) -> None:
    stage.plane.kubectl("apply", "-f", "-", input=text)


def remove_sidecar(stage: Stage) -> None:
    stage.plane.kubectl("delete", "--ignore-not-found", "-f", "-", input=SIDECAR)


def restart(stage: Stage, *policies: dict[str, Any]) -> None:
    """As an operator changes policy: documents beside the sources, and a new start."""
    assert stage.stop_setscrew() == 0
    (stage.directory / "config").mkdir(exist_ok=True)
    (stage.directory / "config" / "policy.yaml").write_text(yaml.safe_dump_all(policies))
    stage.start_setscrew()


def sync_web(stage: Stage) -> subprocess.CompletedProcess[str]:
    """A correct sync: exactly what Git declares, by the identity that syncs."""
    web = next(one for one in small_shop.documents(small_shop.SHOP) if one["metadata"]["name"] == "web")
    options = ("--server-side", "--force-conflicts", "--field-manager=argocd-controller")
    return stage.plane.kubectl(
        "apply", *options, "-f", "-", kubeconfig=stage.gitops, input=json.dumps(web), check=False
    )


def drift_command(stage: Stage) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "setscrew", "drift", "--state", str(stage.state_dir)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def diff_command(stage: Stage, path: Path) -> subprocess.CompletedProcess[str]:
    """`setscrew diff` with the two identities of an installation, and its rules as packaged: nobody is trusted."""
    command = [sys.executable, "-m", "setscrew", "diff", str(path), "--namespace", "shop", "-o", "json"]
    command += ["--kubeconfig", str(stage.account("setscrew-reconciler"))]
    command += ["--canonicalizer-kubeconfig", str(stage.account("setscrew-canonicalizer"))]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def suspected(stage: Stage) -> bool:
    return "untrusted-mutator" in form(stage).reason and POLICY in findings(stage)


def test_an_untrusted_mutator_is_a_finding_and_changes_nothing_that_is_wanted(stage: Stage) -> None:
    add_sidecar(stage)
    stage.wait("the finding", lambda: suspected(stage))
    assert containers(stage) == ["web"]
    assert form(stage).confidence == "server"
    found = findings(stage)
    assert set(found) == {POLICY, f"{POLICY}Binding"}
    finding = found[POLICY]
    assert (finding["state"], finding["name"]) == ("extra", "add-sidecar")
    assert "Deployment.apps shop/web at /spec/template/spec/containers" in finding["reason"]
    assert finding["attribution"]["manager"] == "kubectl-client-side-apply"
    shown = drift_command(stage)
    assert shown.returncode == 1
    assert "untrusted-mutator" in shown.stdout
    assert stage.log.count("MutatingAdmissionPolicy.admissionregistration.k8s.io add-sidecar: untrusted-mutator") == 1


def test_a_sync_that_it_changes_is_refused_with_its_name_and_the_way_out(stage: Stage) -> None:
    done = sync_web(stage)
    assert done.returncode != 0
    assert "untrusted-mutator: MutatingAdmissionPolicy add-sidecar" in done.stderr
    assert "trustedMutators" in done.stderr


def test_diff_with_an_identity_for_dry_runs_wants_nothing_of_it_either(stage: Stage) -> None:
    done = diff_command(stage, stage.repository.work / "shop")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["items"] == []


def test_line_38_what_a_trusted_mutator_adds_is_wanted_and_syncs_pass(stage: Stage) -> None:
    restart(stage, TRUSTING)
    stage.wait("the sidecar", lambda: containers(stage) == ["web", "sidecar"])
    stage.wait("no finding", lambda: not findings(stage))
    stage.wait("the guard", stage.guarded)
    done = sync_web(stage)
    assert done.returncode == 0, done.stderr
    stage.wait("no drift", lambda: "web" not in {item["name"] for item in (stage.drift() or {})["items"]})


def test_trust_that_is_withdrawn_takes_the_addition_out_of_what_is_wanted(stage: Stage) -> None:
    restart(stage)
    stage.wait("the finding", lambda: suspected(stage))
    assert containers(stage) == ["web"]
    assert "Deployment.apps shop/web at /spec/template/spec/containers" in findings(stage)[POLICY]["reason"]
    stage.wait(
        "the drift", lambda: "web" in {i["name"] for i in (stage.drift() or {})["items"] if i["state"] == "drifted"}
    )


def test_a_mutator_that_is_gone_leaves_nothing_behind(stage: Stage) -> None:
    remove_sidecar(stage)
    stage.wait("no finding", lambda: not findings(stage) and not form(stage).reason)
    assert (containers(stage), form(stage).confidence) == (["web"], "server")
    assert "add-sidecar: changes nothing of what Git declares any more" in stage.log
    stage.wait("a correct sync", lambda: sync_web(stage).returncode == 0)


def test_one_that_changes_nothing_harms_nothing_at_first_sight_either(stage: Stage) -> None:
    add_sidecar(stage, SIDECAR.replace("'!object", '\'object.metadata.name == "elsewhere" && !object'))
    assert stage.stop_setscrew() == 0
    shutil.rmtree(stage.state_dir / "snapshots")
    stage.start_setscrew()
    stage.wait("server forms", lambda: stage.unconfirmed() == [])
    assert not findings(stage)
    remove_sidecar(stage)


def test_declared_by_a_source_it_is_trusted_for_as_long_as_it_stands_so(stage: Stage) -> None:
    small_shop.edit(stage, "shop/sidecar.yaml", SIDECAR, "A sidecar for all")
    add_sidecar(stage)
    stage.wait("the sidecar", lambda: containers(stage) == ["web", "sidecar"])
    assert not findings(stage)
    add_sidecar(stage, SIDECAR.replace("sidecar:1", "mine:1"))
    stage.wait("the finding", lambda: suspected(stage))
    images = [one["image"] for one in form(stage).want["spec"]["template"]["spec"]["containers"]]
    assert images == ["registry.example.com/web:1", "registry.example.com/sidecar:1"]
    assert findings(stage)[POLICY]["state"] == "drifted"
    add_sidecar(stage)
    stage.wait("trust again", lambda: not findings(stage) and not form(stage).reason)
