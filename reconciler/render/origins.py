"""Owns finding where a rendered object was written: the file that a renderer names, and the line in it.

The line is a good guess by kind and name, for links and messages; 0 where it is not sure. Runs in the render child.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from reconciler.model.tree import Tree, dig
from reconciler.render import intake
from reconciler.render.yaml_loader import load_documents

ORIGIN: Final = "config.kubernetes.io/origin"
_SOURCE: Final = re.compile(r"^# Source: (\S.*?)\s*$")
_KIND: Final = re.compile(r"""^\s*(?:- )?kind:\s*["']?([\w-]+)["']?\s*(?:#.*)?$""")
_NAME: Final = re.compile(r"""^\s*(?:- )?name:\s*["']?(.+?)["']?\s*(?:#.*)?$""")
_FLOW_NAME: Final = re.compile(r"""^\s*(?:- )?metadata:\s*\{.*?\bname:\s*["']?([^"',}\s]+)""")
_EXPRESSION: Final = re.compile(r"\{\{.*?\}\}")


class Origins:
    """Looks up lines in the files below `root`, reading each once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._texts: dict[str, list[str]] = {}

    def line(self, file: str, kind: str, name: str) -> int:
        """Line (from 1) where `file` declares the object, 0 if that cannot be told."""
        lines = self._lines(file)
        found = [number for number, row in enumerate(lines) if (match := _KIND.match(row)) and match[1] == kind]
        # An indented `kind:` is a reference (subjects, targets) unless the file has nothing else: then it is a List.
        found = [number for number in found if lines[number].startswith("kind")] or found
        if len(found) > 1:
            fits = [_fit(lines, number, name) for number in found]
            best = max(fits)
            found = [number for number, fit in zip(found, fits, strict=True) if fit == best and best >= 0]
            if len(found) > 1:
                return 0
        return _top(lines, found[0]) + 1 if found else self._generator(lines, name)

    @staticmethod
    def _generator(lines: list[str], name: str) -> int:
        """The line of `name:` that a generated object (name plus hash) begins with."""
        found = [
            number for number, row in enumerate(lines, 1) if (match := _NAME.match(row)) and name.startswith(match[1])
        ]
        return found[0] if len(found) == 1 else 0

    def _lines(self, file: str) -> list[str]:
        if file not in self._texts:
            path = self._root / file
            text = intake.read(path, self._root) if path.is_file() else b""
            self._texts[file] = text.decode("utf-8", "replace").splitlines()
        return self._texts[file]


def source_comments(text: str) -> list[tuple[int, str]]:
    """Lines (from 1) of Helm's `# Source: chart/templates/x.yaml` comments that follow a `---`, with their paths."""
    rows = text.split("\n")
    return [
        (number + 1, match[1])
        for number, row in enumerate(rows)
        if number and rows[number - 1].startswith("---") and (match := _SOURCE.match(row))
    ]


def origin_file(tree: Tree, entry: str) -> tuple[str, bool]:
    """The file of kustomize's origin annotation, relative to the root, and whether a generator made the object."""
    annotation = dig(tree, "metadata", "annotations", ORIGIN)
    if not isinstance(annotation, str):
        return "", False
    origin = next((document.tree for document in load_documents(annotation.encode(), "origin")), None)
    if not isinstance(origin, dict):
        return "", False
    path, generated = origin.get("path"), origin.get("configuredIn")
    name = path if isinstance(path, str) else generated
    return (_joined(entry, name), not isinstance(path, str)) if isinstance(name, str) else ("", False)


def _joined(entry: str, name: str) -> str:
    parts: list[str] = []
    for part in f"{entry}/{name}".split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def _fit(lines: list[str], start: int, name: str) -> int:
    """How much of the built `name` stands in the document around line `start`, in characters; -1 for another's.

    Prefixes, suffixes, hashes and template expressions may be missing from what is written there.
    """
    for row in lines[start + 1 :]:
        if row.startswith("---"):
            break
        if match := _NAME.match(row) or _FLOW_NAME.match(row):
            parts = [part for part in _EXPRESSION.split(match[1]) if part]
            return sum(map(len, parts)) if all(part in name for part in parts) else -1
    return -1


def _top(lines: list[str], number: int) -> int:
    """The `apiVersion:` line right above `kind:`, if it stands there."""
    return number - 1 if number and lines[number - 1].lstrip(" -").startswith("apiVersion:") else number
