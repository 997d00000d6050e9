"""Owns what Git wants in the soak: fifty Deployments with autoscalers, and what each turn changes. Must do no I/O."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

Tree = dict[str, Any]

NAMESPACES: Final = tuple(f"soak-{number}" for number in range(5))
DEPLOYMENTS: Final = tuple((place, f"web-{number}") for place in NAMESPACES for number in range(10))
_ROLLS, _MOVES = 5, 2  # Deployments that a turn gives a new image, autoscalers that get other bounds
_COMES, _GOES, _EACH = 1, 3, 4  # turns of four in which a namespace comes and goes


@dataclass(frozen=True, slots=True)
class Turn:
    """What one commit changes: objects to apply, and a namespace that is to go."""

    changed: list[Tree]
    leaving: str = ""


@dataclass(slots=True)
class World:
    """The objects of each file. Every second Deployment leaves replicas to its autoscaler, the others declare both."""

    chance: random.Random
    files: dict[str, list[Tree]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place in NAMESPACES:
            here = [one for one in DEPLOYMENTS if one[0] == place]
            self.files[place] = [
                _namespace(place),
                _settings(place),
                *(_deployment(*one, 2 if DEPLOYMENTS.index(one) % 2 else None) for one in here),
                *(_autoscaler(*one) for one in here),
            ]

    def objects(self, kind: str) -> Iterator[Tree]:
        """Every object of a kind that Git wants now."""
        return (tree for trees in self.files.values() for tree in trees if tree["kind"] == kind)

    def turn(self, number: int) -> Turn:
        """Change the files as the next commit does: images, bounds, a Job, now and then a namespace."""
        changed = self.chance.sample(list(self._lasting("Deployment")), _ROLLS)
        for tree in changed:
            tree["spec"]["template"]["spec"]["containers"][0]["image"] = f"registry.example.com/web:{number}"
        moved = self.chance.sample(list(self._lasting("HorizontalPodAutoscaler")), _MOVES)
        for tree in moved:
            low = self.chance.randint(1, 3)
            tree["spec"] |= {"minReplicas": low, "maxReplicas": low + self.chance.randint(0, 1)}
        job = _job(NAMESPACES[0], f"job-{number}")
        self.files["job"] = [job]
        guest = f"guest-{number // _EACH}"
        if number % _EACH == _COMES:
            self.files[guest] = [_namespace(guest), _settings(guest), _deployment(guest, "web", 1)]
            return Turn([*changed, *moved, job, *self.files[guest]])
        return Turn([*changed, *moved, job], guest if number % _EACH == _GOES else "")

    def _lasting(self, kind: str) -> Iterator[Tree]:
        return (tree for tree in self.objects(kind) if tree["metadata"]["namespace"] in NAMESPACES)


def _namespace(name: str) -> Tree:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _settings(place: str) -> Tree:
    metadata = {"name": "settings", "namespace": place}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mode": "production"}}


def _deployment(place: str, name: str, replicas: int | None) -> Tree:
    labels = {"app": name}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "web", "image": "registry.example.com/web:0"}]},
        },
    } | ({} if replicas is None else {"replicas": replicas})
    metadata = {"name": name, "namespace": place}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def _autoscaler(place: str, name: str) -> Tree:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": place},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3},
    }


def _job(place: str, name: str) -> Tree:
    spec = {"restartPolicy": "Never", "containers": [{"name": "job", "image": "registry.example.com/job:1"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": place},
        "spec": {"ttlSecondsAfterFinished": 1, "template": {"spec": spec}},
    }
