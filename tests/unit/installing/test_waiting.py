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

    def __init__(self, available: int, replicas: int = 2, pods: tuple[Document, ...] = ()) -> None:
        self.client = self
        self.available, self.replicas, self.pods = available, replicas, pods

    def read(self, ref: object) -> Document:
        assert ref == DEPLOYMENT
        status = {
            "observedGeneration": 1,
            "updatedReplicas": 2,
            "replicas": self.replicas,
            "availableReplicas": self.available,
        }
        return {**TREE, "status": status}

    def levers(self) -> list[Document]:
        source: Document = {"kind": "GitSource", "metadata": {"name": "shop"}, "status": {"conditions": [FAILED]}}
        return [{"kind": "DriftPolicy", "metadata": {"name": "default"}}, source]

    def request(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"items": list(self.pods)}


def waited(available: int, *more: Any, told: list[str] | None = None) -> str:
    ticks = iter(range(100))
    patience = Patience(25, [].append if told is None else told.append, lambda: next(ticks), lambda _: None)
    with pytest.raises(WaitError) as error:
        until_rolled_out(cast(Server, Cluster(available, *more)), [TREE], patience)
    return str(error.value)


def test_where_no_replica_is_ready_for_want_of_a_source_it_is_named_with_its_reason() -> None:
    assert "0 available: GitSource shop is AuthFailed: source shop: the host refuses us" in waited(0)


def test_what_is_waited_for_is_said_meanwhile_and_once() -> None:
    told: list[str] = []
    waited(0, told=told)
    assert [one.partition(": ")[2] for one in told] == [
        "2 of 2 replicas are new, 0 available: GitSource shop is AuthFailed: source shop: the host refuses us"
    ]


def test_a_pod_that_runs_and_is_not_ready_is_named() -> None:
    ready, unready = ({"conditions": [{"type": "Ready", "status": one}]} for one in ("True", "False"))
    pods = ({"metadata": {"name": "a"}, "status": ready}, {"metadata": {"name": "b"}, "status": unready})
    assert "1 available: pod b is not ready (" in waited(1, 2, pods)


def test_replicas_of_before_that_do_not_end_are_what_is_waited_for() -> None:
    assert "all 2 replicas are new and available, and 1 of before still end" in waited(2, 3)


def test_who_waited_in_vain_is_told_that_it_goes_on_from_there() -> None:
    assert "run it again when that is mended, it goes on" in waited(0)


def test_a_source_is_not_blamed_for_one_replica_of_two() -> None:
    assert "GitSource" not in waited(1)
