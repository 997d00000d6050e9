"""Holds that whoever writes a definition comes no further by it than the definition's own namespace and Git reach."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.adopt.flux_objects import Lookup
from reconciler.errors import SourceError
from reconciler.source.git import Git
from reconciler.source.secret import SecretRef
from setscrew.adoption import adopted

REFERENCE = {"kind": "GitRepository", "name": "deploy"}
METADATA = "https://169.254.169.254/deploy.git"


def definition(version: str, kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "tenant"}, "spec": spec}


def application(url: str) -> list[dict[str, Any]]:
    source = {"repoURL": url, "path": ".", "allowPrivateHosts": True}
    spec = {"destination": {"server": "https://kubernetes.default.svc"}, "source": source, "allowPrivateHosts": True}
    return [definition("argoproj.io/v1alpha1", "Application", "shop", spec)]


def repository(url: str, **spec: Any) -> dict[str, Any]:
    return definition("source.toolkit.fluxcd.io/v1", "GitRepository", "deploy", {"url": url, "interval": "1m", **spec})


def kustomization(url: str, **spec: Any) -> list[dict[str, Any]]:
    found = definition("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "shop", {"sourceRef": REFERENCE, **spec})
    return [repository(url, allowPrivateHosts=True), found]


def nothing(*_: str) -> None:
    """The cluster holds no ConfigMaps and Secrets."""


@pytest.mark.parametrize("definitions", [application(METADATA), kustomization(METADATA)])
def test_no_definition_leads_to_this_machine_or_its_metadata(definitions: list[Any], tmp_path: Path) -> None:
    (source,) = adopted(definitions, [], nothing).sources
    with pytest.raises(SourceError) as refused:
        Git(tmp_path).resolve(source)
    assert refused.value.code == "SS2005"


def looking_into(asked: list[str]) -> Lookup:
    def look(kind: str, namespace: str, name: str) -> Mapping[str, bytes]:
        asked.append(f"{kind} {namespace}/{name}")
        return {"values.yaml": b"a: b"}

    return look


@pytest.mark.parametrize(("named", "sources"), [({}, 2), ({"namespace": "kube-system"}, 0)])
def test_a_definition_is_given_values_and_credentials_of_its_own_namespace_alone(
    named: dict[str, str], sources: int
) -> None:
    asked: list[str] = []
    pins = {"kind": "Secret", "name": "pins", **named}
    source = repository("https://git.example.com/a.git", secretRef={"name": "deploy", **named})
    chart = {"spec": {"chart": "./web", "sourceRef": REFERENCE}}
    release = definition("helm.toolkit.fluxcd.io/v2", "HelmRelease", "web", {"chart": chart, "valuesFrom": [pins]})
    built = kustomization("", postBuild={"substituteFrom": [pins]})[1]
    found = adopted([source, built, release], [], looking_into(asked))
    assert asked == ["Secret tenant/pins"] * 2
    assert [one.secret for one in found.sources] == [SecretRef("deploy", "tenant")] * sources
