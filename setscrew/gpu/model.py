"""Owns the table of GPU classes as it is shown: what defines a class, what there is of it, who uses it, since when.

Must not find or print any of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, NamedTuple

from reconciler.gpu.users.model import Census, ClassName, Users
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

What = Literal["slices", "replicas", "nodes", "offered", "devices", "asks", "quota", "limit", "setting"]
_TEXTS: Final[Mapping[What, str]] = {
    "slices": "{amount} x {name} per {where}",
    "replicas": "{amount} x {name} per GPU ({where})",
    "nodes": "selected by {amount}",
    "offered": "{amount} {name} on {where}",
    "devices": "up to {amount} devices of {name} on {where}",
    "asks": "{amount} x {name} each",
    "quota": "quota {amount} {name} {where}",
    "limit": "limit {amount} {name} {where}",
    "setting": "{name} {amount} {where}",
}


class Capacity(NamedTuple):
    """One line about what there is of a class: `amount` of `name`, `where` that is; `what` says how to read them."""

    what: What
    amount: str
    name: str = ""
    where: str = ""

    def __str__(self) -> str:
        words = _TEXTS[self.what].format(amount=self.amount, name=self.name, where=self.where)
        return " ".join(words.split())

    def as_json(self) -> dict[str, str]:
        """What is known of it; empty parts are left out."""
        return {key: value for key, value in self._asdict().items() if value}


class Definition(NamedTuple):
    """An object that may define classes, and its place: `gpu/mig.yaml:12`, or `live`."""

    ref: ObjectRef
    tree: Tree
    place: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was read of a repository or cluster. `unread`: files or kinds that could not be, with the reason."""

    world: World
    census: Census
    definitions: tuple[Definition, ...]
    unread: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Guarded:
    """By which source an object is guarded, since when (RFC 3339), and the commit that declared it then; "" unknown."""

    source: str
    since: str
    commit: str


@dataclass(frozen=True, slots=True)
class Row:
    """One class by one of its definitions. `object` is None where nothing that was read defines it.

    `unknown` says why not all users can be seen, "" where they are; `users` is None where then none is seen. A change
    of the definition acts at once (`live`), at `trigger` (`latent`), or defines nothing.
    """

    name: ClassName
    object: ObjectRef | None
    place: str
    capacity: tuple[Capacity, ...]
    users: Users | None
    unknown: str = ""
    effect: str = "none"
    trigger: str = ""
    guarded: Guarded | None = None

    def as_json(self) -> dict[str, Any]:
        """The row for programs."""
        return {
            "family": self.name.family,
            "name": self.name.name,
            "definedBy": {"object": str(self.object), "place": self.place} if self.object else None,
            "effect": self.effect,
            "trigger": self.trigger,
            "capacity": [one.as_json() for one in self.capacity],
            "users": asdict(self.users) if self.users else None,
            "unknown": self.unknown,
            "guarded": asdict(self.guarded) if self.guarded else None,
        }
