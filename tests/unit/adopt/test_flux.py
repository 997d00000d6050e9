"""Owns what Flux's objects become: cases are files in tests/cases/adopt/flux."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adopt.flux import adopt_flux
from reconciler.adopt.flux_objects import Lookup
from reconciler.adopt.model import Adopted
from reconciler.policy.model import MaskRule, Subject
from reconciler.render.spec import parse_render
from reconciler.source.spec import GitSource

CASES = Path(__file__).parents[2] / "cases" / "adopt" / "flux"
URL = "https://git.example.com/deploy.git"
NO_CHART: dict[str, Any] = {"kind": "GitRepository", "name": "deploy", "namespace": "flux-system"}


def cases(name: str) -> list[Any]:
    found = yaml.safe_load((CASES / f"{name}.yaml").read_text())
    return [pytest.param(one, id=one["case"]) for one in found]


def flux(kind: str, place: str, spec: Any, **metadata: Any) -> dict[str, Any]:
    namespace, _, name = place.partition("/")
    group = {"Kustomization": "kustomize", "HelmRelease": "helm"}.get(kind, "source")
    version = f"{group}.toolkit.fluxcd.io/{'v2' if kind == 'HelmRelease' else 'v1'}"
    metadata = {"name": name, "namespace": namespace, **metadata}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def repository(**spec: Any) -> dict[str, Any]:
    return flux("GitRepository", "flux-system/deploy", {"url": URL, "interval": "5m", **spec})


def kustomization(**spec: Any) -> dict[str, Any]:
    reference = {"kind": "GitRepository", "name": "deploy"}
    return flux("Kustomization", "flux-system/shop", {"sourceRef": reference, **spec})


def release(chart: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    chart = {"chart": "./charts/web", "sourceRef": NO_CHART, **chart}
    return flux("HelmRelease", "apps/web", {"chart": {"spec": chart}, **spec})


def keeping(cluster: Mapping[str, Mapping[str, str]]) -> Lookup:
    def look(kind: str, namespace: str, name: str) -> Mapping[str, bytes] | None:
        found = cluster.get(f"{kind} {namespace}/{name}")
        return None if found is None else {key: text.encode() for key, text in found.items()}

    return look


def shown(source: GitSource) -> dict[str, Any]:
    verify = f"{source.verify.mode} {source.verify.keys}" if source.verify.mode else ""
    facts = {key: getattr(source, key) for key in ("name", "url", "path", "suspend", "interval", "timeout", "render")}
    secrets = {key: str(getattr(source, key)) for key in ("secret", "proxy_secret")}
    lists = {key: list(getattr(source, key)) for key in ("paths", "ignore")}
    return {**facts, **secrets, **lists, "verify": verify, "ref": f"{source.ref.kind} {source.ref.value}"}


def shown_rule(rule: MaskRule) -> dict[str, Any]:
    return {key: list(getattr(rule, key)) for key in ("kinds", "names", "namespaces", "paths")}


def check(found: Adopted, case: dict[str, Any]) -> None:
    expected = [case["source"]] if "source" in case else []
    assert [
        {key: shown(source)[key] for key in wanted} for source, wanted in zip(found.sources, expected, strict=True)
    ] == expected
    assert [shown_rule(rule) for rule in found.ignores] == case.get("ignores", [])
    unsupported = [(one.field, one.whole) for one in found.unsupported]
    wanted = case.get("unsupported", [])
    assert unsupported == [(one["field"], one.get("whole", True)) for one in wanted]
    for one, said in zip(found.unsupported, wanted, strict=True):
        assert said["reason"] in one.reason
    for source in found.sources:
        assert parse_render(source.render).tool == "Flux"
    assert all(rule.sources == (found.sources[0].name,) for rule in found.ignores)
    assert all(rule.to == (Subject(group="system:authenticated"),) for rule in found.ignores)


@pytest.mark.parametrize("case", cases("repositories"))
def test_a_repository_says_where_its_sources_come_from(case: dict[str, Any]) -> None:
    check(adopt_flux([kustomization(path="./apps"), repository(**case["repository"])], keeping({})), case)


@pytest.mark.parametrize("case", cases("kustomizations"))
def test_a_kustomization_is_a_source(case: dict[str, Any]) -> None:
    one = kustomization(**case["kustomization"])
    one["metadata"] |= case.get("metadata", {})
    found = adopt_flux([one, repository(), *case.get("objects", ())], keeping(case.get("cluster", {})))
    check(found, case)
    assert all((by.kind, by.namespace, by.name) == ("Kustomization", "flux-system", "shop") for by in adopters(found))


@pytest.mark.parametrize("case", cases("releases"))
def test_a_release_is_a_source(case: dict[str, Any]) -> None:
    one = release(case.get("chart", {}), case.get("release", {}))
    found = adopt_flux([one, repository(), *case.get("objects", ())], keeping(case.get("cluster", {})))
    check(found, case)
    assert all((by.kind, by.namespace, by.name) == ("HelmRelease", "apps", "web") for by in adopters(found))


def adopters(found: Adopted) -> list[Any]:
    return [*(source.adopted_by for source in found.sources), *(one.by for one in found.unsupported)]


def test_several_become_as_many_sources_of_different_names() -> None:
    kustomizations = [flux("Kustomization", f"{namespace}/a", kustomization()["spec"]) for namespace in ("x", "x-a")]
    for one in kustomizations:
        one["spec"]["sourceRef"]["namespace"] = "flux-system"
    found = adopt_flux([*kustomizations, release({}, {}), repository()], keeping({}))
    assert [source.name for source in found.sources] == [
        "kustomization-x-a",
        "kustomization-x-a-a-450924ad6ac6ac80",
        "helmrelease-apps-web",
    ]


def test_objects_of_others_and_what_is_no_object_are_passed_over() -> None:
    strangers: list[Any] = [
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "metadata": {"name": "x"},
            "spec": {},
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}},
        {"kind": "Kustomization"},
        "text",
        None,
    ]
    assert adopt_flux(strangers, keeping({})) == Adopted()


def test_a_definition_without_a_spec_is_named() -> None:
    (one,) = adopt_flux([flux("Kustomization", "x/a", None)], keeping({})).unsupported
    assert (one.field, one.whole) == ("spec", True)


def test_one_object_is_asked_for_once() -> None:
    asked: list[tuple[str, str, str]] = []

    def look(*place: str) -> None:
        asked.append(place)  # type: ignore[arg-type]

    reference = {"kind": "Secret", "name": "vars", "optional": True}
    adopt_flux([kustomization(postBuild={"substituteFrom": [reference, reference]}), repository()], look)
    assert asked == [("Secret", "flux-system", "vars")]
