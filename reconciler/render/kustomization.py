"""Owns what a kustomization may say: its fields, which of them lead to files, and how it is handed to kustomize. Pure.

A closed list: kustomize takes a field in any case of its letters, and a later one may bring fields that reach outside.
What was read here is written anew as JSON, so that kustomize reads the same, whatever its own reader makes of a
duplicate key, a merge or an alias.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from reconciler.model.tree import Tree

Kind = Literal["tree", "plugin", "patch", "file"]
Reference = tuple[Kind, str]

_TREES: Final = ("resources", "bases", "components")
_PLUGINS: Final = ("generators", "transformers", "validators")
_FILES: Final = ("crds", "configurations")
_PATCHES: Final = "patchesStrategicMerge"
CHARTS: Final = ("helmCharts", "helmChartInflationGenerator", "helmGlobals")
_TEXTS: Final = (*_TREES, *_PLUGINS, *_FILES, _PATCHES)

_PATCH: Final = frozenset({"path", "patch", "target", "options"})
_GENERATOR: Final = frozenset({"name", "namespace", "behavior", "literals", "files", "envs", "env", "options"})
_ENTRIES: Final[Mapping[str, frozenset[str]]] = {
    "patches": _PATCH,
    "patchesJson6902": _PATCH,
    "replacements": frozenset({"path", "source", "targets"}),
    "configMapGenerator": _GENERATOR,
    "secretGenerator": _GENERATOR | {"type"},
}
FIELDS: Final = frozenset(
    {
        *("apiVersion", "kind", "metadata", "openapi", "namePrefix", "nameSuffix", "namespace", "commonLabels"),
        *("labels", "commonAnnotations", "images", "imageTags", "replicas", "vars", "sortOptions", "generatorOptions"),
        *("inventory", "buildMetadata", *_ENTRIES, *_TEXTS, *CHARTS),
    }
)
_FOLDED: Final = {field.casefold(): field for field in FIELDS}

# Fields of a builtin plugin's configuration that name files. Kustomize takes them in any case of their letters.
_PLUGIN_FILES: Final = frozenset({"path", "paths", "file", "files", "env", "envs", "targetfilepath"})
_PLUGIN_CHARTS: Final = "HelmChartInflationGenerator"
# What YAML takes for the end of a line, or does not take at all, where JSON does.
_NOT_YAML: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def misspelt(tree: Mapping[str, Tree]) -> Iterator[tuple[str, str]]:
    """Fields that kustomize takes for others, by their letters alone: as written, and what they are taken for."""
    for key in tree:
        known = _FOLDED.get(key.casefold(), key)
        if known != key:
            yield key, known


def unknown(tree: Mapping[str, Tree]) -> Iterator[str]:
    """Fields that this list does not have."""
    yield from tree.keys() - FIELDS


def unknown_in_entries(tree: Mapping[str, Tree]) -> Iterator[str]:
    """Fields of patches, replacements and generators that nobody knows."""
    for field, known in _ENTRIES.items():
        for entry in _list(tree, field):
            if isinstance(entry, dict):
                yield from entry.keys() - known


def wrong(tree: Mapping[str, Tree]) -> Iterator[str]:
    """Fields that name files and are no list of what they must be."""
    for field in (*_TEXTS, *_ENTRIES):
        value, of = tree.get(field), str if field in _TEXTS else dict
        if value is not None and not (isinstance(value, list) and all(isinstance(one, of) for one in value)):
            yield field


def modern(tree: dict[str, Tree]) -> dict[str, Tree]:
    """The same with texts in `patches` as `patchesStrategicMerge`: kustomize renames that in the text, YAML's alone."""
    patches = tree.get("patches")
    if not isinstance(patches, list) or not patches or not all(isinstance(one, str) for one in patches):
        return tree
    rest = {key: value for key, value in tree.items() if key != "patches"}
    return {**rest, _PATCHES: [*patches, *_list(rest, _PATCHES)]}


def references(tree: Mapping[str, Tree]) -> Iterator[Reference]:
    """All that a kustomization leads to, for one of which `wrong` has nothing to say."""
    for kind, fields in _KINDS:
        for value in _texts(tree, fields):
            yield kind, value
    for field in ("patches", "patchesJson6902", "replacements"):
        yield from (("file", path) for entry in _mappings(tree, field) if (path := _text(entry, "path")))
    openapi = tree.get("openapi")
    if isinstance(openapi, dict) and (path := _text(openapi, "path")):
        yield "file", path
    for entry in (*_mappings(tree, "configMapGenerator"), *_mappings(tree, "secretGenerator")):
        yield from (("file", value.partition("=")[2] or value) for value in _texts(entry, ("files",)))
        yield from (("file", value) for value in (*_texts(entry, ("envs",)), _text(entry, "env")) if value)


_KINDS: Final[tuple[tuple[Kind, tuple[str, ...]], ...]] = (
    ("tree", _TREES),
    ("plugin", _PLUGINS),
    ("file", _FILES),
    ("patch", (_PATCHES,)),
)


def plugin_faults(config: Tree) -> str:
    """Why a plugin's configuration is not allowed, or "": only what is built into kustomize runs, and no Helm."""
    if not isinstance(config, dict) or not isinstance(config.get("kind"), str):
        return "neither a file nor the configuration of a plugin"
    if config.get("apiVersion") != "builtin":
        return f"plugins are not run: {config['kind']} is not built in"
    return "helmCharts are not allowed" if config["kind"] == _PLUGIN_CHARTS else ""


def plugin_files(config: Mapping[str, Tree]) -> Iterator[str]:
    """The files that a builtin plugin's configuration names, at the top or in its `replacements`."""
    for key, value in config.items():
        if key.casefold() in _PLUGIN_FILES:
            for name in value if isinstance(value, list) else (value,):
                if isinstance(name, str) and name:
                    yield name.partition("=")[2] or name
        elif key.casefold() == "replacements":
            for entry in value if isinstance(value, list) else ():
                yield from plugin_files(entry) if isinstance(entry, dict) else ()


def as_json(*documents: Tree) -> str:
    """The documents as JSON that YAML reads alike."""
    text = "\n---\n".join(json.dumps(tree, ensure_ascii=False) for tree in documents)
    return _NOT_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _list(tree: Mapping[str, Tree], field: str) -> list[Tree]:
    value = tree.get(field)
    return value if isinstance(value, list) else []


def _mappings(tree: Mapping[str, Tree], field: str) -> list[dict[str, Tree]]:
    return [entry for entry in _list(tree, field) if isinstance(entry, dict)]


def _texts(tree: Mapping[str, Tree], fields: Iterable[str]) -> list[str]:
    return [value for field in fields for value in _list(tree, field) if isinstance(value, str)]


def _text(tree: Mapping[str, Tree], field: str) -> str:
    value = tree.get(field)
    return value if isinstance(value, str) else ""
