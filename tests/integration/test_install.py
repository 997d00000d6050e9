"""`setscrew install`, `upgrade`, `uninstall` and `rollout` against a real API server: what they make, change and leave.

No kubelet runs here: `tests.support.kubelet` makes Pods ready without running anything, so that Deployments roll out.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from click.testing import CliRunner

from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery
from setscrew.cli import main
from setscrew.controlplane import ControlPlane
from setscrew.installing.inventory import REF, Inventory, as_document
from setscrew.installing.objects import containers
from setscrew.installing.server import Server
from tests.support.kubelet import kubelet
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

IMAGE = "registry.example.com/setscrew:0.1.0"
INSTALL = ("install", "--image", IMAGE, "--timeout", "90")
REGISTRATION = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/setscrew"
SERVICES = ("--service-cluster-ip-range=127.64.0.0/16",)
MERGE = "application/merge-patch+json"
# Kinds that others write all the time, or that end by themselves.
RESTLESS = {"Event", "Lease", "Node", "Endpoints", "EndpointSlice", "CSINode", "NodeMetrics", "PodMetrics"}
GIT_SOURCE = """
apiVersion: setscrew.dev/v1alpha1
kind: GitSource
metadata: {name: shop}
spec: {url: "https://git.example.com/shop.git"}
"""


class Done(NamedTuple):
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def plane(alone: None) -> Iterator[ControlPlane]:
    # All addresses of Services are on loopback, so that what the API server calls is nobody else's.
    with ControlPlane.start(api_server_args=SERVICES) as one, kubelet(one) as node:
        yield one
        assert node.faults == []


@pytest.fixture
def installed(plane: ControlPlane) -> ControlPlane:
    """Setscrew is there, as a first installation leaves it."""
    done = run(plane, *INSTALL)
    assert done.returncode == 0, done.stderr
    return plane


@pytest.fixture
def empty(plane: ControlPlane) -> ControlPlane:
    """Nothing of Setscrew is there."""
    done = run(plane, "uninstall", "--purge", "--yes", "--timeout", "60")
    assert done.returncode == 0, done.stderr
    return plane


def run(plane: ControlPlane, *args: str | Path, kubeconfig: Path | None = None) -> Done:
    """The command in this process, as the administrator or as somebody else; a process each would take minutes."""
    path = os.pathsep.join([str(plane.site.tools.kubectl.parent), os.environ["PATH"]])
    environment = {"KUBECONFIG": str(kubeconfig or plane.admin_kubeconfig), "PATH": path}
    found = CliRunner().invoke(main, [str(one) for one in args], env=environment)
    return Done(found.exit_code, found.stdout, found.stderr)


def everything(plane: ControlPlane, *, versions: bool = False) -> dict[tuple[str, str, str, str], str]:
    """Every object of every kind that can be listed, with its version if that is asked for."""
    server = Server(ApiClient.load(str(plane.admin_kubeconfig)))
    found = {}
    for kind in Discovery(server.client).kinds().values():
        for one in server.names(kind) if kind.kind not in RESTLESS else ():
            metadata = one["metadata"]
            place = (kind.group, kind.kind, str(metadata.get("namespace", "")), str(metadata["name"]))
            # Controllers write the status of what is new; that is no new generation.
            version = metadata.get("generation") or metadata.get("resourceVersion")
            found[place] = f"{metadata.get('uid')} {version}" if versions else ""
    return found


def ours(plane: ControlPlane) -> set[tuple[str, str, str, str]]:
    return {one for one in everything(plane) if "setscrew" in "/".join(one)}


def deployment(plane: ControlPlane) -> dict[str, Any]:
    body = plane.request("GET", "/apis/apps/v1/namespaces/setscrew-system/deployments/setscrew").body
    assert isinstance(body, dict)
    return body


def write(plane: ControlPlane, method: str, path: str, body: Any, content_type: str = MERGE) -> None:
    """As the installer: nobody else may change what is ours."""
    client = ApiClient.load(str(plane.admin_kubeconfig))
    client.request(method, path, body, content_type="application/json" if method == "POST" else content_type)


def guard_that_does_not_answer(plane: ControlPlane) -> None:
    """A registration as a guard leaves it whose pods are gone: levers fail closed."""
    service = {"namespace": "setscrew-system", "name": "setscrew-admission", "port": 443}
    rule = {"operations": ["*"], "scope": "*", "apiVersions": ["*"], "apiGroups": ["setscrew.dev"], "resources": ["*"]}
    entry: dict[str, Any] = {"name": "setscrew-dev.guard.setscrew.dev", "clientConfig": {"service": service}}
    entry |= {"admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail", "timeoutSeconds": 1}
    body: dict[str, Any] = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    body |= {"metadata": {"name": "setscrew"}, "webhooks": [{**entry, "rules": [rule]}]}
    made = plane.request("POST", REGISTRATION.rpartition("/")[0], body)
    assert made.status == 201, made.body
    path, tree = "/apis/setscrew.dev/v1alpha1/gitsources?dryRun=All", yaml.safe_load(GIT_SOURCE)
    eventually(lambda: plane.request("POST", path, tree).status == 500, "the guard to be missed")


def apply(plane: ControlPlane, text: str) -> str:
    """What kubectl says against it."""
    return plane.kubectl("apply", "-f", "-", input=text, check=False).stderr


def pod_passes(plane: ControlPlane) -> None:
    pod = {"metadata": {"generateName": "after-"}, "spec": {"containers": [{"name": "one", "image": "example"}]}}
    path = "/api/v1/namespaces/default/pods"
    plane.request("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    made = plane.request("POST", path, pod)
    assert made.status == 201, made.body
    name = f"{path}/{made.body['metadata']['name']}"
    plane.request("DELETE", f"{name}?gracePeriodSeconds=0")
    eventually(lambda: plane.request("GET", name).status == 404, "the Pod to be gone")


def test_a_dry_run_tells_all_and_changes_nothing(empty: ControlPlane) -> None:
    before = everything(empty, versions=True)
    done = run(empty, *INSTALL, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "deployment.apps/setscrew in setscrew-system would be created" in done.stdout
    printed = run(empty, *INSTALL, "-o", "yaml")
    assert {one["kind"] for one in yaml.safe_load_all(printed.stdout)} >= {"Deployment", "DriftPolicy", "Namespace"}
    assert everything(empty, versions=True) == before


def test_preflight_says_what_it_has_looked_at(empty: ControlPlane) -> None:
    done = run(empty, "doctor", "--preflight", "-o", "json")
    assert done.returncode == 0
    found = json.loads(done.stdout)["findings"]
    assert {one["state"] for one in found} == {"ok", "warning", "unknown"}
    assert {one["code"] for one in found} == {f"SS{number}" for number in range(4210, 4221)}


def test_report_only_is_an_overlay_that_calls_nobody(empty: ControlPlane) -> None:
    done = run(empty, "doctor", "--preflight", "--overlay", "report-only", "-o", "json")
    (reach,) = [one for one in json.loads(done.stdout)["findings"] if one["code"] == "SS4220"]
    assert reach["state"] == "ok"
    wrong = run(empty, *INSTALL, "--overlay", "reports")
    assert wrong.returncode == 2
    assert "no overlay is named 'reports' (one of " in wrong.stderr


def test_a_reader_of_the_cluster_is_told_which_rights_are_missing_and_nothing_is_begun(empty: ControlPlane) -> None:
    empty.kubectl("create", "clusterrole", "reads", "--verb=get,list", "--resource=*.*")
    empty.kubectl("create", "clusterrolebinding", "reads", "--clusterrole=reads", "--user=reader")
    try:
        done = run(empty, *INSTALL, kubeconfig=empty.kubeconfig("reader"))
        assert done.returncode == 3
        assert "reader may not create namespaces" in done.stderr
        assert "[SS4211]" in done.stderr
        assert "[SS4201]" in done.stderr
        assert ours(empty) == set()
    finally:
        empty.kubectl("delete", "clusterrole/reads", "clusterrolebinding/reads")


@pytest.fixture
def foreign(empty: ControlPlane) -> Iterator[ControlPlane]:
    """Somebody else's registration has our name."""
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    hook = {"name": "hook.example.com", "clientConfig": {"url": "https://127.0.0.1:1/"}, "sideEffects": "None"}
    hook |= {"admissionReviewVersions": ["v1"], "failurePolicy": "Ignore", "rules": []}
    body = {**kind, "metadata": {"name": "setscrew"}, "webhooks": [hook]}
    assert empty.request("POST", REGISTRATION.rpartition("/")[0], body).status == 201
    yield empty
    empty.request("DELETE", REGISTRATION)


