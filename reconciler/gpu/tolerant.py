"""Owns reading of trees in which anything may be of any type. Must not judge what it skips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from reconciler.gpu.templates import pod_templates
from reconciler.gpu.world import World
from reconciler.model.path import Path
from reconciler.model.quantity import quantity
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, child, dig

_MESSAGE_CHARS: Final = 80
_LARGEST: Final = 10**_MESSAGE_CHARS
_CONTAINERS: Final = ("initContainers", "containers")


def mapping(tree: Tree, *keys: str) -> dict[str, Tree]:
    """The mapping at `keys`, its entries with names of text only; empty where there is none."""
    found = dig(tree, *keys)
    return {key: value for key, value in found.items() if isinstance(key, str)} if isinstance(found, dict) else {}


def mappings(tree: Tree, *keys: str) -> Iterator[tuple[int, dict[str, Tree]]]:
    """The mappings in the list at `keys`, each with its index."""
    found = dig(tree, *keys)
    for index, item in enumerate(found if isinstance(found, list) else ()):
        if isinstance(item, dict):
            yield index, item


def text(tree: Tree, *keys: str) -> str:
    """The text at `keys`; "" where there is none."""
    found = dig(tree, *keys)
    return found if isinstance(found, str) else ""


def texts(tree: Tree, *keys: str) -> Iterator[tuple[int, str]]:
    """The texts in the list at `keys`, each with its index."""
    found = dig(tree, *keys)
    for index, item in enumerate(found if isinstance(found, list) else ()):
        if isinstance(item, str):
            yield index, item


def length(tree: Tree, *keys: str) -> int:
    """How long the list at `keys` is; 0 where there is none."""
    found = dig(tree, *keys)
    return len(found) if isinstance(found, list) else 0


def amount(value: Tree) -> Decimal | None:
    """The value of a quantity; None where there is none, or none with an end."""
    try:
        found = quantity(value)
    except ValueError:  # a number of thousands of digits
        return None
    return found if found is not None and found.is_finite() else None


def shown(value: Tree) -> str:
    """A value of a tree as one short line of a message; containers by their type."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) >= _LARGEST:
        return "a huge number"
    line = ascii(value) if isinstance(value, str) and not value.isprintable() else str(value)
    return line if len(line) <= _MESSAGE_CHARS else line[:_MESSAGE_CHARS] + "…"


def some(names: Iterable[str], most: int = 3) -> str:
    """Names for a message: the first few, and how many there are beside."""
    listed = [shown(name) for name in names]
    beside = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + beside


def counted(names: Sequence[str], what: str) -> str:
    """`2 Pods (team-a/train-0, team-a/train-1)`."""
    return f"{len(names)} {what}{'s' if len(names) > 1 else ''} ({some(names)})"


def containers(tree: Tree) -> Iterator[tuple[Path, dict[str, Tree]]]:
    """The containers of all pod templates in an object, each with its path."""
    for at, template in pod_templates(tree):
        for kind in _CONTAINERS:
            for index, container in mappings(template, "spec", kind):
                yield (*at, "spec", kind, index), container


def node_labels(world: World) -> Iterator[tuple[str, dict[str, Tree], Tree]]:
    """The nodes of the cluster: name, labels with those that Git declares over the live ones, the live node."""
    for ref, live in world.live.get(("", "Node"), {}).items():
        declared = world.desired.get(("", "Node"), {}).get(ref)
        yield ref.name, mapping(live, "metadata", "labels") | mapping(declared, "metadata", "labels"), live


def selects(selector: Mapping[str, Tree], labels: Mapping[str, Tree]) -> bool:
    """Whether a selector takes in what has these labels: an empty one takes in all."""
    return all(labels.get(name) == value for name, value in selector.items())


def leaving(ref: ObjectRef, tree: Tree, world: World) -> bool:
    """Whether a live object is on its way out: being deleted, or no longer declared by this revision."""
    return ref in world.retired.get((ref.group, ref.kind), {}) or isinstance(
        child(child(tree, "metadata"), "deletionTimestamp"), str
    )
