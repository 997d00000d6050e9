"""Each account of the manifests has exactly the rights that docs/reference/rights.md tells of, on a real API server.

That these are enough is what tests/integration/test_two_replicas.py shows, whose processes have nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from setscrew.controlplane import ControlPlane
from tests.support.tools import tool
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

MANIFESTS = Path(__file__).parents[2] / "manifests"
RIGHTS = tool("generate_rights")
FILES = ("base/namespace.yaml", "base/service-accounts.yaml", *RIGHTS.FILES)
HOME = "setscrew-system"
NAMESPACES = (HOME, "setscrew-snapshots", "default")
# Nothing is bound to this one: what it may, everybody may.
NOBODY = "setscrew-admission"
ACCOUNTS = ("setscrew-reconciler", "setscrew-canonicalizer", "setscrew-canary", "setscrew-healer")
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
# One right in every way: a verb, and a group with a resource and maybe a name, or a path.
Right = tuple[str, str, str, str]


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """All files that give a right are applied, and removed at the end."""
    files = [f"--filename={MANIFESTS / name}" for name in FILES]
    control_plane.kubectl("apply", *files)
    yield control_plane
    control_plane.kubectl("delete", *files)  # waits: the next module may install the same objects


def rights_of(plane: ControlPlane, account: str, namespace: str) -> set[Right]:
    """What the API server itself says that an account may, asked under a token of its own."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    kubeconfig = plane.service_account_kubeconfig(HOME, account)
    done = plane.kubectl("create", "--raw", path, "-f", "-", input=json.dumps(review), kubeconfig=kubeconfig)
    status = json.loads(done.stdout)["status"]
    assert not status["incomplete"]
    return {one for rule in (*status["resourceRules"], *status["nonResourceRules"]) for one in single(rule)}


def single(rule: dict[str, Any]) -> Iterator[Right]:
    for verb in rule["verbs"]:
        yield from ((verb, "", path, "") for path in rule.get("nonResourceURLs") or ())
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                yield from ((verb, group, resource, name) for name in rule.get("resourceNames") or ("",))


def told(account: str, namespace: str) -> set[Right]:
    """What the page says that it may there."""
    rows = [row for row in RIGHTS.rows() if account in row.who and row.namespace in ("", namespace)]
    return {one for row in rows for one in single(row.rule)}


@pytest.mark.parametrize("namespace", NAMESPACES)
@pytest.mark.parametrize("account", ACCOUNTS)
def test_an_account_may_what_the_page_says_and_nothing_else(plane: ControlPlane, account: str, namespace: str) -> None:
    wanted = told(account, namespace) | rights_of(plane, NOBODY, namespace)
    assert told(account, HOME)
    # Roles that gather others by their label are filled by a controller.
    eventually(lambda: rights_of(plane, account, namespace) == wanted, f"the rights of {account}")


@pytest.mark.parametrize("account", [NOBODY, *ACCOUNTS])
@pytest.mark.parametrize(
    ("verb", "group", "resource"),
    [
        ("impersonate", "", "users"),
        ("impersonate", "", "serviceaccounts"),
        ("delete", "", "namespaces"),
        ("delete", "apps", "deployments"),
        ("create", "", "pods/exec"),
        ("create", "", "nodes/proxy"),
        ("update", "admissionregistration.k8s.io", "mutatingadmissionpolicies"),
        ("delete", "admissionregistration.k8s.io", "validatingwebhookconfigurations"),
        ("delete", "admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
    ],
)
def test_what_nobody_of_us_may(plane: ControlPlane, account: str, verb: str, group: str, resource: str) -> None:
    name, _, below = resource.partition("/")
    asked = {"verb": verb, "group": group, "resource": name, "subresource": below, "namespace": "default"}
    review = {"spec": {"user": f"system:serviceaccount:{HOME}:{account}", "resourceAttributes": asked}}
    answer = plane.request("POST", REVIEWS, review)
    assert answer.status == 201
    assert not answer.body["status"]["allowed"]