def test_a_registration_of_others_stands_against_it_and_stays_on_removal(foreign: ControlPlane) -> None:
    done = run(foreign, *INSTALL)
    assert done.returncode == 3
    assert "has entries hook.example.com" in done.stderr
    assert "[SS4213]" in done.stderr
    gone = run(foreign, "uninstall", "--purge", "--yes", "--timeout", "5")
    assert [one["name"] for one in foreign.request("GET", REGISTRATION).body["webhooks"]] == ["hook.example.com"]
    assert "entries of others are in it" in gone.stdout


def test_what_is_installed_is_what_is_printed_and_a_second_time_changes_nothing(empty: ControlPlane) -> None:
    printed = run(empty, *INSTALL, "-o", "yaml").stdout
    first = run(empty, *INSTALL)
    assert first.returncode == 0, first.stderr
    same = empty.kubectl(
        "diff", "--server-side", "--field-manager=setscrew-install", "-f", "-", input=printed, check=False
    )
    assert (same.returncode, same.stdout) == (0, "")
    before = everything(empty, versions=True)
    second = run(empty, *INSTALL)
    assert second.returncode == 0, second.stderr
    assert second.stdout == ""
    assert "0 objects changed" in second.stderr
    assert everything(empty, versions=True) == before
    status = deployment(empty)["status"]
    assert (status["availableReplicas"], status["updatedReplicas"]) == (2, 2)


