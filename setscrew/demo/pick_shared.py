"""Owns what every picked change has: its step, the declared value it moves, and the patch that puts that back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.model.tree import ABSENT, Tree
from setscrew.demo.own_source_plan import Declared
from setscrew.demo.stage import Stage
from setscrew.demo.step import ADMIN, Check, Probe, Step

Place = tuple[str | int, ...]
Picker = Callable[[Sequence[Declared]], Iterator["Pick"]]


@dataclass(frozen=True, slots=True)
class Pick:
    """A change that must be refused. `path` is the declared value that it moves, () where it moves none."""

    step: Step
    on: Declared
    path: Place = ()

    @property
    def repair(self) -> tuple[str, ...]:
        """The command that puts Git's value back; the pick must have a path."""
        return patch(self.on, [{"op": "add", "path": as_pointer(self.path), "value": at(self.on.tree, self.path)}])


def change(title: str, why: str, argv: Sequence[str], on: Declared, path: Place = ()) -> Pick:
    """A pick whose answer is checked twice: by the denial's words and by what the cluster holds afterwards."""
    if path:
        check = Check("the cluster holds what Git says", value(on, path), spelled(at(on.tree, path)))
    else:
        check = Check("the object is there", there(on), "there")
    step = Step(title, why, ("kubectl", *argv), "refused", ADMIN, (on.ref.name,), (check,))
    return Pick(step, on, path)


def target(on: Declared) -> tuple[str, ...]:
    """`deployments.apps/web -n shop`, as kubectl takes it without guessing a group."""
    kind = f"{on.kind.resource}.{on.kind.group}" if on.kind.group else on.kind.resource
    place = ("-n", on.ref.namespace) if on.ref.namespace else ()
    return (f"{kind}/{on.ref.name}", *place)


def patch(on: Declared, operations: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """A JSON patch; "add" on a value that is there replaces it."""
    return ("kubectl", "patch", *target(on), "--type=json", "-p", json.dumps(operations))


def merge(on: Declared, body: Mapping[str, Any]) -> tuple[str, ...]:
    """A merge patch, without the program's name."""
    return ("patch", *target(on), "--type=merge", "-p", json.dumps(body))


def as_pointer(path: Place) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def at(tree: Tree, path: Place) -> Tree:
    """The value at a path of names and indices, or ABSENT."""
    for part in path:
        if isinstance(tree, list) and isinstance(part, int) and part < len(tree):
            tree = tree[part]
        elif isinstance(tree, Mapping) and part in tree:
            tree = tree[str(part)]
        else:
            return ABSENT
    return tree


def spelled(tree: Tree) -> str:
    """A value for checks to compare: keys in order, since the API server keeps those of its types and Git its own."""
    return "absent" if tree is ABSENT else json.dumps(tree, sort_keys=True)


def value(on: Declared, path: Place) -> Probe:
    """A probe: the live value as `spelled` writes it, or kubectl's words."""

    def look(stage: Stage) -> str:
        done = stage.plane.kubectl("get", *target(on), "-o", "json", check=False)
        if done.returncode:
            return done.stderr.strip()
        return spelled(at(json.loads(done.stdout), path))

    return look


def there(on: Declared) -> Probe:
    """A probe: "there" while the object exists and is not being deleted."""

    def look(stage: Stage) -> str:
        marks = stage.plane.kubectl("get", *target(on), "-o", "jsonpath={.metadata.deletionTimestamp}", check=False)
        return "there" if marks.returncode == 0 and not marks.stdout else "going or gone"

    return look


def labelled(on: Declared) -> Iterator[tuple[str, str]]:
    """Labels that Git declares on the object itself."""
    labels = at(on.tree, ("metadata", "labels"))
    if isinstance(labels, Mapping):
        yield from ((str(key), str(text)) for key, text in labels.items())
