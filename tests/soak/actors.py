"""Owns who acts in the soak beside the controllers: the GitOps writer, a person who restarts, one who goes past Git.

Each counts what it did and keeps every answer that should have been another. Must not know how to judge a log.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

from reconciler.cluster.api import ApiClient, Query
from reconciler.errors import ApiError
from setscrew.controlplane import ControlPlane
from setscrew.demo.repository import Repository
from setscrew.demo.stage import dump
from tests.soak.world import DEPLOYMENTS, NAMESPACES, Tree, World
from tests.support.audit import GUARD

RESOURCES: Final = {
    "Namespace": "/api/v1/namespaces",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
    "Job": "/apis/batch/v1/namespaces/{namespace}/jobs",
}
_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_PATCH: Final = "application/json-patch+json"
_LEAVE_SECONDS: Final = 30.0
_AS_ARGO: Final[dict[str, str | bool]] = {"fieldManager": "argocd-controller", "force": True}


class Ground(Protocol):
    """Where all of it happens: an API server, a repository, and the kubeconfigs of who writes."""

    plane: ControlPlane
    repository: Repository
    gitops: Path
    person: Path


@dataclass(slots=True)
class Tally:
    """What was done, by its name, and what was answered wrongly."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def allowed(self, what: str, write: Callable[[], Any]) -> None:
        """Do what must pass; only our own refusal is wrong, the API server may have reasons of its own."""
        try:
            write()
            self.counts[what] += 1
        except ApiError as error:
            self.counts[f"{what}, not possible"] += 1
            if GUARD in error.message:
                self.wrong.append(f"{what} was refused: {error.message}")

    def refused(self, what: str, write: Callable[[], Any]) -> None:
        """Do what must be refused by us; an answer of the API server itself proves nothing and counts apart."""
        try:
            write()
        except ApiError as error:
            self.counts[f"{what}, {'refused' if GUARD in error.message else 'not possible'}"] += 1
        else:
            self.wrong.append(f"{what} was admitted")


@dataclass
class Writer:
    """The GitOps controller: commits and pushes a turn, and writes it at once, before anybody has rendered it."""

    ground: Ground
    world: World
    leaving: set[str] = field(default_factory=set)
    tally: Tally = field(default_factory=Tally)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @cached_property
    def client(self) -> ApiClient:
        """The writer's identity."""
        return ApiClient.load(str(self.ground.gitops))

    def act(self) -> None:
        """One turn."""
        number = next(self.numbers)
        turn = self.world.turn(number)
        if turn.leaving:
            path = f"{RESOURCES['Namespace']}/{turn.leaving}"
            self.tally.allowed("namespaces deleted by the writer", lambda: self.client.send("DELETE", path))
            self.leaving.add(turn.leaving)
        self._drop()
        self.push(f"Turn {number}")
        for tree in turn.changed:
            self.apply(tree)

    def _drop(self) -> None:
        """Git drops a namespace once it is gone: so its controller empties what is guarded still."""
        there = {one["metadata"]["name"] for one in self.client.request("GET", RESOURCES["Namespace"])["items"]}
        for name in self.leaving - there:
            del self.world.files[name]
        self.leaving &= there

    def rest(self) -> str:
        """The last push, once every namespace that leaves is gone or half a minute has passed; returns the commit."""
        end = time.monotonic() + _LEAVE_SECONDS
        while self.leaving and time.monotonic() < end:
            time.sleep(1)
            self._drop()
        return self.push("The last")

    def push(self, subject: str) -> str:
        """Write all files, commit and push; returns the commit."""
        directory = self.ground.repository.work / "soak"
        directory.mkdir(exist_ok=True)
        for stale in {path.stem for path in directory.iterdir()} - self.world.files.keys():
            (directory / f"{stale}.yaml").unlink()
        for name, trees in self.world.files.items():
            (directory / f"{name}.yaml").write_text(dump(trees))
        commit = self.ground.repository.commit(subject)
        self.ground.repository.push()
        self.tally.counts["commits"] += 1
        return commit

    def apply(self, tree: Tree) -> None:
        """Server-side apply of one object."""
        path = path_of(tree)
        self.tally.allowed("applies", lambda: _patch(self.client, path, tree, _APPLY, _AS_ARGO))


