"""Owns what a change hits of GPU classes: rows of the table, and classes. Must not count users, nor word them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from reconciler.embedded.parser import Parser
from reconciler.gpu.users.model import Census, ClassName
from reconciler.gpu.users.rows import rows_of
from reconciler.gpu.users.told import as_json, told
from reconciler.gpu.users.touched import touched
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, strict_equal
from reconciler.policy.model import GpuClass, Rules

_AROUND: Final = ("apiVersion", "kind", "metadata", "status")


class Hit(NamedTuple):
    """`names` are the classes; none where the object is latent configuration whose users have no names."""

    names: tuple[ClassName, ...]
    rows: tuple[GpuClass, ...]

    def lines(self, census: Census | None) -> tuple[str, ...]:
        """See `told`; without a class at least when it acts."""
        latent = (f"Latent: nothing happens before {row.trigger}" for row in self.rows if row.effect == "latent")
        return told(self.names, census, self.rows) or tuple(latent)[:1]

    def as_json(self, census: Census | None) -> dict[str, Any]:
        """See `told.as_json`, with the lines for people."""
        found = as_json(self.names, census, self.rows) | {"lines": self.lines(census)}
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))  # lists, no tuples
        return plain


def hit(rules: Rules, ref: ObjectRef, was: Tree, now: Tree, parse: Parser) -> Hit | None:
    """What a change from `was` to `now` (either may be ABSENT) hits; None where it changes no GPU class."""
    rows = rows_of(rules, ref, was, parse) or rows_of(rules, ref, now, parse)
    names = touched(ref, was, now, parse) if rows else ()
    latent = any(row.effect == "latent" for row in rows) and not _same(was, now)
    return Hit(names, rows) if names or latent else None


def _same(was: Tree, now: Tree) -> bool:
    try:
        return strict_equal(_content(was), _content(now))
    except RecursionError:
        return False


def _content(tree: Tree) -> Tree:
    return {key: value for key, value in tree.items() if key not in _AROUND} if isinstance(tree, dict) else ABSENT
