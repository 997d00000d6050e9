"""Who may change what Setscrew itself consists of, by the policy of manifests/components/levers on a real API server.

The cases are in tests/cases/levers-policy.yaml. Nothing of Setscrew runs here: the policy needs no server of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cluster.api import ApiClient
from reconciler.errors import ApiError
from reconciler.model.own import DRY_RUNNERS, INSTALLERS, NAMESPACE, OWN_GUARD, RECONCILER_ACCOUNT, SERVICE_ACCOUNT
from setscrew.controlplane import ControlPlane, Tools
from setscrew.installing.kustomize import rendered
from tests.support.kubelet import Kubelet, kubelet
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases" / "levers-policy.yaml").read_text())
MERGE = "application/merge-patch+json"
CORE = f"/api/v1/namespaces/{NAMESPACE}"
LISTED = f"{CORE}/configmaps/{OWN_GUARD}"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/setscrew"
ACCOUNTS = {
    "applier": ("gitops", "applier"),
    "stranger": ("kube-system", "stranger"),
    "gitops": ("argocd", "argocd-application-controller"),
    "certs": ("cert-manager", "cert-manager"),
    "reconciler": (NAMESPACE, RECONCILER_ACCOUNT),
}
GROUPS = {"ina": (), "olga": ("ops",), "ivy": (INSTALLERS,), "dana": ()}


@dataclass
class Site:
    """A control plane with all of an installation but its processes; `people` by the names of the cases."""

    plane: ControlPlane
    node: Kubelet
    admin: ApiClient
    people: dict[str, ApiClient]
    pods: list[str]

    def words(self, client: ApiClient, case: Mapping[str, Any], *, dry_run: bool = True) -> str:
        """What the API server has against it; "" where it takes it."""
        method, path = case["send"].split()
        for name, pod in zip(("POD", "OTHER"), self.pods, strict=True):
            path = path.replace(name, pod)
        query = {"dryRun": "All"} if dry_run else {}
        content_type = MERGE if method == "PATCH" else "application/json"
        try:
            client.send(method, path, case.get("body"), query, content_type=content_type)
        except ApiError as error:
            return error.message
        return ""


@pytest.fixture(scope="module")
def site(alone: None, tools: Tools) -> Iterator[Site]:
    with ControlPlane.start(tools) as plane, kubelet(plane) as node:
        admin = ApiClient.load(str(plane.admin_kubeconfig))
        documents = sorted(rendered("prevent"), key=lambda tree: bool(tree["kind"] != "Namespace"))
        plane.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(documents))
        eventually(lambda: rolled_out(admin), "the Deployment")
        pods = sorted(one["metadata"]["name"] for one in admin.request("GET", f"{CORE}/pods")["items"])
        one = Site(plane, node, admin, people(plane, admin, pods[0]), pods)
        fill(admin)
        lock(one)
        yield one
        assert node.faults == []


def rolled_out(admin: ApiClient) -> bool:
    tree = admin.request("GET", DEPLOYMENT)
    status, count = tree.get("status") or {}, tree["spec"]["replicas"]
    seen = status.get("observedGeneration") == tree["metadata"]["generation"]
    return bool(
        seen and [status.get(key) for key in ("replicas", "updatedReplicas", "availableReplicas")] == [count] * 3
    )


def people(plane: ControlPlane, admin: ApiClient, pod: str) -> dict[str, ApiClient]:
    """Everybody of the cases, each a cluster-admin, so that no refusal is one of RBAC."""
    found = {name: ApiClient.load(str(plane.kubeconfig(name, groups))) for name, groups in GROUPS.items()}
    for name, account in ACCOUNTS.items():
        found[name] = ApiClient.load(str(plane.service_account_kubeconfig(*account)))
    uid = admin.request("GET", f"{CORE}/pods/{pod}")["metadata"]["uid"]
    bound = {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}
    path = f"{CORE}/serviceaccounts/{RECONCILER_ACCOUNT}/token"
    token = admin.request("POST", path, {"spec": {"boundObjectRef": bound}})["status"]["token"]
    found["pod"] = admin.under(lambda: str(token))
    users = [*GROUPS, *(f"{SERVICE_ACCOUNT}{':'.join(one)}" for one in ACCOUNTS.values())]
    users += [case["as"] for case in CASES["taken"]]
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name} for name in users]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    body = {"metadata": {"name": "everybody"}, "roleRef": role, "subjects": subjects}
    admin.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", body)
    assert found.keys() == CASES["people"].keys()
    return found


def fill(admin: ApiClient) -> None:
    """What the Pods, cert-manager and people would have put there."""
    for name in ("setscrew-values", "setscrew-signing", "setscrew-tls", "setscrew-admission", "shop-git"):
        admin.request("POST", f"{CORE}/secrets", {"metadata": {"name": name}})
    admin.request("POST", f"{CORE}/configmaps", {"metadata": {"name": "setscrew-signing"}})
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
    admin.request("POST", leases, {"metadata": {"name": "setscrew"}, "spec": {"holderIdentity": "one"}})


def lock(site: Site) -> None:
    """Name the installers, and wait until the policy knows them."""
    site.admin.request("POST", f"{CORE}/configmaps", {"metadata": {"name": OWN_GUARD}, "data": CASES["listed"]})
    eventually(lambda: OWN_GUARD in site.words(site.people["dana"], CASES["writes"][0]), "the policy")


@pytest.mark.parametrize("write", CASES["writes"], ids=lambda one: one["name"])
def test_what_is_ours_is_changed_by_those_who_may(site: Site, write: Mapping[str, Any]) -> None:
    words = {name: site.words(client, write) for name, client in site.people.items()}
    passed = {name for name, said in words.items() if not said}
    assert passed == set(write["may"]), words
    assert all(f"ValidatingAdmissionPolicy '{OWN_GUARD}'" in said for said in words.values() if said), words


@pytest.mark.parametrize("case", CASES["taken"], ids=lambda one: one["as"])
def test_who_only_takes_a_name_on_is_nobody(site: Site, case: Mapping[str, Any]) -> None:
    client = ApiClient.load(str(site.plane.admin_kubeconfig), impersonate=case["as"])
    assert f"ValidatingAdmissionPolicy '{OWN_GUARD}'" in site.words(client, case)


def test_a_refusal_says_who_may_and_how_out(site: Site) -> None:
    said = site.words(site.people["dana"], CASES["writes"][0])
    assert "CREATE configmaps extra in setscrew-system by dana is refused" in said
    assert "kubectl patch validatingadmissionpolicybinding setscrew-levers" in said


def test_the_canonicalizer_tries_what_would_become_of_ours_and_changes_nothing(site: Site) -> None:
    path = f"{CORE}/serviceaccounts/{DRY_RUNNERS[0]}/token"
    token = site.people["ina"].request("POST", path, {"spec": {}})["status"]["token"]
    client = site.admin.under(lambda: str(token))
    assert site.words(client, CASES["writes"][0]) == ""
    refused = site.words(client, CASES["writes"][0], dry_run=False)
    # Two policies hold it, and either may answer first.
    assert f"'{OWN_GUARD}'" in refused or f"'{DRY_RUNNERS[0]}'" in refused


def test_controllers_roll_out_what_an_installer_changes(site: Site) -> None:
    again = {"spec": {"replicas": 3, "template": {"metadata": {"annotations": {"example.com/again": "1"}}}}}
    site.people["ina"].request("PATCH", DEPLOYMENT, again, content_type=MERGE)
    eventually(lambda: rolled_out(site.admin), "the Deployment under the policy")
    names = {one["metadata"]["name"] for one in site.admin.request("GET", f"{CORE}/pods")["items"]}
    assert not names & set(site.pods)
    assert site.node.faults == []


def test_while_nobody_is_named_nothing_is_refused(site: Site) -> None:
    nobody = {"data": {"users": None, "groups": None}}
    site.people["ina"].request("PATCH", LISTED, nobody, content_type=MERGE)
    eventually(lambda: not site.words(site.people["dana"], CASES["writes"][0]), "that it refuses nothing")
    site.people["dana"].request("PATCH", LISTED, {"data": CASES["listed"]}, content_type=MERGE)
    eventually(lambda: OWN_GUARD in site.words(site.people["dana"], CASES["writes"][0]), "the policy again")


def test_an_installer_takes_it_all_away_and_nothing_holds_it(site: Site) -> None:
    spaces = [f"/api/v1/namespaces/{name}" for name in (NAMESPACE, "setscrew-snapshots")]
    for path in spaces:
        site.people["olga"].request("DELETE", path)
    eventually(lambda: {site.plane.request("GET", path).status for path in spaces} == {404}, "both namespaces to end")
