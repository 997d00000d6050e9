"""What is looked at before an installation, by what was learned of a cluster: each finding with its code."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ApiError
from reconciler.model.ref import ObjectRef
from setscrew.doctor.rights import Right
from setscrew.installing.preflight import Ground, Preflight, checks
from setscrew.installing.trying import Tried

ROOT = Path(__file__).parents[3]
REF = ObjectRef("", "Namespace", "", "setscrew-system")
OURS = {"app.kubernetes.io/part-of": "setscrew"}
RESTRICTED = {**OURS, "pod-security.kubernetes.io/enforce": "restricted"}
WELL = Ground(
    version="v1.36.3",
    user="admin",
    skew=0.0,
    refused=(),
    namespaces={},
    registration=None,
    deployment=None,
    down={},
    tried=(Tried(REF, "created"),),
    definitions=(),
    images=frozenset({"registry.example.com/setscrew:1"}),
    registers=False,
)


def found(**changes: Any) -> dict[str, Preflight]:
    """What is not well, by code."""
    return {one.code: one for one in checks(replace(WELL, **changes)) if one.state != "ok"}


def test_a_cluster_that_is_fit_has_nothing_against_it() -> None:
    assert found() == {}


def labelled(labels: dict[str, str], phase: str = "Active") -> dict[str, Any]:
    return {"setscrew-system": {"metadata": {"labels": labels}, "status": {"phase": phase}}}


def entry(name: str, **config: Any) -> dict[str, Any]:
    return {"webhooks": [{"name": name, "clientConfig": config}]}


def deployed(**labels: str) -> dict[str, Any]:
    return {"metadata": {"labels": labels}}


OFF = {"metadata": {"annotations": {"setscrew.dev/off": "2026-11-22T03:10:00Z dana"}}, "webhooks": []}
HELM = {"metadata": {"labels": {**OURS, "app.kubernetes.io/managed-by": "Helm"}}}
FAILED = 'Internal error occurred: failed calling webhook "setscrew-dev.guard.setscrew.dev": connection refused'
LOST = {"metadata": {"name": "gitsources.setscrew.dev"}, "spec": {"versions": [{"name": "v1", "served": True}]}}
STORED = {"spec": {"versions": []}, "status": {"storedVersions": ["v1alpha1"]}}


@pytest.mark.parametrize(
    ("changes", "code", "state", "what"),
    [
        ({"version": "v1.31.9"}, "SS4210", "problem", "the API server is v1.31.9"),
        ({"version": "v1.33.4"}, "SS4210", "warning", "the API server is v1.33.4; tested are 1.36, 1.35, 1.34"),
        ({"version": "v1.37.0-alpha.1"}, "SS4210", "warning", "the API server is v1.37.0-alpha.1; tested are"),
        ({"version": ""}, "SS4210", "unknown", "says no version"),
        ({"refused": (Right("create", "", "namespaces"),)}, "SS4211", "problem", "admin may not create namespaces"),
        ({"deployment": HELM}, "SS4212", "problem", "by Helm"),
        ({"deployment": deployed()}, "SS4212", "problem", "without the label"),
        ({"registration": entry("hook.example.com")}, "SS4213", "problem", "entries hook.example.com"),
        ({"registration": entry("a.guard.setscrew.dev", url="https://127.0.0.1")}, "SS4213", "problem", "calls https"),
        ({"registration": OFF}, "SS4213", "warning", "switched off at 2026-11-22T03:10:00Z dana"),
        ({"skew": 61.0}, "SS4214", "warning", "61 s ahead of"),
        ({"skew": -301.0}, "SS4214", "problem", "301 s behind"),
        ({"namespaces": labelled(OURS, "Terminating")}, "SS4215", "problem", "is being deleted"),
        ({"namespaces": labelled({})}, "SS4215", "warning", "was there before"),
        (
            {"namespaces": labelled({**OURS, "pod-security.kubernetes.io/enforce": "baseline"})},
            "SS4215",
            "warning",
            "does not enforce",
        ),
        ({"down": {"metrics.k8s.io/v1beta1": "no answer"}}, "SS4216", "warning", "metrics.k8s.io/v1beta1"),
        (
            {"tried": (Tried(REF, "created", refused=ApiError("denied by quota", status=403)),)},
            "SS4217",
            "problem",
            "Namespace setscrew-system: denied by quota",
        ),
        (
            {"tried": (Tried(REF, "created", refused=ApiError(FAILED, status=500)),)},
            "SS4217",
            "warning",
            "1 of its own levers could not be tried",
        ),
        ({"definitions": ((STORED, LOST),)}, "SS4218", "problem", "objects are stored as v1alpha1"),
        ({"images": frozenset({"setscrew"})}, "SS4219", "warning", "image setscrew names no registry"),
        ({"images": frozenset({"library/setscrew:1"})}, "SS4219", "warning", "names no registry"),
        ({"images": frozenset({"registry.example.com/a b:1"})}, "SS4219", "problem", "is not the name of an image"),
        ({"images": frozenset({"registry.example.com/x:::1"})}, "SS4219", "problem", "is not the name of an image"),
        ({"images": frozenset({"registry.example.com/Setscrew"})}, "SS4219", "problem", "is not the name of an image"),
        ({"images": frozenset({"https://registry.example.com/x"})}, "SS4219", "problem", "is not the name of an image"),
        ({"registers": True}, "SS4220", "unknown", "port 8443"),
    ],
)
def test_what_stands_against_it_is_told_with_its_code(
    changes: dict[str, Any], code: str, state: str, what: str
) -> None:
    told = found(**changes)
    assert list(told) == [code]
    assert told[code].state == state
    assert what in told[code].what


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "v1.35.0-eks"},
        {"deployment": deployed(**OURS)},
        {"registration": entry("a.guard.setscrew.dev", service={"name": "setscrew-admission"})},
        {"registration": {"webhooks": []}},
        {"namespaces": labelled(RESTRICTED)},
        {"images": frozenset({f"registry.example.com:5000/platform/set-screw_2:v1@sha256:{'0' * 64}"})},
        {"images": frozenset({"[::1]:5000/a", "r.example.com/b__c/d--e.f"})},
        {"skew": 59.0},
    ],
)
def test_what_is_well_is_not_told_as_wrong(changes: dict[str, Any]) -> None:
    assert found(**changes) == {}


def test_every_code_is_explained_and_every_problem_says_why_and_what_next() -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text()
    codes = {one.code for one in checks(WELL)}
    assert codes == set(re.findall(r"^\| (SS42[12]\d) \|", page, re.MULTILINE))
    worst = found(version="v1.20.0", refused=(Right("create", "", "pods"),), skew=1000.0, deployment=HELM)
    assert [one for one in worst.values() if not (one.why and one.fix)] == []
