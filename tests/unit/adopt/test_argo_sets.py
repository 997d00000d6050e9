"""Owns what an ApplicationSet in a repository generates: cases are tests/cases/adopt/argo/sets.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adopt.argo_sets import IN_CLUSTER, Cluster, generated
from reconciler.adopt.model import Unsupported
from reconciler.errors import UsageError

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "adopt" / "argo" / "sets.yaml").read_text())
FILES = {
    "README.md": None,
    "apps/web/kustomization.yaml": {},
    "apps/web/config.json": {"cluster": {"name": "east"}},
    "apps/web/deep/config.json": {},
    "apps/db/a.yaml": {},
    "apps/old/a.yaml": {},
    "apps/.hidden/a.yaml": {},
}


def files(url: str, revision: str) -> Mapping[str, Any]:
    if (url, revision) != ("https://git.example.com/a.git", "main"):
        raise UsageError("is not at hand", where=url)
    return {name: tree for name, tree in FILES.items() if "deep" not in name}


def shown(tree: Mapping[str, Any]) -> dict[str, Any]:
    assert tree["metadata"]["namespace"] == "argocd"
    spec = tree["spec"]
    facts = {"name": tree["metadata"]["name"], "path": spec["source"]["path"]}
    labels = {"labels": tree["metadata"]["labels"]} if "labels" in tree["metadata"] else {}
    server = {"server": spec["destination"]["server"]} if spec["destination"] else {}
    return {**facts, **labels, **server}


@pytest.mark.parametrize("case", [pytest.param(one, id=one["case"]) for one in CASES])
def test_a_set_generates_what_its_controller_would(case: dict[str, Any]) -> None:
    tree = {"kind": "ApplicationSet", "metadata": {"name": "all", "namespace": "argocd"}, "spec": case["spec"]}
    clusters = [Cluster(**one) for one in case.get("clusters", [])] or [IN_CLUSTER]
    found = list(generated(tree, files, clusters))
    missing = [one for one in found if isinstance(one, Unsupported)]
    assert [shown(one) for one in found if not isinstance(one, Unsupported)] == case.get("applications", [])
    expected = case.get("unsupported", [])
    assert [(one.field, one.whole) for one in missing] == [(one["field"], one.get("whole", True)) for one in expected]
    assert all(wanted["reason"] in one.reason for one, wanted in zip(missing, expected, strict=True))