def test_who_installs_is_an_installer_and_a_later_installer_must_be_named(installed: ControlPlane) -> None:
    policy = installed.request("GET", "/apis/setscrew.dev/v1alpha1/driftpolicies/setscrew-levers").body
    assert policy["spec"]["writers"] == [{"subjects": [{"user": "admin"}], "verify": "None"}]
    other = installed.kubeconfig("lena", ["system:masters"])
    assert run(installed, *INSTALL, kubeconfig=other).returncode == 0
    refused = run(installed, *INSTALL, "--image", IMAGE.replace("0.1.0", "0.1.1"), kubeconfig=other)
    assert refused.returncode == 3
    assert "by lena is refused: this belongs to Setscrew itself" in refused.stderr
    assert "[SS4217]" in refused.stderr
    named = run(
        installed, "install", "--installer", "admin", "--installer", "group:platform", "--grantor", "group:on-call"
    )
    assert named.returncode == 0, named.stderr
    listed = installed.request("GET", "/api/v1/namespaces/setscrew-system/configmaps/setscrew-levers").body["data"]
    assert (listed["users"], listed["groups"]) == ("admin\n", "platform\n")
    policy = installed.request("GET", "/apis/setscrew.dev/v1alpha1/driftpolicies/setscrew-levers").body["spec"]
    assert policy["delegate"][0]["to"] == [{"group": "on-call"}]
    again = run(installed, *INSTALL)
    assert "0 objects changed" in again.stderr


