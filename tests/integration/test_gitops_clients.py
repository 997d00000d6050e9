"""What GitOps clients send, by their own accounts to the real API server: none refused wrongly, forged ones refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from reconciler.policy.controllers import CONTROLLERS
from setscrew.demo.stage import Stage, dump
from tests.support.writer import Writer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

_ADOPTER: Final = {"kind": "Kustomization", "name": "apps", "namespace": "flux-system"}
_SOURCES: Final = {"shop": {"path": "shop", "render": {"kind": "YAML"}, "adoptedBy": _ADOPTER}}
_MARKS: Final = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
_TENANT: Final = "--as=system:serviceaccount:flux-system:deployer"
_APPLY: Final = ("apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller", "-f", "-")
_POD: Final = {"containers": [{"name": "app", "image": "registry.example/web:1"}]}
_OBJECTS: Final[dict[str, dict[str, Any]]] = {
    "web": {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": _POD},
        },
    },
    "config": {"apiVersion": "v1", "kind": "ConfigMap", "data": {"mode": "prod"}},
    "old": {"apiVersion": "v1", "kind": "ConfigMap", "data": {"mode": "prod"}},
    "reader": {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    },
    "migrate": {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": {"template": {"spec": {**_POD, "restartPolicy": "Never"}}},
    },
}


def manifest(name: str, labels: Mapping[str, str] = {}, **change: Any) -> dict[str, Any]:
    """An object of the source, with labels that Git does not declare and other content."""
    metadata: dict[str, Any] = {"name": name, "namespace": "shop", **({"labels": dict(labels)} if labels else {})}
    return {**_OBJECTS[name], "metadata": metadata, **change}


def fill(work: Path) -> None:
    (work / "shop").mkdir(exist_ok=True)
    (work / "shop" / "all.yaml").write_text(yaml.safe_dump_all([manifest(name) for name in _OBJECTS]))


class Clients:
    """The stage, and a kubeconfig with a real token for each GitOps account."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.flux = self._account("kustomize-controller")
        self.helm = self._account("helm-controller")
        self.argo = stage.gitops
        stage.plane.service_account_kubeconfig("flux-system", "deployer")
        stage.plane.kubectl(
            *("-n", "shop", "create", "rolebinding", "tenant", "--clusterrole=admin"),
            "--serviceaccount=flux-system:deployer",
        )

    def _account(self, name: str) -> Path:
        path = self.stage.plane.service_account_kubeconfig("flux-system", name)
        binding = ("--clusterrole=cluster-admin", f"--serviceaccount=flux-system:{name}")
        self.stage.plane.kubectl("create", "clusterrolebinding", name, *binding)
        return path

    def send(self, who: Path, *args: str, objects: list[Any] | None = None) -> str:
        """What kubectl says of a refusal in namespace shop; "" where it went through."""
        text = None if objects is None else dump(objects)
        done = self.stage.plane.kubectl("-n", "shop", *args, kubeconfig=who, input=text, check=False)
        return "" if done.returncode == 0 else done.stderr

    def live(self, kind: str, name: str) -> Any:
        return json.loads(self.stage.plane.kubectl("-n", "shop", "get", kind, name, "-o", "json").stdout)


@pytest.fixture(scope="module")
def clients(alone: None) -> Iterator[Clients]:
    with Stage(_SOURCES, fill) as stage:
        stage.plane.kubectl("create", "namespace", "shop")
        one = Clients(stage)
        stage.start_setscrew()
        everything = [manifest(name, _MARKS) for name in _OBJECTS]
        # Flux's first apply is guarded like the rest: each object as a dry run, then really.
        assert one.send(one.flux, *_APPLY, "--dry-run=server", objects=everything) == ""
        assert one.send(one.flux, *_APPLY, objects=everything) == ""
        stage.wait("server forms", lambda: not stage.unconfirmed())
        _drift(one)
        stage.wait("the guard", stage.guarded)
        yield one


def _drift(one: Clients) -> None:
    """While nobody guards, somebody scales and another manager adds a variable."""
    one.stage.stop_setscrew()
    variable = [{"name": "app", "env": [{"name": "SNEAKY", "value": "1"}]}]
    added = {"spec": {"template": {"spec": {"containers": variable}}}}
    admin = one.stage.plane.admin_kubeconfig
    assert one.send(admin, "scale", "deployment/web", "--replicas=3") == ""
    assert one.send(admin, "patch", "deployment/web", "--field-manager=sneaky", "-p", json.dumps(added)) == ""
    one.stage.start_setscrew()


def test_a_patch_of_managed_fields_passes_while_the_object_still_differs(clients: Clients) -> None:
    patch = [{"op": "replace", "path": "/metadata/managedFields/0/manager", "value": "kustomize-controller"}]
    assert clients.send(clients.flux, "patch", "deployment/web", "--type=json", "-p", json.dumps(patch)) == ""
    assert clients.live("deployment", "web")["spec"]["replicas"] == 3