@dataclass
class _Somebody:
    """A person with rights on everything, and what they do counted."""

    ground: Ground
    chance: random.Random
    tally: Tally = field(default_factory=Tally)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @cached_property
    def client(self) -> ApiClient:
        """The person's identity."""
        return ApiClient.load(str(self.ground.person))


class Person(_Somebody):
    """Somebody who restarts Deployments and makes namespaces of their own: nothing of it is Git's."""

    def act(self) -> None:
        """A restart, and now and then a namespace that comes or goes."""
        number = next(self.numbers)
        place, name = self.chance.choice(DEPLOYMENTS)
        annotations = {"kubectl.kubernetes.io/restartedAt": str(number)}
        body = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        path = f"{RESOURCES['Deployment']}/{name}".format(namespace=place)
        self.tally.allowed("restarts", lambda: _patch(self.client, path, body, _MERGE))
        if number % 10 == 0:
            made = {"metadata": {"name": f"own-{number}"}}
            self.tally.allowed("own namespaces", lambda: self.client.send("POST", RESOURCES["Namespace"], made))
        if number % 10 == 5 and number > 10:
            gone = f"{RESOURCES['Namespace']}/own-{number - 5}"
            self.tally.allowed("own namespaces deleted", lambda: self.client.send("DELETE", gone))


class Intruder(_Somebody):
    """The same person, past Git: another change each time, all of which must be refused."""

    def act(self) -> None:
        """One change."""
        number = next(self.numbers)
        place, name = self.chance.choice(DEPLOYMENTS)
        web = f"{RESOURCES['Deployment']}/{name}".format(namespace=place)
        scaler = f"{RESOURCES['HorizontalPodAutoscaler']}/{name}".format(namespace=place)
        settings = f"{RESOURCES['ConfigMap']}/settings".format(namespace=place)
        image = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": f"evil:{number}"}]
        env = [{"op": "add", "path": "/spec/template/spec/containers/0/env", "value": [{"name": "E", "value": "1"}]}]
        changes: tuple[tuple[str, Callable[[], Any]], ...] = (
            ("an image", lambda: _patch(self.client, web, image, _PATCH)),
            ("a variable", lambda: _patch(self.client, web, env, _PATCH)),
            ("a scale", lambda: _patch(self.client, f"{web}/scale", {"spec": {"replicas": 17}}, _MERGE)),
            ("a Deployment's deletion", lambda: self.client.send("DELETE", web)),
            ("a bound", lambda: _patch(self.client, scaler, {"spec": {"maxReplicas": 50 + number}}, _MERGE)),
            ("a setting", lambda: _patch(self.client, settings, {"data": {"mode": str(number)}}, _MERGE)),
            ("a namespace's deletion", lambda: self.client.send("DELETE", f"{RESOURCES['Namespace']}/{place}")),
        )
        self.tally.refused(*changes[number % len(changes)])


def _patch(client: ApiClient, path: str, body: Any, content_type: str, query: Query | None = None) -> None:
    client.send("PATCH", path, body, query, content_type=content_type)


def path_of(tree: Tree) -> str:
    """Where the API server holds it."""
    metadata = tree["metadata"]
    return f"{RESOURCES[tree['kind']]}/{metadata['name']}".format(namespace=metadata.get("namespace", ""))


def everywhere(client: ApiClient, kind: str) -> list[Tree]:
    """All objects of a kind in the namespaces that stay."""
    path = RESOURCES[kind].replace("/namespaces/{namespace}", "")
    items: list[Tree] = client.request("GET", path)["items"]
    return [one for one in items if one["metadata"].get("namespace") in NAMESPACES]
