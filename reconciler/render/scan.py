"""Owns reading a tree of kustomizations before kustomize does: which files it needs, and what it must not do.

Kustomize loads bases from outside the repository and fetches URLs, and has no switch against either. Here every
reference must be a file or directory inside the root; what is not listed here is not in the copy that gets built.
Runs in the render child, since it parses YAML.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

from reconciler.errors import RenderError
from reconciler.model.tree import Tree
from reconciler.render import intake
from reconciler.render.detect import kustomization_file
from reconciler.render.yaml_loader import load_documents

_REMOTE: Final = re.compile(r"://|^git::|^[\w.-]+@[\w.-]+:|^(gh|github\.com|gitlab\.com|bitbucket\.org)[:/]|\?ref=")
_TREES: Final = ("resources", "bases", "components")
_PLUGINS: Final = ("generators", "transformers", "validators")
_FILES: Final = ("crds", "configurations", "patchesStrategicMerge")
_PATHS: Final = ("patches", "patchesJson6902", "replacements")
_CHARTS: Final = ("helmCharts", "helmChartInflationGenerator", "helmGlobals")
_PLUGIN_KEYS: Final = ("path", "paths", "file", "files", "env", "envs")


class Scan:
    """One walk from an entry directory; `files` and `entry` are its result."""

    def __init__(self, root: Path, entry: Path | None = None) -> None:
        self.root = root
        self._base = entry if entry and root == Path(root.anchor) else root  # what messages are relative to
        self.files: dict[Path, None] = {}
        self._seen: set[Path] = set()

    def directory(self, directory: Path) -> Tree:
        """Walk the kustomization in `directory` and all it refers to; gives its tree."""
        intake.inside(directory, self.root)
        file = kustomization_file(directory)
        if file is None:
            raise RenderError("no kustomization file in this directory", where=self._shown(directory), code="SS3004")
        self._seen.add(directory)
        self.files[file] = None
        tree, text = self._load(file)
        for key in _CHARTS:
            if tree.get(key):
                self._refuse(file, text, key, f"{key} is not allowed", "declare the chart as a source of its own")
        for value in _strings(tree, _TREES):
            self._tree(directory, file, text, value)
        for value in _strings(tree, _PLUGINS):
            if "\n" not in value:
                self._plugin(directory, file, text, value)
        for value in _plain_files(tree):
            self._file(directory, file, text, value)
        return tree

    def _load(self, file: Path) -> tuple[dict[str, Tree], str]:
        data = intake.read(file, self.root)
        documents = list(load_documents(data, self._shown(file)))
        if len(documents) != 1 or not isinstance(documents[0].tree, dict):
            raise RenderError("a kustomization must be one YAML mapping", where=self._shown(file), code="SS3001")
        return documents[0].tree, data.decode("utf-8", "replace")

    def _tree(self, directory: Path, file: Path, text: str, value: str) -> None:
        target = self._target(directory, file, text, value)
        if not target.is_dir():
            self._file(directory, file, text, value)
        elif target not in self._seen:
            self.directory(target)

    def _plugin(self, directory: Path, file: Path, text: str, value: str) -> None:
        target = self._target(directory, file, text, value)
        if target.is_dir():
            self._tree(directory, file, text, value)
            return
        self._file(directory, file, text, value)
        for document in load_documents(intake.read(target, self.root), self._shown(target)):
            for below in _plugin_files(document.tree):
                self._file(directory, target, below, below)

    def _file(self, directory: Path, file: Path, text: str, value: str) -> None:
        target = self._target(directory, file, text, value)
        if not target.resolve().is_relative_to(directory.resolve()):
            self._refuse(file, text, value, "file outside the kustomization's directory", "")
        if not target.is_file():
            self._refuse(file, text, value, f"no such file: {value}", "")
        self.files[target] = None

    def _target(self, directory: Path, file: Path, text: str, value: str) -> Path:
        if _REMOTE.search(value):
            self._refuse(
                file, text, value, "remote bases are not fetched", "copy it into the repository, or add it as a source"
            )
        if value.startswith("/") or "\0" in value:
            self._refuse(file, text, value, "absolute paths are not allowed", "")
        target = Path(_normal(directory, value))
        if not target.is_relative_to(self.root):
            self._refuse(file, text, value, "leads out of the source", "")
        if not target.exists():
            self._refuse(file, text, value, f"no such file or directory: {value}", "")
        intake.inside(target, self.root)
        return target

    def _refuse(self, file: Path, text: str, value: str, message: str, hint: str) -> NoReturn:
        needle = value.splitlines()[0] if value else value
        line = next((number for number, row in enumerate(text.splitlines(), 1) if needle in row), 0)
        place = f"{self._shown(file)}:{line}" if line else self._shown(file)
        raise RenderError(message, where=place, hint=hint, code="SS3006")

    def _shown(self, path: Path) -> str:
        return os.path.relpath(path, self._base)


def _normal(directory: Path, value: str) -> str:
    parts = list(directory.parts)
    for part in value.split("/"):
        if part == "..":
            parts = parts[:-1] if len(parts) > 1 else parts
        elif part not in {"", "."}:
            parts.append(part)
    return str(Path(*parts))


def _strings(tree: dict[str, Tree], keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        for value in tree.get(key) or ():
            if isinstance(value, str):
                yield value


def _plain_files(tree: dict[str, Tree]) -> Iterator[str]:
    for value in _strings(tree, _FILES):
        if "\n" not in value:
            yield value
    entries = [entry for key in _PATHS for entry in tree.get(key) or ()]
    for entry in [*entries, tree.get("openapi")]:
        if isinstance(entry, dict) and isinstance(entry.get("path"), str) and entry["path"]:
            yield entry["path"]
    for key in ("configMapGenerator", "secretGenerator"):
        for entry in tree.get(key) or ():
            if isinstance(entry, dict):
                yield from _generator_files(entry)


def _generator_files(entry: dict[str, Tree]) -> Iterator[str]:
    for value in _strings(entry, ("files",)):
        yield value.partition("=")[2] or value
    yield from _strings(entry, ("envs",))
    if isinstance(entry.get("env"), str):
        yield entry["env"]


def _plugin_files(tree: Tree) -> Iterator[str]:
    """File names in a builtin plugin's configuration: `path`, `files` … at the top or in its `replacements`."""
    if not isinstance(tree, dict):
        return
    for key in _PLUGIN_KEYS:
        value = tree.get(key)
        for name in value if isinstance(value, list) else (value,):
            if isinstance(name, str) and name and "\n" not in name:
                yield name.partition("=")[2] or name
    for entry in tree.get("replacements") or ():
        yield from _plugin_files(entry)
