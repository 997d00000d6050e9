"""The Helm chart is the same as the Kustomize overlays, by the real helm and kustomize; and it can be installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from reconciler.model.own import ENTRY_SUFFIX
from setscrew.controlplane import ControlPlane, Tools
from setscrew.controlplane.kubeconfig import with_token
from setscrew.installing.settings import Settings, customized
from tests.support.kubelet import NODE, Kubelet, working
from tests.support.tools import tool
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

MADE = tool("generate_chart")
OVERLAYS = sorted(path.parent.name for path in (MADE.MANIFESTS / "overlays").glob("*/kustomization.yaml"))
Document = dict[str, Any]


@pytest.fixture(scope="module")
def rendered(tools: Tools) -> dict[str, list[Document]]:
    """The objects of each overlay."""
    return {name: kustomized(tools, name) for name in OVERLAYS}


def kustomized(tools: Tools, overlay: str) -> list[Document]:
    done = ran(tools.kubectl, "kustomize", MADE.MANIFESTS / "overlays" / overlay)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def ran(*command: str | Path) -> CompletedProcess[str]:
    return subprocess.run([str(one) for one in command], capture_output=True, text=True, check=False, timeout=600)


def helm(tools: Tools, values: Mapping[str, Any], *args: str) -> CompletedProcess[str]:
    given = [f"--set-json={key}={json.dumps(value)}" for key, value in values.items()]
    return ran(tools.helm, "template", "setscrew", MADE.CHART, "--include-crds", *given, *args)


def templated(tools: Tools, values: Mapping[str, Any], *args: str) -> list[Document]:
    done = helm(tools, values, "--no-hooks", *args)
    assert done.returncode == 0, done.stderr
    return [tree for tree in yaml.safe_load_all(done.stdout) if tree]


def by_key(trees: Sequence[Document]) -> dict[tuple[str, str, str, str], Document]:
    found = {MADE.key(tree): tree for tree in trees}
    assert len(found) == len(trees)
    return found


def test_every_overlay_has_values() -> None:
    assert sorted(MADE.VALUES) == OVERLAYS


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_chart_is_the_same_as_an_overlay(tools: Tools, rendered: dict[str, list[Document]], overlay: str) -> None:
    chart, wanted = by_key(templated(tools, MADE.VALUES[overlay])), by_key(rendered[overlay])
    assert sorted(chart) == sorted(wanted)
    for key, tree in wanted.items():
        assert chart[key] == tree, key


def test_what_is_generated_is_as_the_generator_writes_it(rendered: dict[str, list[Document]]) -> None:
    wanted = MADE.files({name: rendered[name] for name in MADE.VALUES})
    by_hand = {f"templates/{name}.yaml" for name in MADE.BY_HAND.values()}
    there = {
        str(path.relative_to(MADE.CHART))
        for part in ("templates", "crds")
        for path in MADE.CHART.glob(f"{part}/*.yaml")
    }
    assert there == set(wanted) | by_hand
    stale = [name for name, text in wanted.items() if (MADE.CHART / name).read_text("utf-8") != text]
    assert stale == [], "run: .venv/bin/python tools/generate_chart.py"


def test_the_healing_component_is_a_switch_of_the_chart(tools: Tools) -> None:
    before, after = (by_key(templated(tools, {"healing": {"enabled": one}})) for one in (False, True))
    (added,) = set(after) - set(before)
    (written,) = yaml.safe_load_all((MADE.MANIFESTS / "components" / "healing" / "rbac.yaml").read_text())
    assert after[added]["rules"] == written["rules"]
    assert after[added]["metadata"]["labels"].items() >= written["metadata"]["labels"].items()


INSTALLERS = {
    "users": ["ivy", "system:serviceaccount:argocd:argocd-application-controller"],
    "groups": ["platform", "on call"],
}


def test_installers_of_the_chart_are_those_of_setscrew_install(tools: Tools) -> None:
    named = by_key(templated(tools, {"installers": INSTALLERS}))
    chosen = Settings(installers=(*INSTALLERS["users"], *(f"group:{one}" for one in INSTALLERS["groups"])))
    for wanted in customized([], chosen):
        found = named[MADE.key(wanted)]
        assert (found.get("data"), found.get("spec")) == (wanted.get("data"), wanted.get("spec"))


def test_without_installers_and_cert_manager_nobody_is_named(tools: Tools) -> None:
    names = {(kind, name) for _, kind, _, name in by_key(templated(tools, {}))}
    assert names & {("ConfigMap", "setscrew-levers"), ("DriftPolicy", "setscrew-levers")} == set()


def images(trees: Sequence[Document]) -> set[str]:
    (deployment,) = (tree for tree in trees if tree["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    return {one["image"] for one in (*pod["initContainers"], *pod["containers"])}


def test_values_reach_the_pods(tools: Tools) -> None:
    at = "registry.example.com/setscrew"
    digest = f"sha256:{'a' * 64}"
    assert images(templated(tools, {"image": {"repository": at, "tag": "0.1.0"}})) == {f"{at}:0.1.0"}
    assert images(templated(tools, {"image": {"repository": at, "tag": "0.1.0", "digest": digest}})) == {
        f"{at}@{digest}"
    }
    values = {
        "replicas": 3,
        "image": {"repository": at, "pullSecrets": [{"name": "pull"}]},
        "nodeSelector": {"node-role.kubernetes.io/control-plane": ""},
        "tolerations": [{"operator": "Exists"}],
        "reconcile": {"extraArgs": ["--scan-interval=60"]},
        "serve": {"extraArgs": ["--no-metric-namespaces"], "resources": {"requests": {"cpu": "1"}}},
    }
    (deployment,) = (tree for tree in templated(tools, values) if tree["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert deployment["spec"]["replicas"] == 3
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    assert pod["nodeSelector"] == values["nodeSelector"]
    assert pod["tolerations"] == values["tolerations"]
    assert pod["initContainers"][0]["args"][-1] == "--scan-interval=60"
    assert pod["containers"][0]["args"][-1] == "--no-metric-namespaces"
    assert pod["containers"][0]["resources"]["requests"]["cpu"] == "1"


@pytest.mark.parametrize(
    "values",
    [
        {"reportonly": True},
        {"replicas": 0},
        {"replicas": "2"},
        {"image": {"repository": ""}},
        {"image": {"repository": "setscrew", "digest": "latest"}},
        {"installers": {"people": ["ivy"]}},
        {"installers": {"users": [""]}},
        {"gpu": True},
    ],
    ids=str,
)
def test_values_that_mean_nothing_are_refused(tools: Tools, values: Mapping[str, Any]) -> None:
    done = helm(tools, values)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr


def test_every_value_has_a_schema_and_is_said_in_words() -> None:
    schema = json.loads((MADE.CHART / "values.schema.json").read_text())
    values = yaml.safe_load((MADE.CHART / "values.yaml").read_text())
    assert set(values) == set(schema["properties"]) - {"global"}
    lines = (MADE.CHART / "values.yaml").read_text().splitlines()
    bare = [line for before, line in pairwise(lines) if line[:1].isalpha() and before == ""]
    # Whose own meaning is that of the API, or whose parts have words.
    assert {line.partition(":")[0] for line in bare} <= {"image", "reconcile", "serve", "nodeSelector", "tolerations"}


def test_helm_finds_nothing_wrong_with_the_chart(tools: Tools) -> None:
    done = ran(tools.helm, "lint", "--strict", MADE.CHART)
    assert done.returncode == 0, done.stdout + done.stderr


class OneNode(Kubelet):
    """Runs the Pod by which the guard is switched off, as its spec says and with its token; a fake as Kubelet is."""

    def __init__(self, plane: ControlPlane, directory: Path) -> None:
        super().__init__(plane)
        self.plane, self.directory, self.said = plane, directory, ""

    def _tend(self, pod: dict[str, Any]) -> None:
        begun = pod["status"].get("podIP") or pod["metadata"].get("deletionTimestamp")
        if pod["metadata"]["name"] == "setscrew-switch-off" and not begun:
            self.said = self._ran(pod)
        super()._tend(pod)

    def _ran(self, pod: dict[str, Any]) -> str:
        bound = {"kind": "Pod", "apiVersion": "v1", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        account = f"/api/v1/namespaces/setscrew-system/serviceaccounts/{pod['spec']['serviceAccountName']}"
        wanted = {"spec": {"expirationSeconds": 3600, "boundObjectRef": bound}}
        token = self._node.request("POST", f"{account}/token", wanted)["status"]["token"]
        kubeconfig = self.directory / "kubeconfig"
        kubeconfig.write_bytes(with_token(self.plane.server, self.plane.ca_file.read_bytes(), "pod", token))
        (container,) = pod["spec"]["containers"]
        command = [sys.executable, "-m", "setscrew", *container["args"]]
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            self.faults.append(done.stderr)
        return done.stderr


def left_by_helm(control_plane: ControlPlane) -> list[str]:
    kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,namespaces"
    ours = ("-l", "app.kubernetes.io/part-of=setscrew")
    return control_plane.kubectl("get", kinds, "-o", "name", *ours).stdout.split()


REGISTRATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
# As the pods make it, of servers that are gone: as long as it stands no policy of ours can be removed.
CALLED_AND_GONE: Document = {
    "metadata": {"name": "setscrew"},
    "webhooks": [
        {
            "name": f"setscrew-v1alpha1{ENTRY_SUFFIX}",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "NoneOnDryRun",
            "failurePolicy": "Fail",
            "clientConfig": {"url": "https://127.0.0.1:1/validate"},
            "rules": [
                {
                    "apiGroups": ["setscrew.dev"],
                    "apiVersions": ["*"],
                    "operations": ["*"],
                    "resources": ["driftpolicies"],
                }
            ],
        }
    ],
}


def test_it_is_removed_while_nobody_answers_for_the_guard_is_switched_off_before(
    control_plane: ControlPlane, tools: Tools, tmp_path: Path
) -> None:
    """By an installer, under the policy of our own objects."""
    where = ("--kubeconfig", str(control_plane.admin_kubeconfig), "--namespace", "default")
    named = '--set-json=installers.groups=["system:masters"]'
    assert ran(tools.helm, "install", "setscrew", MADE.CHART, named, *where).returncode == 0
    node = OneNode(control_plane, tmp_path)
    try:
        assert control_plane.request("POST", REGISTRATIONS, CALLED_AND_GONE).status == 201
        with working(node):
            gone = ran(tools.helm, "uninstall", "setscrew", *where)
            assert gone.returncode == 0, (gone.stderr, node.faults)
            path = "/api/v1/namespaces/setscrew-system"
            eventually(lambda: control_plane.request("GET", path).status == 404, "the namespace is gone")
        assert "nothing is refused any more" in node.said
        assert left_by_helm(control_plane) == []
        live = control_plane.request("GET", f"{REGISTRATIONS}/setscrew").body
        assert live.get("webhooks", []) == []
        again = ran(tools.helm, "install", "setscrew", MADE.CHART, *where)
        assert "The guard was switched off at 20" in again.stdout
    finally:
        control_plane.request("DELETE", f"{REGISTRATIONS}/setscrew")
        ran(tools.helm, "uninstall", "--no-hooks", "setscrew", *where)
        control_plane.request("DELETE", f"/api/v1/nodes/{NODE}")
        path = "/api/v1/namespaces/setscrew-system"
        eventually(lambda: control_plane.request("GET", path).status == 404, "the namespace is gone")
        control_plane.kubectl("delete", "-k", MADE.MANIFESTS / "crds")


def test_with_report_only_or_where_it_is_not_wanted_nothing_runs_before_it_is_removed(tools: Tools) -> None:
    def before(values: Mapping[str, Any]) -> list[str]:
        done = helm(tools, values)
        assert done.returncode == 0, done.stderr
        trees = [tree for tree in yaml.safe_load_all(done.stdout) if tree]
        return [tree["kind"] for tree in trees if "helm.sh/hook" in (tree["metadata"].get("annotations") or {})]

    assert "Pod" in before({})
    assert before({"reportOnly": True}) == before({"uninstall": {"switchOff": False}}) == []


def test_it_is_installed_upgraded_and_removed_on_a_real_api_server(control_plane: ControlPlane, tools: Tools) -> None:
    """Nothing waits for Pods: no node runs them. Definitions stay, as Helm leaves what stands in crds/."""
    where = ("--kubeconfig", str(control_plane.admin_kubeconfig), "--namespace", "default")
    done = ran(tools.helm, "install", "setscrew", MADE.CHART, *where)
    assert done.returncode == 0, done.stderr
    try:
        assert "No installer is named" in done.stdout
        found = control_plane.kubectl("get", "deployment/setscrew", "-n", "setscrew-system", "-o", "json").stdout
        assert json.loads(found)["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
        given = ["--set=events.enabled=true", '--set-json=installers.groups=["system:masters"]']
        again = ran(tools.helm, "upgrade", "setscrew", MADE.CHART, *given, *where)
        assert again.returncode == 0, again.stderr
        assert "No installer is named" not in again.stdout
        control_plane.kubectl("get", "clusterrole/setscrew-events", "driftpolicy/setscrew-levers")
    finally:
        gone = ran(tools.helm, "uninstall", "--no-hooks", "setscrew", *where)
        path = "/api/v1/namespaces/setscrew-system"
        eventually(lambda: control_plane.request("GET", path).status == 404, "the namespace is gone")
        control_plane.kubectl("delete", "-k", MADE.MANIFESTS / "crds")
    assert gone.returncode == 0, gone.stderr
    assert left_by_helm(control_plane) == []
