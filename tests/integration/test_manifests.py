"""Holds that base and overlays render, and that a real API server takes what they render, Pod Security included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.controlplane import ControlPlane
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

MANIFESTS = Path(__file__).parents[2] / "manifests"
BASE = MANIFESTS / "base"
CRDS = MANIFESTS / "crds"
OVERLAYS = sorted(path.parent.name for path in (MANIFESTS / "overlays").glob("*/kustomization.yaml"))
# What the leading replica writes on its own Pod.
LEADING = {"setscrew.dev/role": "leader"}
HOME = "setscrew-system"
# Served only where cert-manager and the Prometheus Operator are.
OTHERS = ("cert-manager.io/", "monitoring.coreos.com/")
Document = dict[str, Any]


@pytest.fixture(scope="module")
def rendered(control_plane: ControlPlane) -> list[Document]:
    """The objects of the base, by the pinned kubectl."""
    return built(control_plane, BASE)


@pytest.fixture(scope="module")
def home(control_plane: ControlPlane, rendered: list[Document]) -> Iterator[ControlPlane]:
    """Both namespaces are there, with their labels, and the accounts that Pods begin with; removed at the end."""
    own = [one for one in rendered if one["kind"] in {"Namespace", "ServiceAccount"}]
    text = yaml.safe_dump_all(sorted(own, key=lambda one: str(one["kind"])))
    control_plane.kubectl("apply", "-f", "-", input=text)
    yield control_plane
    control_plane.kubectl("delete", "-f", "-", input=text)  # waits: the next module may install the same objects


def built(plane: ControlPlane, directory: Path) -> list[Document]:
    return list(yaml.safe_load_all(plane.kubectl("kustomize", directory).stdout))


def of_kind(objects: list[Document], kind: str) -> list[Document]:
    return [item for item in objects if item["kind"] == kind]


def test_the_base_renders_every_object_of_its_files(rendered: list[Document]) -> None:
    files = [path for path in (*BASE.glob("*.yaml"), *CRDS.glob("*.yaml")) if path.name != "kustomization.yaml"]
    written = [item for path in files for item in yaml.safe_load_all(path.read_text())]
    identity = {(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in written}
    assert {
        (item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in rendered
    } == identity


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_api_server_takes_every_object_of_an_overlay(home: ControlPlane, overlay: str) -> None:
    """Server-side dry-run with strict fields, in the namespaces as they are installed."""
    objects = [one for one in built(home, MANIFESTS / "overlays" / overlay) if not one["apiVersion"].startswith(OTHERS)]
    text = yaml.safe_dump_all(objects)
    answer = home.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=text, check=False)
    assert answer.returncode == 0, answer.stderr
    assert len(answer.stdout.splitlines()) == len(objects)
    assert "Warning" not in answer.stderr


def pod_of(objects: list[Document]) -> Document:
    (deployment,) = of_kind(objects, "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "namespace": HOME}, "spec": spec}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_its_pods_fit_the_restricted_pod_security_level(home: ControlPlane, overlay: str) -> None:
    """As the namespace enforces it: the same Pod with a little more is refused."""
    pod = pod_of(built(home, MANIFESTS / "overlays" / overlay))
    answer = home.kubectl("create", "--dry-run=server", "-f", "-", input=yaml.safe_dump(pod), check=False)
    assert answer.returncode == 0, answer.stderr
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    answer = home.kubectl("create", "--dry-run=server", "-f", "-", input=yaml.safe_dump(pod), check=False)
    assert 'violates PodSecurity "restricted:latest"' in answer.stderr


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_its_containers_write_to_volumes_alone_and_say_what_they_need(home: ControlPlane, overlay: str) -> None:
    spec = pod_of(built(home, MANIFESTS / "overlays" / overlay))["spec"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    for container in (*spec["initContainers"], *spec["containers"]):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in spec["volumes"]}
        # Whatever holds a key or configuration is not written to.
        writable = {mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        assert writable == {"state", "tmp"}


def test_services_and_budget_select_the_deployments_pods(rendered: list[Document]) -> None:
    (deployment,) = of_kind(rendered, "Deployment")
    labels = (deployment["spec"]["template"]["metadata"]["labels"] | LEADING).items()
    ports = {port["name"] for port in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]}
    for service in of_kind(rendered, "Service"):
        assert service["spec"]["selector"].items() <= labels
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    (budget,) = of_kind(rendered, "PodDisruptionBudget")
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels


def test_network_policies_open_each_port_of_the_pods_once_and_the_metrics_to_scrapers_alone(
    rendered: list[Document],
) -> None:
    (deployment,) = of_kind(rendered, "Deployment")
    pod = deployment["spec"]["template"]
    policies = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one for one in of_kind(rendered, "NetworkPolicy")
    }
    refusing = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert [policies.pop((space, "setscrew-refuse"))["spec"] for space in (HOME, "setscrew-snapshots")] == [
        refusing
    ] * 2
    ((place, policy),) = policies.items()
    assert place == (HOME, "setscrew")
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    opened = [(port["port"], "from" in rule) for rule in policy["spec"]["ingress"] for port in rule["ports"]]
    assert dict(opened) == {"admission": False, "api": False, "metrics": True}
    assert {name for name, _ in opened} == {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    reached = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    (admission,) = (one["containerPort"] for one in pod["spec"]["containers"][0]["ports"] if one["name"] == "admission")
    assert {53, 443, 22, admission} <= reached
    assert 80 not in reached


def test_the_quota_counts_the_pods_that_are_never_evicted(home: ControlPlane, rendered: list[Document]) -> None:
    """Where such pods may stand outside of kube-system by quota alone, this is that quota: it counts just them."""
    (quota,) = of_kind(rendered, "ResourceQuota")
    home.kubectl("apply", "-f", "-", input=yaml.safe_dump(quota))
    name, namespace = quota["metadata"]["name"], quota["metadata"]["namespace"]
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/{name}"

    def used() -> str:
        return str(home.request("GET", path).body.get("status", {}).get("used", {}).get("pods"))

    eventually(lambda: used() == "0", "the quota is known")
    pod = pod_of(rendered)
    plain = {**pod, "metadata": {**pod["metadata"], "name": "plain"}}
    plain["spec"] = {key: value for key, value in pod["spec"].items() if key != "priorityClassName"}
    home.kubectl("create", "-f", "-", input=yaml.safe_dump_all([pod, plain]))
    eventually(lambda: used() == "1", "the pod of that class is counted, and no other")
    home.kubectl("delete", "pods", "probe", "plain", "-n", namespace, "--grace-period=0", "--force")
    home.kubectl("delete", "resourcequota", name, "-n", namespace)


def test_monitors_find_what_tells_of_itself(home: ControlPlane) -> None:
    objects = built(home, MANIFESTS / "overlays" / "monitoring")
    (deployment,) = of_kind(objects, "Deployment")
    pod = deployment["spec"]["template"]
    (by_pod,) = of_kind(objects, "PodMonitor")
    assert by_pod["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    assert {one["port"] for one in by_pod["spec"]["podMetricsEndpoints"]} <= ports
    (by_service,) = of_kind(objects, "ServiceMonitor")
    wanted = by_service["spec"]["selector"]["matchLabels"].items()
    (service,) = (one for one in of_kind(objects, "Service") if wanted <= one["metadata"]["labels"].items())
    assert service["metadata"]["name"] == "setscrew-api"
    assert {one["port"] for one in by_service["spec"]["endpoints"]} <= {one["name"] for one in service["spec"]["ports"]}
    (secret,) = {one["authorization"]["credentials"]["name"] for one in by_service["spec"]["endpoints"]}
    assert secret in {one["secret"]["secretName"] for one in pod["spec"]["volumes"] if "secret" in one}


def test_the_certificate_of_cert_manager_is_the_one_that_both_containers_are_given(home: ControlPlane) -> None:
    objects = built(home, MANIFESTS / "overlays" / "cert-manager")
    spec = pod_of(objects)["spec"]
    certificates = {one["spec"]["secretName"]: one["spec"] for one in of_kind(objects, "Certificate")}
    (volume,) = (one for one in spec["volumes"] if one.get("secret", {}).get("secretName") in certificates)
    (service,) = (one for one in of_kind(objects, "Service") if one["metadata"]["name"] == "setscrew-admission")
    name = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    assert certificates[volume["secret"]["secretName"]]["dnsNames"] == [name]
    issuers = {one["metadata"]["name"] for one in of_kind(objects, "Issuer")}
    assert {one["issuerRef"]["name"] for one in certificates.values()} == issuers
    for container, options in ((spec["initContainers"][0], 3), (spec["containers"][0], 2)):
        (place,) = (one["mountPath"] for one in container["volumeMounts"] if one["name"] == volume["name"])
        files = [one.partition("=")[2] for one in container["args"] if one.startswith("--tls-")]
        assert files == [f"{place}/{name}" for name in ("tls.crt", "tls.key", "ca.crt")[:options]]


def test_who_only_reports_has_no_right_to_register(home: ControlPlane) -> None:
    objects = built(home, MANIFESTS / "overlays" / "report-only")
    assert "--no-register" in pod_of(objects)["spec"]["initContainers"][0]["args"]
    mine = {"setscrew-reconciler"}
    roles = {
        one["roleRef"]["name"]
        for one in (*of_kind(objects, "ClusterRoleBinding"), *of_kind(objects, "RoleBinding"))
        if mine & {subject["name"] for subject in one["subjects"]}
    }
    rules = [
        rule
        for one in (*of_kind(objects, "ClusterRole"), *of_kind(objects, "Role"))
        if one["metadata"]["name"] in roles
        for rule in one["rules"]
    ]
    assert rules
    assert [one for one in rules if "validatingwebhookconfigurations" in one.get("resources", ())] == []