def test_a_repair_passes_and_may_leave_what_another_manager_added(clients: Clients) -> None:
    repair = [manifest("web", _MARKS)]
    assert clients.send(clients.flux, *_APPLY, "--dry-run=server", objects=repair) == ""
    assert clients.send(clients.flux, *_APPLY, objects=repair) == ""
    spec = clients.live("deployment", "web")["spec"]
    assert spec["replicas"] == 1
    assert spec["template"]["spec"]["containers"][0]["env"] == [{"name": "SNEAKY", "value": "1"}]


def test_force_deletes_and_creates_at_once(clients: Clients) -> None:
    writer = Writer(clients.flux)
    assert writer.delete("shop", "config").status == 200
    assert writer.apply(manifest("config", _MARKS)).status == 201
    assert clients.live("configmap", "config")["data"] == {"mode": "prod"}


def test_argo_replaces_a_job_by_force_and_reconciles_a_role(clients: Clients) -> None:
    assert clients.send(clients.argo, "replace", "--force", "-f", "-", objects=[manifest("migrate")]) == ""
    assert clients.send(clients.argo, "delete", "role", "reader") == ""
    assert clients.send(clients.argo, "auth", "reconcile", "-f", "-", objects=[manifest("reader")]) == ""
    assert clients.send(clients.argo, "apply", "-f", "-", objects=[manifest("reader")]) == ""
    taken = '[{"op":"remove","path":"/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"}]'
    assert clients.send(clients.flux, "patch", "role/reader", "--type=json", "-p", taken) == ""


def test_a_release_of_helm_is_kept_in_a_guarded_namespace(clients: Clients) -> None:
    metadata = {"name": "sh.helm.release.v1.shop.v1", "namespace": "shop"}
    release = {"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": metadata}
    assert clients.send(clients.helm, "create", "-f", "-", objects=[release]) == ""
    assert clients.send(clients.helm, "label", "secret", metadata["name"], "status=superseded") == ""
    assert clients.send(clients.helm, "delete", "secret", metadata["name"]) == ""


def test_an_impersonated_tenant_writes_what_git_says_and_the_marks_of_its_kustomization(clients: Clients) -> None:
    wanted = [manifest("config", _MARKS)]
    assert clients.send(clients.flux, "delete", "configmap", "config") == ""
    assert clients.send(clients.flux, *_APPLY, _TENANT, "--dry-run=server", objects=wanted) == ""
    assert clients.send(clients.flux, *_APPLY, _TENANT, objects=wanted) == ""
    assert clients.live("configmap", "config")["metadata"]["labels"] == _MARKS


@pytest.mark.parametrize("dry", [(), ("--dry-run=server",)], ids=["really", "dry"])
@pytest.mark.parametrize(
    "change",
    [manifest("config", _MARKS, data={"mode": "test"}), manifest("config", {**_MARKS, next(iter(_MARKS)): "mine"})],
    ids=["content", "marks"],
)
def test_an_impersonated_tenant_writes_nothing_else(clients: Clients, change: Any, dry: tuple[str, ...]) -> None:
    assert "denied the request" in clients.send(clients.flux, *_APPLY, _TENANT, *dry, objects=[change])


def test_a_tenant_prunes_only_what_git_no_longer_declares(clients: Clients) -> None:
    assert "denied the request" in clients.send(clients.flux, "delete", _TENANT, "configmap", "old")
    kept = [manifest(name) for name in _OBJECTS if name != "old"]
    (clients.stage.repository.work / "shop" / "all.yaml").write_text(yaml.safe_dump_all(kept))
    commit = clients.stage.repository.commit("No more of the old one")
    clients.stage.repository.push()
    clients.stage.wait("the new revision", lambda: clients.stage.enforced(commit))
    # The admission server follows the snapshot a moment later; a refusal until then is none that a client minds.
    clients.stage.wait("the prune", lambda: clients.send(clients.flux, "delete", _TENANT, "configmap", "old") == "")


@pytest.mark.parametrize(
    "name",
    ["kube-controller-manager", "apiserver", "serviceaccount:kube-system:namespace-controller", "kube-scheduler"],
)
def test_nobody_deletes_in_the_name_of_the_machinery(clients: Clients, name: str) -> None:
    groups = ("--as-group=system:masters",)
    answer = clients.send(clients.stage.person, "delete", "configmap", "config", f"--as=system:{name}", *groups)
    assert "denied the request" in answer


def test_a_field_manager_is_no_identity(clients: Clients) -> None:
    change = [manifest("config", data={"mode": "test"})]
    assert "denied the request" in clients.send(clients.stage.person, *_APPLY, objects=change)


def test_all_controllers_of_the_controller_manager_are_known(clients: Clients) -> None:
    bindings = json.loads(clients.stage.plane.kubectl("get", "clusterrolebindings", "-o", "json").stdout)["items"]
    prefix = "system:controller:"
    names = {one["metadata"]["name"] for one in bindings if one["metadata"]["name"].startswith(prefix)}
    assert len(names) > 30
    assert {f"kube-system/{name.removeprefix(prefix)}" for name in names} <= CONTROLLERS