def test_an_upgrade_shows_what_changes_and_rolls_it_out(installed: ControlPlane) -> None:
    newer = IMAGE.replace("0.1.0", "0.1.1")
    shown = run(installed, "upgrade", "--image", newer, "--dry-run")
    assert f"-        image: {IMAGE}" in shown.stdout
    assert f"+        image: {newer}" in shown.stdout
    assert IMAGE in json.dumps(deployment(installed))
    done = run(installed, "upgrade", "--image", newer)
    assert done.returncode == 0, done.stderr
    live = deployment(installed)
    assert {one["image"] for one in containers(live)} == {newer}
    assert (live["status"]["updatedReplicas"], live["status"]["availableReplicas"]) == (2, 2)
    assert "0 objects changed" in run(installed, "upgrade").stderr


def test_what_somebody_has_set_is_named_and_not_taken_unasked(installed: ControlPlane) -> None:
    installed.kubectl("scale", "deploy/setscrew", "-n", "setscrew-system", "--replicas=3")
    done = run(installed, "upgrade")
    assert done.returncode == 3
    assert ".spec.replicas was set by kubectl" in done.stderr
    assert deployment(installed)["spec"]["replicas"] == 3
    assert run(installed, "upgrade", "--force-conflicts").returncode == 0
    assert deployment(installed)["spec"]["replicas"] == 2


def test_one_minor_version_at_a_time(installed: ControlPlane) -> None:
    path = "/apis/apps/v1/namespaces/setscrew-system/deployments/setscrew"
    for version, status in (("0.3.0", 3), ("0.2.0", 0)):
        note = {"metadata": {"annotations": {"setscrew.dev/version": version}}}
        write(installed, "PATCH", path, note)
        done = run(installed, "upgrade", "--image", IMAGE, "--force-conflicts")
        assert done.returncode == status, done.stderr
        assert ("[SS4202]" in done.stderr) == bool(status)
    assert deployment(installed)["metadata"]["annotations"]["setscrew.dev/version"] == version_of("setscrew")


def test_an_upgrade_removes_what_is_shipped_no_more_but_nothing_that_is_not_ours(installed: ControlPlane) -> None:
    for name, label in (("setscrew-old", "setscrew"), ("setscrew-theirs", "other")):
        body = {"metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": label}}, "data": {}}
        write(installed, "POST", "/api/v1/namespaces/setscrew-system/configmaps", body)
    path = "/api/v1/namespaces/setscrew-system/configmaps/setscrew-installation"
    listed = installed.request("GET", path).body["data"]["objects"]
    more = "".join(f"/ConfigMap/setscrew-system/{name}\n" for name in ("setscrew-old", "setscrew-theirs"))
    write(installed, "PATCH", path, {"data": {"objects": listed + more}})
    done = run(installed, "upgrade", "--force-conflicts")
    assert done.returncode == 0, done.stderr
    assert "configmap/setscrew-old in setscrew-system deleted" in done.stdout
    names = {name for _, kind, _, name in ours(installed) if kind == "ConfigMap"}
    assert "setscrew-old" not in names
    assert "setscrew-theirs" in names
    write(installed, "DELETE", "/api/v1/namespaces/setscrew-system/configmaps/setscrew-theirs", None)


def test_rights_of_older_replicas_are_taken_away_only_when_all_are_new(installed: ControlPlane) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/setscrew-reconciler"
    role = installed.request("GET", path).body
    before = {"apiGroups": ["example.com"], "resources": ["olds"], "verbs": ["get"]}
    wider = {key: role[key] for key in ("apiVersion", "kind")} | {"rules": [*role["rules"], before]}
    wider |= {"metadata": {"name": "setscrew-reconciler", "labels": role["metadata"]["labels"]}}
    options = ("--server-side", "--field-manager=setscrew-install", "--validate=false")
    installed.kubectl("apply", *options, "-f", "-", input=yaml.safe_dump(wider))
    assert run(installed, "upgrade", "--no-wait").returncode == 0
    assert before in installed.request("GET", path).body["rules"]
    assert run(installed, "upgrade").returncode == 0
    assert installed.request("GET", path).body["rules"] == role["rules"]


