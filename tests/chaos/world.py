"""Owns what Git wants in a chaos run, and names of what it does not. Must do no I/O but write files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

NAMESPACE: Final = "chaos"
GUARDED: Final = tuple(f"guarded-{number}" for number in range(20))
FREE: Final = tuple(f"free-{number}" for number in range(5))
TURN: Final = "turn"  # the one object that each commit of the run changes; nobody writes to it
Tree = dict[str, Any]


def fill(work: Path, turn: int = 0) -> None:
    """All files of the desired state; `turn` goes into one object."""
    directory = work / "chaos"
    directory.mkdir(exist_ok=True)
    objects = [_map(name, {"mode": "production"}) for name in GUARDED] + [_map(TURN, {"number": str(turn)})]
    (directory / "all.yaml").write_text("---\n".join(json.dumps(one) + "\n" for one in (_namespace(), *objects)))


def objects_now() -> list[Tree]:
    """What stands in the cluster at the start: all that Git wants, and what it does not know."""
    declared = [_map(name, {"mode": "production"}) for name in GUARDED] + [_map(TURN, {"number": "0"})]
    return [_namespace(), *declared, *(_map(name, {}) for name in FREE)]


def policy(failure: str) -> Tree:
    """A policy that refuses, with the given failurePolicy."""
    spec = {"priority": 10, "match": [{"sources": ["*"]}], "action": "Deny", "failurePolicy": failure}
    return {"apiVersion": "setscrew.dev/v1alpha1", "kind": "DriftPolicy", "metadata": {"name": "chaos"}, "spec": spec}


def _namespace() -> Tree:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def _map(name: str, data: dict[str, str]) -> Tree:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
