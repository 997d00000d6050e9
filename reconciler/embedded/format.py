"""Owns the shape of a known kind of document: how it is recognised and what its values mean. Must not hold one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from reconciler.embedded.parser import Parser
from reconciler.model.tree import Tree
from reconciler.policy.model import SemanticRule
from reconciler.schema.semantics import NOTHING_SAID, Semantics
from reconciler.schema.types import PLAIN, TypeNode


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of document.

    `words`: a text without any of them is surely none. `recognises` takes whatever a parser gives. `normal` spells
    values as the reader of the document understands them and puts in its defaults; lists keep their length and order,
    so that indices stay those of the text, and what is not as expected stays as it is. `closed`: what Git does not
    declare in it is drift even where a policy leaves undeclared content to others. `reader` reads what is neither YAML
    nor JSON. `rule` is the rule about GPU classes that a document breaks which cannot be read.
    """

    name: str
    title: str
    words: tuple[str, ...]
    recognises: Callable[[Tree], bool]
    normal: Callable[[Tree], Tree] = lambda tree: tree
    types: TypeNode = PLAIN
    semantics: Semantics = NOTHING_SAID
    closed: bool = False
    reader: Parser | None = None
    rule: str = ""

    @property
    def flag(self) -> str:
        """The rule for the end of a sentence: ` (MIG-06)`, or nothing."""
        return f" ({self.rule})" if self.rule else ""


def struct(**fields: TypeNode) -> TypeNode:
    """The type of a mapping; `_` in a name stands for `-`."""
    return TypeNode(fields={name.replace("_", "-"): node for name, node in fields.items()})


def each(node: TypeNode) -> TypeNode:
    """The type of a free mapping, or of a list whose order is a value."""
    return TypeNode(each=node)


SET = TypeNode(list_type="set")


def changed(tree: Tree, key: str, change: Callable[[Tree], Tree]) -> Tree:
    """`tree` with the value under `key` changed, if there is one."""
    if not isinstance(tree, dict) or key not in tree:
        return tree
    return {**tree, key: change(tree[key])}


def as_list(value: Tree) -> Tree:
    """A scalar where readers also take a list of one."""
    return value if value is None or isinstance(value, list | dict) else [value]


def without_empties(tree: Tree) -> Tree:
    """`tree` without null, {} and [] in mappings, for readers to whom they mean nothing; items of lists stay."""
    if isinstance(tree, dict):
        kept = {key: without_empties(value) for key, value in tree.items()}
        return {key: value for key, value in kept.items() if value is not None and value not in ({}, [])}
    return [without_empties(item) for item in tree] if isinstance(tree, list) else tree


_NULL: Final = "\0null"


def nulls_said(tree: Tree) -> Tree:
    """`tree` with each null in a mapping as a value of its own, for readers who tell it from nothing at all."""
    if isinstance(tree, dict):
        return {key: _NULL if value is None else nulls_said(value) for key, value in tree.items()}
    return [nulls_said(item) for item in tree] if isinstance(tree, list) else tree


def nulls_read(tree: Tree) -> Tree:
    """The reverse of `nulls_said`, for people."""
    if isinstance(tree, dict):
        return {key: nulls_read(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [nulls_read(item) for item in tree]
    return None if tree == _NULL else tree


EMPTY_MATTERS = SemanticRule(
    id="empty-equals-absent",
    kinds=("*",),
    paths=("**",),
    reason="in a document that is read as it stands, an empty section is there",
    meaning="meaningful-empty",
)
