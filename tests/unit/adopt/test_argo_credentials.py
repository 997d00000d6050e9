"""Owns which Secret of Argo CD is for which repository."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from reconciler.adopt.argo import adopt_argo
from reconciler.adopt.argo_credentials import LABEL, RepositorySecret, repository_secret, secret_for
from reconciler.source.secret import SecretRef


def secret(name: str, kind: str, url: str, **data: str) -> dict[str, Any]:
    keys = {"url": url, **data}
    return {
        "metadata": {"name": name, "namespace": "argocd", "labels": {LABEL: kind}},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in keys.items()},
    }


SECRETS = [
    secret("team", "repo-creds", "https://git.example.com/team/", username="u", password="p"),
    secret("all", "repo-creds", "https://git.example.com", password="p"),
    secret("own", "repository", "https://git.example.com/team/own.git", sshPrivateKey="k"),
    secret("bare", "repository", "https://git.example.com/team/bare", project="p"),
    secret("ssh", "repository", "git@git.example.com:team/a.git", sshPrivateKey="k"),
    secret("charts", "repository", "https://git.example.com/team/b", type="helm", password="p"),
    secret("cluster", "cluster", "https://git.example.com/team/c"),
]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://git.example.com/team/own", "own"),
        ("https://GIT.example.com/team/own.git/", "own"),
        ("https://git.example.com/team/bare.git", "team"),
        ("https://git.example.com/team/b", "team"),
        ("https://git.example.com/other/x", "all"),
        ("ssh://git@git.example.com/team/a", "ssh"),
        ("https://elsewhere.example.com/x", None),
        ("https://git.example.com.evil.example/x", None),
        ("https://git.example.com:8443/x", None),
    ],
)
def test_the_repository_comes_before_the_longest_template(url: str, name: str | None) -> None:
    known = [one for one in map(repository_secret, SECRETS) if one is not None]
    assert secret_for(known)(url) == (SecretRef(name, "argocd") if name else None)


@pytest.mark.parametrize("url", ["", "not base64"])
def test_a_secret_without_a_url_is_for_no_repository(url: str) -> None:
    one = secret("x", "repository", "https://git.example.com/x")
    one["data"]["url"] = url
    assert repository_secret(one) is None


def test_no_value_but_the_url_is_kept() -> None:
    found = repository_secret(SECRETS[0])
    assert found == RepositorySecret(SecretRef("team", "argocd"), "repo-creds", "https://git.example.com/team/")


def test_a_source_has_the_secret_of_its_repository_and_what_lies_beside_it_its_own() -> None:
    spec = {
        "destination": {"server": "https://kubernetes.default.svc"},
        "sources": [
            {"repoURL": "https://git.example.com/team/own", "helm": {"valueFiles": ["$v/a.yaml"]}},
            {"repoURL": "git@git.example.com:team/a.git", "ref": "v"},
        ],
    }
    tree = {"kind": "Application", "metadata": {"name": "shop", "namespace": "argocd"}, "spec": spec}
    known = [one for one in map(repository_secret, SECRETS) if one is not None]
    (found,) = adopt_argo(tree, secret_for=secret_for(known)).sources
    assert found.secret == SecretRef("own", "argocd")
    assert [other.secret for _, other in found.beside] == [SecretRef("ssh", "argocd")]