def test_doctor_sees_from_outside_that_nobody_leads_and_nothing_is_registered(installed: ControlPlane) -> None:
    before = everything(installed, versions=True)
    done = run(installed, "doctor", "--in-cluster", "-o", "json")
    found = json.loads(done.stdout)["findings"]
    told = {one["check"]: one["state"] for one in found if one["state"] == "problem"}
    # No process runs behind these Pods.
    assert done.returncode == 1
    assert set(told) >= {"leader", "registration", "calls"}
    assert {one["state"] for one in found if one["check"] in ("deployment", "rollout", "clock")} == {"ok"}
    assert everything(installed, versions=True) == before


def test_nobody_is_asked_and_nothing_removed_without_a_word(installed: ControlPlane) -> None:
    before = ours(installed)
    done = run(installed, "uninstall", "--purge")
    assert done.returncode == 2
    assert "[SS1006]" in done.stderr
    assert ours(installed) == before


def test_the_rollout_goes_from_audit_to_warn_to_deny_and_an_upgrade_leaves_it_there(installed: ControlPlane) -> None:
    assert run(installed, "rollout", "status").stdout.startswith("Audit: ")
    asked = run(installed, "rollout", "advance")
    assert asked.returncode == 2
    assert "which record is to be asked" in asked.stderr
    for stage in ("Warn", "Deny"):
        assert f"→ {stage}" in run(installed, "rollout", "advance", "--yes").stderr
        assert run(installed, "rollout", "status").stdout.startswith(f"{stage}: ")
        assert "0 objects changed" in run(installed, "upgrade").stderr
    assert [name for _, kind, _, name in ours(installed) if kind == "DriftPolicy"] == ["setscrew-levers"]
    assert "Deny → Warn" in run(installed, "rollout", "back").stderr


PLANTED = "planted-secret-8f3a1c"


def test_a_bundle_for_support_holds_no_secret(installed: ControlPlane, tmp_path: Path) -> None:
    values = {"render": {"kind": "Helm", "values": {"password": PLANTED}}, "url": "https://git.example.com/shop.git"}
    source = {**yaml.safe_load(GIT_SOURCE), "spec": values}
    assert apply(installed, yaml.safe_dump(source)) == ""
    for kind, rest in (("secret", ["generic"]), ("configmap", [])):
        args = ("create", kind, *rest, f"planted-{kind}", "-n", "setscrew-system", f"--from-literal=key={PLANTED}")
        installed.kubectl(*args)
    env = {"spec": {"template": {"spec": {"containers": [{"name": "planted", "image": "x", "env": [{}]}]}}}}
    env["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "TOKEN", "value": PLANTED}]
    deploy = "/apis/apps/v1/namespaces/setscrew-system/deployments/setscrew"
    write(installed, "PATCH", deploy, env, "application/strategic-merge-patch+json")
    event = {
        "message": f"cannot read https://dana:{PLANTED}@git.example.com/",
        "reason": "FetchFailed",
        "type": "Warning",
    }
    about = {"kind": "Pod", "namespace": "setscrew-system", "name": "one"}
    event |= {"metadata": {"name": "one", "namespace": "setscrew-system"}, "involvedObject": about}
    assert installed.request("POST", "/api/v1/namespaces/setscrew-system/events", event).status == 201
    done = run(installed, "support-bundle", "--output", tmp_path / "bundle.tar.gz")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "bundle.tar.gz").stat().st_mode & 0o777 == 0o600
    with tarfile.open(tmp_path / "bundle.tar.gz") as archive:
        texts = {one.name.partition("/")[2]: archive.extractfile(one).read().decode() for one in archive}  # type: ignore[union-attr]
    assert [name for name, text in texts.items() if PLANTED in text] == []
    assert not [name for name, text in texts.items() if "PRIVATE KEY" in text]
    assert "planted-secret" in texts["setscrew-system/secrets.yaml"]
    assert "git.example.com" in texts["setscrew-system/events.yaml"]
    assert "shop" in texts["objects/gitsources.setscrew.dev.yaml"]
    wanted = {"versions.yaml", "doctor.json", "objects/deployments.apps.yaml", "metrics/api-server.txt"}
    assert wanted <= set(texts)
    assert [name for name in texts if name.startswith("logs/")]


