"""Owns what an API server makes of declared content, as far as types tell: dropped, defaulted, kept. Pure.

Where a type says nothing, the content stays as it is: this may say less than a server, never something else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.canonical.items import item_key
from reconciler.model.path import Path, field_name
from reconciler.model.tree import ABSENT, CONTAINERS, Tree
from reconciler.schema.fill import CUSTOM, Known
from reconciler.schema.types import PLAIN, TypeNode

Trie = dict[str, Any]
_EMPTY: Final[Trie] = {}
_TEXTS: Final = ("string", "bytes")


@dataclass(slots=True)
class Completed:
    """Content as a server would store it. `filled` is the trie of what was not declared.

    `remarks` are for people, `invalid` says what a server refuses; `dropped` holds fields that no type knows, by path
    (names, and items as FieldsV1 spells them).
    """

    tree: dict[str, Tree]
    filled: Trie
    remarks: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()
    dropped: dict[tuple[str, ...], Tree] = field(default_factory=dict)


def complete(declared: dict[str, Tree], node: TypeNode, kind: str) -> Completed:
    """Complete the content (no metadata, no status) of one object of `kind` (`apps/Deployment`)."""
    work = _Work(kind)
    tree, filled = work.struct(declared, node, ())
    remarks = (
        f"{'.'.join(path)}: no such field, the API server drops it (rule unknown-field-dropped)"
        for path in work.dropped
    )
    return Completed(tree, filled or {}, tuple(remarks), tuple(work.invalid), work.dropped)


@dataclass(slots=True)
class _Work:
    kind: str
    invalid: list[str] = field(default_factory=list)
    dropped: dict[tuple[str, ...], Tree] = field(default_factory=dict)

    def value(self, value: Tree, node: TypeNode, path: Path) -> tuple[Tree, Trie | None]:
        if isinstance(value, dict):
            return self.struct(value, node, path)
        if isinstance(value, list):
            return self.items(value, node, path)
        return value, None

    def struct(self, value: dict[str, Tree], node: TypeNode, path: Path) -> tuple[dict[str, Tree], Trie | None]:
        out: dict[str, Tree] = {}
        trie: Trie = {}
        known, fields, each = node.known, node.fields, node.each
        for key, declared in value.items():
            below = fields.get(key) or each
            if below is None and node.closed:
                if declared is not None:
                    self.dropped[_names((*path, key))] = declared
            elif declared is None:
                if each is not None and each.scalar in _TEXTS:
                    out[key] = ""
            else:
                if each is not None and each.scalar == "string" and not isinstance(declared, str):
                    self.invalid.append(f"{'.'.join(_names((*path, key)))}: not a string, the API server refuses it")
                is_leaf = not isinstance(declared, CONTAINERS)
                stored, filled = (declared, None) if is_leaf else self.value(declared, below or PLAIN, (*path, key))
                if known is not None and _dropped(key, stored, below or PLAIN, known):
                    # Declared, and stored as absent: so it must stay. An empty map declares none of its keys.
                    if not isinstance(stored, dict):
                        out[key] = None
                else:
                    out[key] = stored
                    if filled:
                        trie[f"f:{key}"] = filled
        if known is not None and known.fill:
            self._fill(out, trie, node, value)
        return out, trie or None

    def _fill(self, out: dict[str, Tree], trie: Trie, node: TypeNode, declared: dict[str, Tree]) -> None:
        known = node.known or CUSTOM
        added = {}
        for name, rules in known.fill.items():
            if out.get(name) is None and not (name in known.nullable and name in declared):
                for rule in rules:
                    if rule.holds(out, self.kind):
                        added[name] = rule.filled(out)
                        break
        for name, value in added.items():
            if value is not ABSENT:
                # The default of a custom resource is completed like declared content; a learned one is whole.
                whole = known.keeps is not None
                out[name] = value if whole else self.value(value, node.fields.get(name, PLAIN), (name,))[0]
                trie[f"f:{name}"] = _EMPTY

    def items(self, items: list[Tree], node: TypeNode, path: Path) -> tuple[list[Tree], Trie | None]:
        out: list[Tree] = []
        trie: Trie = {}
        below = node.item
        for index, item in enumerate(items):
            key = item_key(item, node) if node.list_type == "map" else None
            element = index if key is None else key
            done, filled = self.value(item, below, (*path, element))
            out.append(done)
            if filled:
                trie[field_name(element)] = filled
        return out, trie or None


def _names(path: Path) -> tuple[str, ...]:
    return tuple(one if isinstance(one, str) else field_name(one) for one in path)


def _dropped(key: str, value: Tree, node: TypeNode, known: Known) -> bool:
    """True for empty and zero values that the server does not store; {} of a struct says that it is there."""
    if known.keeps is None or known.open or key in known.keeps or node.scalar == "raw":
        return False
    if value is False or value in ("", []):
        return True
    if value == {} and isinstance(value, dict):
        return not node.fields
    return value == 0 and isinstance(value, int | float) and not isinstance(value, bool)
