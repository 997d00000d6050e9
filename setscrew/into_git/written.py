"""Owns where an object stands in a file of a source, and the file with that object changed, added to or taken out.

Must not know the cluster. Files of Git are read in this process, a person's own: the loader's limits hold. Template
expressions are covered before the text is read as YAML, so that what is written around them can be found; nothing that
holds one is ever changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import yaml

from reconciler.errors import RenderError, UsageError
from reconciler.model.path import Path, index_of
from reconciler.model.tree import ABSENT, Tree, strict_equal
from reconciler.render.yaml_loader import load_documents
from setscrew.into_git.edit import NotEditableError, at_place, edited, without_lines
from setscrew.into_git.hidden import hidden_nodes
from setscrew.into_git.nodes import Node, Written, documents

# A sign that no manifest has, in place of each sign of a template expression.
COVER: Final = "\ue000"
_EXPRESSION: Final = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_LIST: Final = "items"


class NotAdoptableError(UsageError):
    """A live change that cannot be written into Git for people: the line says where its value comes from."""

    code = "SS1007"


@dataclass(frozen=True, slots=True)
class Place:
    """An object in the text of `file`: in the document of that number, below `keys` of its root where it is a List."""

    file: str
    text: str
    covered: str
    number: int
    keys: tuple[str | int, ...]
    trees: dict[int, Tree]
    nodes: tuple[Written, ...]
    is_template: bool

    @property
    def tree(self) -> Tree:
        """The object as it is written, `COVER` where template expressions stand."""
        return _below(self.trees[self.number], self.keys)

    @property
    def node(self) -> Node:
        """Where it is written."""
        return at_place(self.nodes[self.number].root, self.keys) or self.nodes[self.number].root

    @property
    def is_alone(self) -> bool:
        """Whether the file declares nothing else."""
        others = [tree for number, tree in self.trees.items() if number != self.number and tree is not None]
        return not others and (not self.keys or len(self.trees[self.number][_LIST]) == 1)

    def expression(self, path: Path) -> str:
        """The template expression that makes the value at `path` or what is around it; "" for none."""
        node: Node | None = self.node
        for key in _indices(path, self.tree):
            deeper = at_place(node, (key,)) if node is not None else None
            if deeper is None:
                break
            node = deeper
        found = _EXPRESSION.search(self.text[node.start : node.end]) if node is not None else None
        return found[0] if found and found[0].isprintable() else ""

    def line(self, path: Path) -> int:
        """The line of the value at `path`, or of the nearest one above it that is written."""
        line, node = self.node.line, self.node
        for key in _indices(path, self.tree):
            deeper = at_place(node, (key,))
            if deeper is None:
                break
            line, node = deeper.line, deeper
        return line

    def secret_lines(self) -> set[int]:
        """The lines of the file in which something stands that may be secret."""
        found = (node for number, tree in self.trees.items() for node in hidden_nodes(self.nodes[number].root, tree))
        return {line for one in found for line in range(one.line, self.text.count("\n", 0, one.end) + 2)}

    def changed(self, new: Tree) -> str:
        """The text of the file in which the object is `new`. Raises NotAdoptableError."""
        return self._again(lambda: edited(self.covered, self.node, self.tree, new), new)

    def removed(self) -> str:
        """The text of the file without the object; "" where nothing else is declared. Raises NotAdoptableError."""
        if self.is_alone:
            return ""
        if self.keys:
            root = self.trees[self.number]
            left = [one for at, one in enumerate(root[_LIST]) if at != self.keys[1]]
            whole = {**root, _LIST: left}
            return self._again(lambda: edited(self.covered, self.nodes[self.number].root, root, whole), ABSENT)
        written = self.nodes[self.number]
        start = written.start if written.marked and self.number else written.root.start
        return self._again(lambda: without_lines(self.covered, start, written.root.end), ABSENT)

    def _again(self, change: Callable[[], str], new: Tree) -> str:
        """What `change` makes, if a loader reads all else in it as before."""
        try:
            text = _uncovered(change(), self.text) if self.is_template else change()
            read = [one.tree for one in load_documents(_covered(text, self.is_template).encode(), self.file)]
        except (NotEditableError, RenderError) as error:
            raise self._refused(str(error)) from None
        if not strict_equal(read, self._wanted(new)):
            raise self._refused("anchors, merge keys or a layout that cannot be kept")
        return text

    def _wanted(self, new: Tree) -> list[Tree]:
        found = []
        for number, tree in sorted(self.trees.items()):
            if number != self.number:
                found.append(tree)
            elif self.keys:
                items = [new if at == self.keys[1] else one for at, one in enumerate(tree[_LIST])]
                found.append({**tree, _LIST: [one for one in items if one is not ABSENT]})
            elif new is not ABSENT:
                found.append(new)
        return found

    def _refused(self, why: str) -> NotAdoptableError:
        where = f"{self.file}:{self.node.line}"
        return NotAdoptableError(f"the text cannot be changed in place: {why}", where=where, hint="edit it by hand")


def find(file: str, data: bytes, line: int, *, is_template: bool = False) -> Place:
    """The object that begins in that line of a file (0: the only one of the file). Raises NotAdoptableError."""
    try:
        text = data.decode("utf-8")
        covered = _covered(text, is_template)
        trees = {one.index: one.tree for one in load_documents(covered.encode(), file)}
        nodes = tuple(documents(covered))
    except (UnicodeDecodeError, RenderError, yaml.YAMLError) as error:
        why = "a template that reads as YAML only when it is rendered" if is_template else type(error).__name__
        hint = "edit it by hand"
        raise NotAdoptableError(f"the file cannot be read as it stands: {why}", where=file, hint=hint) from None
    if "\r" in text or covered.lstrip()[:1] in ("{", "[", "\ufeff"):
        hint = "edit it by hand"
        raise NotAdoptableError("JSON, or text of another system, is not edited", where=file, hint=hint)
    for number in sorted(trees, reverse=True):
        if nodes[number].root.line <= line or len(trees) == 1:
            keys = _item(nodes[number].root, trees[number], line)
            return Place(file, text, covered, number, keys, trees, nodes, is_template)
    raise NotAdoptableError(
        "which of its documents declares the object is not known", where=file, hint="edit it by hand"
    )


def value_at(tree: Tree, path: Path) -> Tree:
    """The value at `path`, ABSENT where there is none; a key field that is left out counts as its default."""
    for element in path:
        if isinstance(element, str):
            tree = tree.get(element, ABSENT) if isinstance(tree, dict) else ABSENT
            continue
        at = element if isinstance(element, int) else index_of(element, tree)
        tree = tree[at] if isinstance(tree, list) and at is not None and at < len(tree) else ABSENT
    return tree


def _item(root: Node, tree: Tree, line: int) -> tuple[str | int, ...]:
    if (
        not isinstance(tree, dict)
        or not isinstance(tree.get(_LIST), list)
        or not str(tree.get("kind")).endswith("List")
    ):
        return ()
    items = root.at(_LIST)
    begun = [at for at, one in enumerate(items.items if items else []) if one.line <= line]
    return (_LIST, begun[-1]) if begun else ()


def _indices(path: Path, tree: Tree) -> list[str | int]:
    """The path by names and indices of `tree`, as far as that leads."""
    found: list[str | int] = []
    for element in path:
        at = element if isinstance(element, str | int) else index_of(element, tree)
        if at is None:
            break
        found.append(at)
        tree = value_at(tree, (element,))
    return found


def _below(tree: Tree, keys: tuple[str | int, ...]) -> Tree:
    for key in keys:
        tree = tree[key]
    return tree


def _covered(text: str, is_template: bool) -> str:
    """The text with each template expression hidden, sign for sign; one alone in its lines becomes a comment."""
    return _EXPRESSION.sub(lambda match: _cover(match, text), text) if is_template else text


def _cover(match: re.Match[str], text: str) -> str:
    before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
    after = text[match.end() : (text + "\n").index("\n", match.end())]
    lines = [COVER * len(line) for line in match[0].split("\n")]
    if not _EXPRESSION.sub("", before + after).strip():
        lines = [f"#{line[1:]}" for line in lines]
    return "\n".join(lines)


def _uncovered(changed: str, text: str) -> str:
    """The changed text with the expressions of the old one back in their places, of which none may be missing."""
    pieces, at = [], 0
    for match in _EXPRESSION.finditer(text):
        hidden = _cover(match, text)
        found = changed.find(hidden, at)
        if found < 0:
            raise NotEditableError("a template expression stands in what would go")
        pieces += [changed[at:found], match[0]]
        at = found + len(hidden)
    return "".join([*pieces, changed[at:]])