def test_line_12_uninstall_leaves_nothing_and_pods_can_be_made(empty: ControlPlane) -> None:
    before = everything(empty)
    assert run(empty, *INSTALL, "--source", "https://git.example.com/shop.git//prod?ref=main").returncode == 0
    source = empty.request("GET", "/apis/setscrew.dev/v1alpha1/gitsources/shop").body["spec"]
    assert (source["path"], source["ref"]) == ("prod", {"branch": "main"})
    done = run(empty, "uninstall", "--purge", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("nothing of Setscrew is left\n")
    assert everything(empty) == before
    pod_passes(empty)
    again = run(empty, "uninstall", "--purge", "--yes")
    assert (again.returncode, again.stdout) == (0, "")


def test_without_purge_what_people_wrote_stays_and_a_new_installation_goes_on(empty: ControlPlane) -> None:
    assert run(empty, *INSTALL).returncode == 0
    assert apply(empty, GIT_SOURCE) == ""
    empty.kubectl("create", "secret", "generic", "shop-git", "-n", "setscrew-system", "--from-literal=password=x")
    done = run(empty, "uninstall", "--yes")
    assert done.returncode == 0, done.stderr
    assert "kept, for people wrote it: gitsource.setscrew.dev/shop" in done.stderr
    assert {(kind, name) for _, kind, _, name in ours(empty) if kind not in {"ServiceAccount", "ConfigMap"}} == {
        *(
            ("CustomResourceDefinition", f"{name}.setscrew.dev")
            for name in ("driftgrants", "driftpolicies", "gitsources")
        ),
        ("APIService", "v1alpha1.setscrew.dev"),
        ("GitSource", "shop"),
        ("Namespace", "setscrew-system"),
        ("Secret", "shop-git"),
    }
    again = run(empty, *INSTALL)
    assert again.returncode == 0, again.stderr
    assert empty.request("GET", "/apis/setscrew.dev/v1alpha1/gitsources/shop").status == 200


def test_uninstall_and_install_need_no_guard_that_answers(installed: ControlPlane) -> None:
    guard_that_does_not_answer(installed)
    same = run(installed, "upgrade")
    assert same.returncode == 0, same.stderr
    assert "0 objects changed" in same.stderr
    newer = run(installed, "upgrade", "--image", IMAGE.replace("0.1.0", "0.1.1"), "--grantor", "lena", "--timeout", "3")
    assert newer.returncode == 3
    assert "the guard does not answer" in newer.stderr
    assert "setscrew:0.1.1" in json.dumps(deployment(installed))
    again = run(installed, "upgrade", "--dry-run")
    assert "setscrew:0.1" not in again.stdout, "what was broken off is gone on with"
    shown = run(installed, "uninstall", "--purge", "--dry-run")
    assert "the pods: deployment.apps/setscrew in setscrew-system would be deleted" in shown.stdout
    done = run(installed, "uninstall", "--purge", "--yes")
    assert done.returncode == 0, done.stderr
    assert ours(installed) == set()
    pod_passes(installed)


def test_a_finalizer_of_others_is_named_and_all_else_is_gone(installed: ControlPlane) -> None:
    text = GIT_SOURCE.replace("{name: shop}", "{name: shop, finalizers: [example.com/hold]}")
    assert apply(installed, text) == ""
    done = run(installed, "uninstall", "--purge", "--yes", "--timeout", "3")
    assert done.returncode == 3
    assert "gitsource.setscrew.dev/shop: finalizer example.com/hold holds it" in done.stderr
    assert "[SS4205]" in done.stderr
    assert "Deployment" not in {kind for _, kind, _, _ in ours(installed)}
    patch = {"metadata": {"finalizers": None}}
    installed.request("PATCH", "/apis/setscrew.dev/v1alpha1/gitsources/shop", patch, content_type=MERGE)
    assert run(installed, "uninstall", "--purge", "--yes").returncode == 0
    assert ours(installed) == set()


@pytest.fixture
def broken_api(installed: ControlPlane) -> Iterator[ControlPlane]:
    """The server of an aggregated API is gone, which keeps every namespace of a cluster from ending."""
    spec = {"group": "broken.example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100}
    spec |= {"service": {"namespace": "default", "name": "gone"}, "insecureSkipTLSVerify": True}
    kind = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService"}
    path = "/apis/apiregistration.k8s.io/v1/apiservices"
    made = installed.request("POST", path, {**kind, "metadata": {"name": "v1.broken.example.com"}, "spec": spec})
    assert made.status == 201, made.body
    yield installed
    installed.request("DELETE", f"{path}/v1.broken.example.com")


def test_an_aggregated_api_that_is_down_is_told_before_and_named_as_what_holds_a_namespace(
    broken_api: ControlPlane,
) -> None:
    found = eventually(
        lambda: "broken.example.com" in (told := run(broken_api, "doctor", "--preflight").stdout) and told,
        "the warning",
    )
    assert "SS4216" in found
    stuck = run(broken_api, "uninstall", "--purge", "--yes", "--timeout", "8")
    assert stuck.returncode == 3
    assert "namespace/setscrew-system: " in stuck.stderr
    assert "broken.example.com/v1" in stuck.stderr
    assert {kind for _, kind, _, _ in ours(broken_api)} <= {"Namespace", "APIService"}
    broken_api.request("DELETE", "/apis/apiregistration.k8s.io/v1/apiservices/v1.broken.example.com")
    assert run(broken_api, "uninstall", "--purge", "--yes").returncode == 0


def test_half_an_installation_is_removed_as_well(empty: ControlPlane) -> None:
    documents = list(yaml.safe_load_all(run(empty, *INSTALL, "-o", "yaml").stdout))
    some = [one for one in documents if one["kind"] in {"Namespace", "CustomResourceDefinition", "ClusterRole"}]
    empty.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(some))
    begun = as_document(Inventory("", "report-only", IMAGE, frozenset({REF})))
    empty.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump(begun))
    goes_on = run(empty, "install", "-o", "yaml").stdout
    assert "name: rollout-default" in goes_on, "it refuses nothing yet, though it is no first attempt"
    assert "--no-register" in goes_on
    assert f"image: {IMAGE}" in goes_on
    kept = run(empty, "uninstall", "--yes")
    assert kept.returncode == 0, kept.stderr
    assert "nothing of Setscrew is left but its definitions" in kept.stderr
    done = run(empty, "uninstall", "--purge", "--yes")
    assert done.returncode == 0, done.stderr
    assert ours(empty) == set()


def test_a_namespace_that_is_being_deleted_stands_against_it_and_is_waited_for(empty: ControlPlane) -> None:
    held: Mapping[str, Any] = {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    empty.kubectl("create", "namespace", "setscrew-system")
    empty.request("POST", "/api/v1/namespaces/setscrew-system/configmaps", held)
    empty.kubectl("delete", "namespace", "setscrew-system", "--wait=false")
    refused = run(empty, *INSTALL)
    assert refused.returncode == 3
    assert "namespace setscrew-system is being deleted" in refused.stderr
    assert "[SS4215]" in refused.stderr
    stuck = run(empty, "uninstall", "--purge", "--yes", "--timeout", "3")
    assert stuck.returncode == 3
    assert "example.com/hold" in stuck.stderr
    path = "/api/v1/namespaces/setscrew-system/configmaps/held"
    empty.request("PATCH", path, {"metadata": {"finalizers": None}}, content_type=MERGE)
    assert run(empty, "uninstall", "--purge", "--yes").returncode == 0
    assert ours(empty) == set()
