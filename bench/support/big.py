"""Owns the big objects that servers are measured with: a ConfigMap of 1 MB, a resource of 3 MB. Must not time."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from reconciler.canonical.engine import Context, canonicalize, confirm
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.policy.select import policy_for
from reconciler.snapshot.model import Entry
from support.cases import NAMESPACE, Case, review
from support.large import crd

Tree = dict[str, Any]
_KEYS: Final = 100
_ITEMS: Final = 12_600
_PLACE: Final = Provenance("shop", "", "shop/base/big.yaml", 1, 0, "yaml")
CRD: Final = crd()


@dataclass(frozen=True, slots=True)
class Big:
    """An object, its resource, and the one field that somebody changes: a path into it and Git's value."""

    name: str
    resource: tuple[str, str, str]
    declared: Tree
    path: tuple[str | int, ...]

    @property
    def value(self) -> str:
        """What Git says at `path`."""
        return str(_at(self.declared, self.path))

    def cases(self) -> Iterator[Case]:
        """A change that concerns nobody, and one of a declared value."""
        old = _stored(self.declared)
        for name, code, change in (("allow", "conforms", _touch), ("deny", "drift", self._move)):
            new = copy.deepcopy(old)
            change(new)
            new["metadata"]["resourceVersion"] = "4712"
            yield Case(f"{self.name} {name}", review("UPDATE", self.resource, new, old), code)

    def _move(self, tree: Tree) -> None:
        _at(tree, self.path[:-1])[self.path[-1]] = "/somewhere/else"

    def entry(self, context: Context) -> Entry:
        """The object as a snapshot holds it."""
        offline = canonicalize(RenderedObject(self.declared, _PLACE), context)
        form = confirm(offline, _stored(self.declared), (), context)
        policy = policy_for(context.rules.policies, form.ref, "shop", {})
        if policy is None:
            raise RuntimeError("the built-in policies do not guard it")
        return Entry(form, policy)


def big() -> tuple[Big, Big]:
    """The two objects."""
    metadata = {"name": "big", "namespace": NAMESPACE}
    data = {f"key{number:04}": f"line {number} of a long text\n" * 430 for number in range(_KEYS)}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    items = [_item(number) for number in range(_ITEMS)]
    bulk = {"apiVersion": "example.com/v1", "kind": "Bulk", "metadata": metadata, "spec": {"keyed": items}}
    return (
        Big("1 MB", ("", "v1", "configmaps"), config, ("data", "key0007")),
        Big("3 MB", ("example.com", "v1", "bulks"), bulk, ("spec", "keyed", 7, "to", "path")),
    )


def _item(number: int) -> Tree:
    peers = [{"host": f"{letter}-{number}.backend.example.com", "weight": number} for letter in "abc"]
    return {"name": f"rule-{number:05}", "from": peers, "to": {"port": number, "path": f"/v1/{number}"}, "port": number}


def _at(tree: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def _stored(declared: Tree) -> Tree:
    tree = json.loads(json.dumps(declared))
    tree["metadata"] |= {
        "uid": "7d2c7b1e-6a57-4f7c-9d0e-3f1f3f0a4c12",
        "resourceVersion": "4711",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return tree


def _touch(tree: Tree) -> None:
    tree["metadata"]["annotations"] = {"example.com/seen": "yes"}
