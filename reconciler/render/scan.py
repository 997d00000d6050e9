"""Owns reading a tree of kustomizations before kustomize does: which files it needs, and what it must not do.

Kustomize loads bases from outside the repository and fetches URLs, and has no switch against either. Here every
reference must be a file or directory inside the root; what is not listed here is not in the copy that gets built.
Runs in the render child, since it parses YAML.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final, NoReturn

from reconciler import limits
from reconciler.errors import RenderError
from reconciler.model.tree import Tree
from reconciler.render import intake, kustomization
from reconciler.render.detect import kustomization_file
from reconciler.render.document import Document
from reconciler.render.edits import Edits, edited
from reconciler.render.yaml_loader import load_documents

# Whatever kustomize, now or before, took for something to fetch: URLs, `git::`, `user@host:`, hosts without a scheme.
_REMOTE: Final = re.compile(
    r"://|::|^[a-z][a-z0-9+.-]*:|^[\w.-]+@[\w.-]+[:/]|^(github\.com|gitlab\.com|bitbucket\.org)/|(^|/)_git/|\?",
    re.IGNORECASE,
)
_COPY: Final = "copy it into the repository, or add it as a source"


class Scan:
    """One walk from an entry directory. Its results are `files`, and the texts to be `written` in place of some."""

    def __init__(self, root: Path, entry: Path | None = None, *, loose: bool = False) -> None:
        self.root = root
        self._loose = loose  # files may stand outside the directory of their kustomization
        self._base = entry if entry and root == Path(root.anchor) else root  # what messages are relative to
        self.files: dict[Path, None] = {}
        self.written: dict[Path, str] = {}
        self._seen: set[Path] = set()
        self._deep = 0

    def directory(self, directory: Path, edits: Edits | None = None) -> Tree:
        """Walk the kustomization in `directory`, edited, and all it refers to; gives its tree."""
        intake.inside(directory, self.root)
        file = kustomization_file(directory)
        if file is None:
            raise RenderError("no kustomization file in this directory", where=self.shown(directory), code="SS3004")
        self._seen.add(directory)
        self.files[file] = None
        tree, text = self.load(file)
        if edits is not None:
            tree = edited(tree, edits, self.shown(file), lambda name: (directory / name).exists())
        for key in kustomization.unknown(tree):
            self._refuse(file, text, key, f"{key} is no field of a kustomization", "")
        if self._deep >= limits.BASES_DEEP:
            raise RenderError(f"more than {limits.BASES_DEEP} bases deep", where=self.shown(file), code="SS3035")
        self._deep += 1
        self.follow(directory, file, tree, text)
        self._deep -= 1
        return tree

    def follow(self, directory: Path, file: Path, tree: dict[str, Tree], text: str) -> None:
        """Walk all that the kustomization `tree` in `directory` refers to; `text` of its `file` tells lines.

        What kustomize might read otherwise than it was read here is replaced in `tree` by what was read.
        """
        for key in kustomization.CHARTS:
            if tree.get(key):
                self._refuse(file, text, key, f"{key} is not allowed", "declare the chart as a source of its own")
        for key in kustomization.unknown_in_entries(tree):
            self._refuse(file, text, key, f"{key} is no field of a patch, replacement or generator", "")
        for key in kustomization.wrong(tree):
            self._refuse(file, text, key, f"{key} is not a list of what it must be", "", code="SS3001")
        for kind, value in list(kustomization.references(tree)):
            if kind == "tree":
                self._tree(directory, file, text, value)
            elif kind == "plugin":
                self._plugin(directory, file, text, value, tree)
            elif kind == "file" or not self._inline(file, value, tree):
                self._file(directory, file, text, value)
        self.written[file] = kustomization.as_json(tree)

    def load(self, file: Path) -> tuple[dict[str, Tree], str]:
        """The tree and the text of a kustomization."""
        data = intake.read(file, self.root)
        text = data.decode("utf-8", "replace")
        documents = list(load_documents(data, self.shown(file)))
        if len(documents) != 1 or not isinstance(documents[0].tree, dict):
            raise RenderError("a kustomization must be one YAML mapping", where=self.shown(file), code="SS3001")
        for key, known in kustomization.misspelt(documents[0].tree):
            self._refuse(file, text, key, f"{key} would be taken for {known}", f"write {known}")
        return kustomization.modern(documents[0].tree), text

    def _tree(self, directory: Path, file: Path, text: str, value: str) -> None:
        target = self._target(directory, file, text, value)
        if not target.is_dir():
            self._file(directory, file, text, value)
        elif target not in self._seen:
            self.directory(target)

    def _plugin(self, directory: Path, file: Path, text: str, value: str, tree: dict[str, Tree]) -> None:
        if documents := self._documents(file, value):
            self._configured(directory, file, text, documents)
            _replace(tree, value, kustomization.as_json(*(one.tree for one in documents)))
            return
        target = self._target(directory, file, text, value)
        if target.is_dir():
            # What it builds to is the configuration, and cannot be known before it is built.
            self._refuse(file, text, value, "a plugin's configuration must be a file, not a directory", "")
        self._file(directory, file, text, value)
        data = intake.read(target, self.root)
        documents = list(load_documents(data, self.shown(target)))
        self._configured(directory, target, data.decode("utf-8", "replace"), documents)
        self.written[target] = kustomization.as_json(*(one.tree for one in documents))

    def _configured(self, directory: Path, file: Path, text: str, documents: list[Document]) -> None:
        for document in documents:
            config = document.tree
            if fault := kustomization.plugin_faults(config):
                hint = "render what it makes into the repository"
                needle = str(config.get("kind", "")) if isinstance(config, dict) else ""
                self._refuse(file, text, needle, fault, hint)
            for name in kustomization.plugin_files(config):
                self._file(directory, file, text, name)

    def _inline(self, file: Path, value: str, tree: dict[str, Tree]) -> bool:
        """True where `value` is a patch and not the name of one. Kustomize tries the same, in this order."""
        documents = self._documents(file, value)
        if documents:
            _replace(tree, value, kustomization.as_json(*(one.tree for one in documents)))
        return bool(documents)

    def _documents(self, file: Path, value: str) -> list[Document]:
        """The documents in a text that is not the name of a file, else nothing."""
        if "\n" not in value:
            return []
        documents = list(load_documents(value.encode("utf-8", "replace"), self.shown(file)))
        return documents if all(isinstance(one.tree, dict) and "kind" in one.tree for one in documents) else []

    def _file(self, directory: Path, file: Path, text: str, value: str) -> None:
        target = self._target(directory, file, text, value)
        if not self._loose and not target.resolve().is_relative_to(directory.resolve()):
            self._refuse(file, text, value, "file outside the kustomization's directory", "")
        if not target.is_file():
            self._refuse(file, text, value, f"no such file: {value}", "")
        self.files[target] = None

    def _target(self, directory: Path, file: Path, text: str, value: str) -> Path:
        if _REMOTE.search(value):
            self._refuse(file, text, value, "remote bases are not fetched", _COPY)
        if value.startswith("/") or not value.isprintable():
            self._refuse(file, text, value, "absolute paths are not allowed" if value[0] == "/" else "no path", "")
        target = Path(_normal(directory, value))
        if not target.is_relative_to(self.root):
            self._refuse(file, text, value, "leads out of the source", "")
        if not _is_there(target):
            self._refuse(file, text, value, f"no such file or directory: {value}", "")
        intake.inside(target, self.root)
        return target

    def _refuse(self, file: Path, text: str, value: str, message: str, hint: str, code: str = "SS3006") -> NoReturn:
        needle = value.splitlines()[0] if value else value
        line = next((number for number, row in enumerate(text.splitlines(), 1) if needle in row), 0)
        place = f"{self.shown(file)}:{line}" if line else self.shown(file)
        raise RenderError(message, where=place, hint=hint, code=code)

    def shown(self, path: Path) -> str:
        """A path as messages name it."""
        return os.path.relpath(path, self._base)


def _replace(tree: dict[str, Tree], old: str, new: str) -> None:
    """Put `new` in place of the text `old` in each list of `tree`."""
    for key, value in tree.items():
        if isinstance(value, list):
            tree[key] = [new if one == old else one for one in value]


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than any file's
        return False


def _normal(directory: Path, value: str) -> str:
    parts = list(directory.parts)
    for part in value.split("/"):
        if part == "..":
            parts = parts[:-1] if len(parts) > 1 else parts
        elif part not in {"", "."}:
            parts.append(part)
    return str(Path(*parts))
