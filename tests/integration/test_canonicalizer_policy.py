"""Holds that the canonicalizer can dry-run what Git declares and do nothing else, on a real API server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from setscrew.controlplane import ControlPlane
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

BASE = Path(__file__).parents[2] / "manifests" / "base"
FILES = ("namespace.yaml", "service-accounts.yaml", "rbac.yaml", "canonicalizer-policy.yaml")
HOME = "setscrew-system"
NAME = "setscrew-canonicalizer"
WORK = "canonicalizer-work"
DRY = "--dry-run=server"
TOKEN_PATH = f"/api/v1/namespaces/{HOME}/serviceaccounts/{NAME}/token"
TOKEN_REQUEST = json.dumps(
    {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
)


@dataclass(frozen=True)
class Canonicalizer:
    """kubectl under the canonicalizer's own token."""

    plane: ControlPlane
    kubeconfig: Path

    def __call__(self, *args: str, stdin: str | None = None) -> CompletedProcess[str]:
        """Run kubectl; a refusal is an answer."""
        return self.plane.kubectl(*args, kubeconfig=self.kubeconfig, input=stdin, check=False)

    def may(self, verb: str, group: str, resource: str) -> bool:
        """Whether RBAC gives it that right; asked of the API server, since kubectl drops a group that is not served."""
        name, _, subresource = resource.partition("/")
        attributes = {"verb": verb, "group": group, "resource": name, "subresource": subresource, "namespace": WORK}
        review = {"spec": {"user": f"system:serviceaccount:{HOME}:{NAME}", "resourceAttributes": attributes}}
        answer = self.plane.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer.body["status"]["allowed"])

    def held(self) -> bool:
        """Whether the policy answers already: the API server learns of it a moment after it is written."""
        answer = self("create", "configmap", "probe", "-n", WORK)
        if answer.returncode == 0:
            self.plane.kubectl("delete", "configmap", "probe", "-n", WORK)
        return "may only dry-run" in answer.stderr


@pytest.fixture(scope="module")
def canonicalizer(control_plane: ControlPlane) -> Iterator[Canonicalizer]:
    """The identity as installed, with live objects to try it on; all of it is removed at the end."""
    files = [f"--filename={BASE / name}" for name in FILES]
    control_plane.kubectl("apply", *files)
    control_plane.kubectl("create", "namespace", WORK)
    control_plane.kubectl("create", "deployment", "live", "--image=example/app:1", "-n", WORK)
    control_plane.kubectl("create", "configmap", "live", "--from-literal=a=b", "-n", WORK)
    identity = Canonicalizer(control_plane, control_plane.service_account_kubeconfig(HOME, NAME))
    eventually(identity.held, "the canonicalizer's policy is in force")
    yield identity
    control_plane.kubectl("delete", "namespace", WORK, "--wait=false")
    control_plane.kubectl("delete", *files)  # waits: the next module may install the same objects


@pytest.fixture
def as_cluster_admin(control_plane: ControlPlane, canonicalizer: Canonicalizer) -> Iterator[Canonicalizer]:
    """The same identity after somebody's mistake: bound to cluster-admin too."""
    control_plane.kubectl(
        "create", "clusterrolebinding", "mistake", "--clusterrole=cluster-admin", f"--serviceaccount={HOME}:{NAME}"
    )
    eventually(lambda: canonicalizer.may("delete", "", "nodes"), "cluster-admin rights are in force")
    yield canonicalizer
    control_plane.kubectl("delete", "clusterrolebinding", "mistake")
    eventually(lambda: not canonicalizer.may("delete", "", "nodes"), "cluster-admin rights are gone")


DRY_RUNS = {
    "a config map": ("create", "configmap", "new", "--from-literal=a=b", "-n", WORK),
    "a deployment": ("create", "deployment", "new", "--image=example/app:1", "-n", WORK),
    "a namespace": ("create", "namespace", "new"),
    "a role with rights it lacks": ("create", "clusterrole", "new", "--verb=delete", "--resource=nodes"),
    "a binding to cluster-admin": ("create", "clusterrolebinding", "new", "--clusterrole=cluster-admin", "--user=x"),
}


