"""What sources declare counts before it is in the cluster, but for what only the cluster's own word may open."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.adopt.model import Adopted, source_name
from reconciler.loop.adopting import Adopting
from reconciler.model.ref import KindInfo
from reconciler.snapshot.model import Adopter
from setscrew.adoption import adopted

GROUPS = {"GitRepository": "source", "Kustomization": "kustomize", "HelmRelease": "helm"}
KINDS = {
    (kind.group, kind.version, kind.kind): kind
    for kind in (
        KindInfo("source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories", True),
        KindInfo("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations", True),
        KindInfo("helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases", True),
    )
}
REFERENCE = {"kind": "GitRepository", "name": "deploy"}
KUSTOMIZATION = source_name(Adopter("Kustomization", "shop", "kube-system"))


def definition(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    version = f"{GROUPS[kind]}.toolkit.fluxcd.io/{'v2' if kind == 'HelmRelease' else 'v1'}"
    metadata = {"name": name, "namespace": "kube-system"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def repository(**spec: Any) -> dict[str, Any]:
    return definition("GitRepository", "deploy", url="https://git.evil.example/a.git", **spec)


class Cluster:
    """A cluster that serves Flux's kinds, what sources declare beside it, and what has been followed."""

    def __init__(self, *live: Mapping[str, Any], declared: Any = ()) -> None:
        self.live, self.declared = list(live), declared
        self.followed: list[Adopted] = []
        discovery: Any = SimpleNamespace(kinds=lambda: KINDS)
        client: Any = self
        self.adopting = Adopting(
            client,
            discovery,
            adopt=lambda trees: adopted(trees, (), lambda *_: {"values.yaml": b"token: hunter22"}),
            follow=lambda found, _: self.followed.append(found),
            say=lambda _: None,
            declared=lambda: self.declared,
        )

    def request(self, _method: str, path: str, **_: Any) -> dict[str, Any]:
        plural = path.rpartition("/")[2]
        return {"items": [one for one in self.live if f"{one['kind'].lower()}s".replace("ys", "ies") == plural]}

    def names(self) -> list[str]:
        self.adopting._look()
        return [source.name for source in self.followed[-1].sources]


SHOP = definition("Kustomization", "shop", sourceRef=REFERENCE, path="./")
CHART = {"spec": {"chart": "./web", "sourceRef": REFERENCE}}
VALUES = [{"kind": "Secret", "name": "pins"}]


def test_what_git_declares_counts_before_it_is_in_the_cluster() -> None:
    assert Cluster(declared=[repository(), SHOP]).names() == [KUSTOMIZATION]


@pytest.mark.parametrize(
    "declared",
    [
        [repository(secretRef={"name": "admin"}), SHOP],
        [repository(proxySecretRef={"name": "admin"}), SHOP],
        [repository(verify={"mode": "HEAD", "secretRef": {"name": "admin"}}), SHOP],
        [repository(), definition("HelmRelease", "web", chart=CHART, valuesFrom=VALUES)],
    ],
    ids=["credentials", "proxy", "keys", "values"],
)
def test_whoever_pushes_a_definition_is_not_given_the_secrets_of_its_namespace(declared: Any) -> None:
    """The cluster's own rules say who may write a definition there; a repository has none."""
    cluster = Cluster(declared=declared)
    assert cluster.names() == []
    (told,) = cluster.followed[-1].unsupported
    assert "Secret" in told.reason
    cluster.live = declared
    assert len(cluster.names()) == 1


def test_a_source_with_a_secret_stays_when_its_definition_goes_and_git_still_declares_it() -> None:
    declared = [repository(secretRef={"name": "own"}), SHOP]
    cluster = Cluster(*declared, declared=declared)
    assert cluster.names() == [KUSTOMIZATION]
    cluster.live = [definition("GitRepository", "other", url="https://git.example.com/b.git")]
    cluster.adopting._definitions.known.clear()
    assert cluster.names() == [KUSTOMIZATION]


def test_so_it_does_over_a_restart() -> None:
    declared = [repository(secretRef={"name": "own"}), SHOP]
    cluster = Cluster(declared=declared)
    cluster.adopting.begin(declared)
    assert [source.name for source in cluster.followed[-1].sources] == [KUSTOMIZATION]


def test_what_a_definition_names_may_be_gone_for_a_moment() -> None:
    cluster = Cluster(repository(), SHOP)
    assert cluster.names() == [KUSTOMIZATION]
    cluster.live = [SHOP, definition("GitRepository", "other", url="https://git.example.com/b.git")]
    assert cluster.names() == [KUSTOMIZATION]
    (told,) = cluster.followed[-1].unsupported
    assert (told.whole, told.reason) == (False, "there is no GitRepository kube-system/deploy")
    cluster.live = [repository(), SHOP]
    assert cluster.names() == [KUSTOMIZATION]
    assert cluster.followed[-1].unsupported == ()
