"""Holds the page on rights to the manifests, and the manifests to what no part of Setscrew may ever be given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.tools import tool

MANIFESTS = Path(__file__).parents[3] / "manifests"
RIGHTS = tool("generate_rights")
ROWS = [pytest.param(row, id=f"{row.role}-{index}") for index, row in enumerate(RIGHTS.rows())]
READING = {"get", "list", "watch"}


def documents(path: Path) -> list[dict[str, Any]]:
    return [tree for tree in yaml.safe_load_all(path.read_text("utf-8")) if isinstance(tree, dict)]


def test_the_page_says_what_the_manifests_give() -> None:
    assert RIGHTS.PAGE.read_text("utf-8") == RIGHTS.page(), "run: .venv/bin/python tools/generate_rights.py"


def test_no_role_stands_in_a_file_that_the_page_does_not_know() -> None:
    files = [path for path in MANIFESTS.rglob("*.yaml") if "chart" not in path.relative_to(MANIFESTS).parts]
    giving = {
        str(path.relative_to(MANIFESTS))
        for path in files
        if any(tree.get("kind") in {"Role", "ClusterRole"} for tree in documents(path))
    }
    assert giving == set(RIGHTS.FILES)


def test_each_binding_is_to_a_role_of_the_manifests_and_of_an_account_of_them() -> None:
    found = [tree for name in RIGHTS.FILES for tree in documents(MANIFESTS / name)]
    roles = {(tree["kind"], tree["metadata"]["name"]) for tree in found if "rules" in tree}
    accounts = {tree["metadata"]["name"] for tree in documents(MANIFESTS / "base" / "service-accounts.yaml")}
    bindings = [tree for tree in found if "roleRef" in tree]
    assert bindings
    for binding in bindings:
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in roles
        assert {(one["kind"], one["namespace"]) for one in binding["subjects"]} == {
            ("ServiceAccount", "setscrew-system")
        }
        assert {one["name"] for one in binding["subjects"]} <= accounts


@pytest.mark.parametrize("row", ROWS)
def test_no_right_is_over_all_or_over_identities(row: Any) -> None:
    verbs = set(row.rule["verbs"])
    assert verbs & {"*", "impersonate", "deletecollection"} == set()
    assert "delete" not in verbs or row.namespace == "setscrew-snapshots"
    if verbs - READING and "apiGroups" in row.rule:
        assert "*" not in row.rule["apiGroups"]
        assert "" not in row.rule["apiGroups"] or "*" not in row.rule["resources"]


@pytest.mark.parametrize("row", ROWS)
def test_who_really_writes_has_no_right_to_give_rights_or_to_read_more_than_the_reconciler(row: Any) -> None:
    """Only what a policy holds to dry-runs may escalate."""
    if row.who not in {("setscrew-canonicalizer",), ("setscrew-canary",)}:
        assert set(row.rule["verbs"]) & {"escalate", "bind"} == set()
        if set(row.rule["verbs"]) - READING:
            assert "rbac.authorization.k8s.io" not in row.rule["apiGroups"]


def test_the_gpu_component_names_the_groups_of_the_gpu_policies() -> None:
    served = {"resource.k8s.io", "scheduling.k8s.io", "node.k8s.io", "admissionregistration.k8s.io"}
    served |= {"apps", "batch", "policy", "coordination.k8s.io", "apiextensions.k8s.io", "autoscaling"}
    texts = [path.read_text("utf-8") for path in (MANIFESTS.parent / "policies" / "gpu").glob("*.yaml")]
    kinds = {kind for text in texts for kind in re.findall(r"\b([a-z0-9-]+(?:\.[a-z0-9-]+)+)/[A-Z]\w+", text)}
    given = [set(tree["rules"][0]["apiGroups"]) for tree in documents(MANIFESTS / "components" / "gpu" / "rbac.yaml")]
    assert given == [kinds - served] * 2
