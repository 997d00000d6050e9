"""Definitions adopted together: what one of them, or a Secret elsewhere, must not do to another."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.adopt.argo_credentials import REPOSITORY, RepositorySecret
from reconciler.source.secret import SecretRef
from setscrew.adoption import adopted

URL = "https://git.example.com/platform.git"


def application(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "platform", "namespace": "argocd"},
        "spec": {"destination": {"server": "https://kubernetes.default.svc"}, **spec},
    }


def test_a_secret_of_another_namespace_lends_an_application_neither_credentials_nor_authority_nor_proxy() -> None:
    theirs = RepositorySecret(SecretRef("mine", "a-tenant"), REPOSITORY, URL)
    own = RepositorySecret(SecretRef("platform", "argocd"), REPOSITORY, URL)
    definition = application(source={"repoURL": URL, "path": "."})
    (alone,) = adopted([definition], [theirs], lambda *_: None).sources
    (beside,) = adopted([definition], [theirs, own], lambda *_: None).sources
    assert (alone.secret, beside.secret) == (None, own.ref)


def flux(group: str, version: str, kind: str, name: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "apps"}
    return {"apiVersion": f"{group}.toolkit.fluxcd.io/{version}", "kind": kind, "metadata": metadata, "spec": spec}


REFERENCE = {"kind": "GitRepository", "name": "deploy"}
ODD = [
    [
        flux(
            "helm",
            "v2",
            "HelmRelease",
            "odd",
            chart={"spec": {"chart": "c", "sourceRef": REFERENCE, "valuesFiles": ["./"]}},
        )
    ],
    [
        flux("source", "v1", "GitRepository", "slow", url=URL, timeout=f"{'9' * 400}h"),
        flux("kustomize", "v1", "Kustomization", "odd", sourceRef={"kind": "GitRepository", "name": "slow"}),
    ],
    [application(source={"repoURL": URL}) | {"metadata": {"name": "odd", "namespace": 7}}],
    [application(source={"repoURL": URL}) | {"metadata": {"name": "odd\ud800", "namespace": "argocd"}}],
]


@pytest.mark.parametrize("odd", ODD, ids=["directory as values", "endless timeout", "namespace", "surrogate"])
def test_a_definition_that_nobody_foresaw_does_not_end_the_reading_of_the_others(odd: list[Any]) -> None:
    others = [
        flux("source", "v1", "GitRepository", "deploy", url=URL),
        flux("kustomize", "v1", "Kustomization", "shop", sourceRef=REFERENCE),
        application(source={"repoURL": URL, "path": "."}),
    ]
    found = adopted([*odd, *others], (), lambda *_: None)
    assert {"kustomization-apps-shop", "application-argocd-platform"} <= {one.name for one in found.sources}