@pytest.mark.parametrize("command", DRY_RUNS.values(), ids=DRY_RUNS.keys())
def test_a_dry_run_create_is_answered_with_the_defaulted_object(
    canonicalizer: Canonicalizer, command: tuple[str, ...]
) -> None:
    answer = canonicalizer(*command, DRY, "-o", "json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["metadata"]["uid"]


def test_a_dry_run_update_is_answered_and_changes_nothing(
    control_plane: ControlPlane, canonicalizer: Canonicalizer
) -> None:
    live = json.loads(control_plane.kubectl("get", "configmap", "live", "-n", WORK, "-o", "json").stdout)
    path = f"/api/v1/namespaces/{WORK}/configmaps/live?dryRun=All"
    answer = canonicalizer("replace", "--raw", path, "-f", "-", stdin=json.dumps({**live, "data": {"a": "c"}}))
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["data"] == {"a": "c"}
    after = control_plane.kubectl("get", "configmap", "live", "-n", WORK, "-o", "jsonpath={.data.a}")
    assert after.stdout == "b"


@pytest.mark.parametrize("command", DRY_RUNS.values(), ids=DRY_RUNS.keys())
def test_the_same_create_for_real_is_refused_by_the_policy(
    canonicalizer: Canonicalizer, command: tuple[str, ...]
) -> None:
    answer = canonicalizer(*command)
    assert answer.returncode == 1
    assert "setscrew-canonicalizer may only dry-run: CREATE" in answer.stderr


REFUSED_AS_ADMIN = {
    "create": (("create", "configmap", "new", "-n", WORK), "may only dry-run: CREATE configmaps"),
    "update": (("set", "image", "deployment/live", "app=x", "-n", WORK), "may only dry-run: UPDATE deployments"),
    "delete": (("delete", "deployment", "live", "-n", WORK), "may only dry-run: DELETE deployments"),
    "delete by collection": (
        ("delete", "--raw", f"/api/v1/namespaces/{WORK}/configmaps"),
        "may only dry-run: DELETE configmaps",
    ),
    "dry-run delete": (("delete", "deployment", "live", "-n", WORK, DRY), "DELETE deployments is refused"),
    "scale": (("scale", "deployment", "live", "--replicas=3", "-n", WORK), "may only dry-run: UPDATE deployments"),
    "evict": (
        ("create", "--raw", f"/api/v1/namespaces/{WORK}/pods/live/eviction?dryRun=All", "-f", "-"),
        "CREATE pods/eviction is refused",
    ),
    "token": (("create", "token", NAME, "-n", HOME), "may only dry-run: CREATE serviceaccounts"),
    # The API server issues a real token even under dryRun=All, so dry-runs of subresources are refused as well.
    "dry-run token": (
        ("create", "--raw", f"{TOKEN_PATH}?dryRun=All", "-f", "-"),
        "CREATE serviceaccounts/token is refused",
    ),
    "registration": (
        ("create", "-f", "-"),
        "may only dry-run: CREATE validatingwebhookconfigurations",
    ),
}
EVICTION = json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "live"}})
REGISTRATION = json.dumps(
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "new"},
    }
)
ROCKETS = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "rockets", "labels": {"setscrew.dev/aggregate-to-canonicalizer": "true"}},
    "rules": [{"apiGroups": ["example.com"], "resources": ["*"], "verbs": ["create", "update"]}],
}
BODIES = {"dry-run token": TOKEN_REQUEST, "evict": EVICTION, "registration": REGISTRATION}


@pytest.mark.parametrize("act", REFUSED_AS_ADMIN)
def test_even_with_cluster_admin_rights_it_is_refused(as_cluster_admin: Canonicalizer, act: str) -> None:
    command, words = REFUSED_AS_ADMIN[act]
    answer = as_cluster_admin(*command, stdin=BODIES.get(act))
    assert answer.returncode == 1, answer.stdout
    assert words in answer.stderr


def test_with_cluster_admin_rights_it_still_dry_runs(as_cluster_admin: Canonicalizer) -> None:
    answer = as_cluster_admin("set", "image", "deployment/live", "app=example/app:2", "-n", WORK, DRY, "-o", "name")
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("verb", ["create", "update", "patch", "delete"])
@pytest.mark.parametrize(
    "kind",
    [
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
    ],
)
def test_it_has_no_right_to_the_kinds_that_no_policy_can_hold(
    canonicalizer: Canonicalizer, verb: str, kind: str
) -> None:
    assert canonicalizer.may("create", "apps", "deployments")
    assert not canonicalizer.may(verb, "admissionregistration.k8s.io", kind)


@pytest.mark.parametrize("resource", ["secrets", "nodes/proxy", "pods/exec"])
def test_it_can_neither_read_nor_delete(canonicalizer: Canonicalizer, resource: str) -> None:
    assert not any(canonicalizer.may(verb, "", resource) for verb in ("get", "list", "delete"))


def test_a_labelled_cluster_role_gives_it_a_group_of_custom_resources(
    control_plane: ControlPlane, canonicalizer: Canonicalizer
) -> None:
    assert not canonicalizer.may("create", "example.com", "rockets")
    control_plane.kubectl("create", "-f", "-", input=json.dumps(ROCKETS))
    try:
        assert eventually(lambda: canonicalizer.may("create", "example.com", "rockets"), "the new group is aggregated")
    finally:
        control_plane.kubectl("delete", "clusterrole", "rockets")


def test_other_identities_are_not_touched(control_plane: ControlPlane, canonicalizer: Canonicalizer) -> None:
    assert canonicalizer.held()
    control_plane.kubectl("create", "configmap", "others", "-n", WORK)
    control_plane.kubectl("delete", "configmap", "others", "-n", WORK)
