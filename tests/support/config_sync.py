"""Owns a model of Config Sync's admission webhook ("prevent drift"), after its source at bd5fadf of 2025-08-29.

It decides from the two objects and the marks on them: it never looks at Git. Must not know our own rule.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any, Final

MANAGED: Final = "configmanagement.gke.io/managed"
FIELDS: Final = "configsync.gke.io/declared-fields"
IGNORE: Final = "client.lifecycle.config.k8s.io/mutation"
_OURS: Final = ("configmanagement.gke.io/", "configsync.gke.io/", IGNORE)
_ACCOUNTS: Final = "system:serviceaccount:config-management-system:"
_KEYS: Final = {"containers": ("name",), "env": ("name",), "volumes": ("name",), "ports": ("containerPort", "protocol")}

Paths = Iterator[tuple[tuple[str, ...], Any]]


class UncomputableError(Exception):
    """The structured difference cannot be made: keys twice, or a field that the schema of the start does not know."""


def allows(request: dict[str, Any], unknown: Collection[str] = ()) -> bool:
    """Its answer to one request of an AdmissionReview; `unknown` are fields that its schema of the start lacks."""
    old, new, operation = request["oldObject"] or {}, request["object"] or {}, request["operation"]
    if request["subResource"] or request["userInfo"]["username"].startswith(_ACCOUNTS):
        return True
    if operation == "DELETE":
        return "deletionTimestamp" in old["metadata"] or not _managed(old)
    if operation != "UPDATE" or not (_managed(old) or _managed(new)):
        return operation != "CREATE" or not _managed(new)
    try:
        before, after = (dict(_leaves(tree, unknown)) for tree in (old, new))
    except UncomputableError:
        return True
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    if any(path[:2] == ("metadata", "annotations") and path[-1].startswith(_OURS) for path in changed):
        return False
    if _annotation(old, IGNORE) == "ignore" or not _annotation(old, FIELDS):
        return True
    return changed.isdisjoint(tuple(path) for path in json.loads(_annotation(old, FIELDS)))


def marked(tree: dict[str, Any], declared: dict[str, Any]) -> dict[str, Any]:
    """An object as its reconciler leaves it: with the paths that Git declares, and no value of them."""
    fields = json.dumps([path for path, _ in _leaves(declared) if path[0] != "apiVersion"])
    annotations = {**tree["metadata"].get("annotations", {}), MANAGED: "enabled", FIELDS: fields}
    return {**tree, "metadata": {**tree["metadata"], "annotations": annotations}}


def _annotation(tree: dict[str, Any], key: str) -> str:
    return str(tree.get("metadata", {}).get("annotations", {}).get(key, ""))


def _managed(tree: dict[str, Any]) -> bool:
    return _annotation(tree, MANAGED) == "enabled"


def _leaves(tree: Any, unknown: Collection[str] = (), at: tuple[str, ...] = ()) -> Paths:
    """Every path with its value: items of keyed lists by their keys, other lists whole."""
    if isinstance(tree, dict) and tree:
        if any(key in tree for key in unknown):
            raise UncomputableError
        for key, value in tree.items():
            yield from _leaves(value, unknown, (*at, key))
    elif isinstance(tree, list) and at[-1] in _KEYS:
        names = [json.dumps([item.get(key, "TCP") for key in _KEYS[at[-1]]]) for item in tree]
        if any(count > 1 for count in Counter(names).values()):
            raise UncomputableError
        for name, item in zip(names, tree, strict=True):
            yield from _leaves(item, unknown, (*at, name))
    else:
        yield at, tree
