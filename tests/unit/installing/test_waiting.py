"""Holds what is said of replicas that do not get ready: whoever installs has to see at whom it lies."""

from __future__ import annotations

from typing import Any, cast

import pytest

from setscrew.installing.errors import WaitError
from setscrew.installing.objects import DEPLOYMENT, Document
from setscrew.installing.server import Server
from setscrew.installing.waiting import Patience, until_rolled_out

TREE: Document = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": DEPLOYMENT.name, "namespace": DEPLOYMENT.namespace, "generation": 1},
    "spec": {"replicas": 2, "selector": {"matchLabels": {"app.kubernetes.io/name": "setscrew"}}},
}
FAILED = {"type": "Ready", "status": "False", "reason": "AuthFailed", "message": "source shop: the host refuses us"}


class Cluster:
    """Stands in for the API server: a wait that fails takes minutes on a real one."""

    def __init__(self, available: int) -> None:
        self.client = self
        self.available = available

    def read(self, ref: object) -> Document:
        assert ref == DEPLOYMENT
        status = {"observedGeneration": 1, "updatedReplicas": 2, "replicas": 2, "availableReplicas": self.available}
        return {**TREE, "status": status}

    def levers(self) -> list[Document]:
        source: Document = {"kind": "GitSource", "metadata": {"name": "shop"}, "status": {"conditions": [FAILED]}}
        return [{"kind": "DriftPolicy", "metadata": {"name": "default"}}, source]

    def request(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"items": []}


def waited(available: int) -> str:
    ticks = iter(range(100))
    patience = Patience(5, clock=lambda: next(ticks), pause=lambda _: None)
    with pytest.raises(WaitError) as error:
        until_rolled_out(cast(Server, Cluster(available)), [TREE], patience)
    return str(error.value)


def test_where_no_replica_is_ready_for_want_of_a_source_it_is_named_with_its_reason() -> None:
    assert "0 available: GitSource shop is AuthFailed: source shop: the host refuses us" in waited(0)


def test_a_source_is_not_blamed_for_one_replica_of_two() -> None:
    assert "GitSource" not in waited(1)
