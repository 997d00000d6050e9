"""Owns what an Application becomes: cases are files in tests/cases/adopt/argo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adopt.argo import adopt_argo
from reconciler.adopt.argo_ignores import EVERYBODY
from reconciler.adopt.model import Adopted
from reconciler.policy.model import MaskRule
from reconciler.render.spec import parse_render
from reconciler.source.spec import GitSource

CASES = Path(__file__).parents[2] / "cases" / "adopt" / "argo"
HERE = {"server": "https://kubernetes.default.svc", "namespace": "web"}
PLAIN = {"repoURL": "https://git.example.com/plain.git"}


def cases(name: str) -> list[Any]:
    found = yaml.safe_load((CASES / f"{name}.yaml").read_text())
    return [pytest.param(one, id=one["case"]) for one in found]


def application(spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": "argocd", **metadata},
        "spec": {"destination": HERE, **spec},
    }


def adopted(case: dict[str, Any]) -> Adopted:
    spec = {**case["spec"], "destination": case.get("destination", HERE)}
    metadata = {"annotations": case.get("annotations", {})}
    metadata |= {"deletionTimestamp": case["deleted"]} if "deleted" in case else {}
    return adopt_argo(application(spec, **metadata), clusters=case.get("clusters", ()))


def shown(source: GitSource) -> dict[str, Any]:
    ref = f"{source.ref.kind} {source.ref.value}".strip()
    facts = {key: getattr(source, key) for key in ("name", "url", "path", "suspend", "render")}
    unread = [".argocd-source.yaml", ".argocd-source-shop.yaml"]
    assert facts["render"].get("unread") == (unread if source.render else None)
    facts["render"] = {key: value for key, value in facts["render"].items() if key != "unread"}
    return {
        **facts,
        "ref": ref,
        "paths": list(source.paths),
        "beside": {name: shown(other) for name, other in source.beside},
    }


def contains(found: Any, expected: Any) -> bool:
    """Every field of `expected`; `render` in full."""
    if not isinstance(expected, dict):
        return bool(found == expected)
    return all(
        found[key] == value if key == "render" else contains(found[key], value) for key, value in expected.items()
    )


def check_sources(found: Adopted, expected: list[dict[str, Any]]) -> None:
    sources = [shown(source) for source in found.sources]
    assert len(sources) == len(expected)
    for source, wanted in zip(sources, expected, strict=True):
        assert source["beside"].keys() == wanted.get("beside", {}).keys()
        assert contains(source, wanted), source


def check_unsupported(found: Adopted, expected: list[dict[str, Any]]) -> None:
    said = [(one.field, one.whole) for one in found.unsupported]
    assert said == [(one["field"], one.get("whole", True)) for one in expected]
    for one, wanted in zip(found.unsupported, expected, strict=True):
        assert wanted["reason"] in one.reason
        assert (one.by.kind, one.by.namespace, one.by.name) == ("Application", "argocd", "shop")


@pytest.mark.parametrize("case", cases("sources"))
def test_an_application_becomes_the_sources_that_argo_cd_reads(case: dict[str, Any]) -> None:
    found = adopted(case)
    check_sources(found, case["sources"])
    check_unsupported(found, [])
    for source in found.sources:
        assert parse_render(source.render).tool == "ArgoCD"
        assert source.adopted_by.name == "shop"


@pytest.mark.parametrize("case", cases("unsupported"))
def test_what_cannot_be_had_is_named_with_its_field(case: dict[str, Any]) -> None:
    found = adopted(case)
    check_sources(found, case.get("sources", []))
    check_unsupported(found, case.get("unsupported", []))


def rule(one: MaskRule) -> dict[str, Any]:
    assert one.when == "always"
    assert one.sources == ("application-argocd-shop",)
    return {
        "kinds": list(one.kinds),
        "paths": list(one.paths),
        "names": list(one.names),
        "namespaces": list(one.namespaces),
        "manager": one.manager,
        "free": one.to == EVERYBODY,
    }


@pytest.mark.parametrize("case", cases("ignores"))
def test_what_argo_cd_ignores_is_a_rule_for_its_own_objects(case: dict[str, Any]) -> None:
    found = adopt_argo(application({"source": PLAIN, "ignoreDifferences": case["ignore"]}))
    blank = {"names": [], "namespaces": [], "manager": "", "free": True}
    assert [rule(one) for one in found.ignores] == [blank | one for one in case["ignores"]]
    check_unsupported(found, case.get("unsupported", []))
    assert len(found.sources) == len(case.get("sources", [PLAIN]))


@pytest.mark.parametrize("kind", ["ApplicationSet", "AppProject"])
def test_only_applications_come_to_anything(kind: str) -> None:
    assert adopt_argo({**application({"source": PLAIN}), "kind": kind}) == Adopted()


def test_the_definition_is_not_changed() -> None:
    tree = application({"source": {**PLAIN, "helm": {"valueFiles": ["a.yaml"], "valuesObject": {"a": 1}}}})
    before = repr(tree)
    adopt_argo(tree)
    assert repr(tree) == before
