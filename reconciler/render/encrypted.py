"""Owns what Git holds encrypted: an object of SOPS declares its keys, not its values, and says so. Pure.

Nobody here has a key, so the values of such an object are any; that they are there, and no others, is held.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from reconciler.model.objects import RenderedObject
from reconciler.model.path import ROOT, Path, pointer
from reconciler.model.tree import Tree, dig

_SHOWN: Final = 5
_SOPS: Final = "sops"
_VALUE: Final = re.compile(r"ENC\[.*\]", re.DOTALL)
# By these a SOPS file is known, also inside a value of a Secret: YAML, JSON and binary, dotenv, INI.
_FILE: Final = re.compile(rb'^\s*mac: ENC\[|"mac": ?"ENC\[|^sops_mac=ENC\[|^\[sops\]$', re.MULTILINE)
_LINES: Final = ("sops_mac", "sops_version")
# What kustomize puts behind the name of a generated Secret: made of the content, which is not known.
_HASHED: Final = re.compile(r".*-[2456789bcdfghkmt]{10}")
# Valid for every type of Secret: base64 of `{}`.
_ANY: Final = "e30="


def held_by_keys(found: Sequence[RenderedObject]) -> tuple[tuple[RenderedObject, ...], tuple[str, ...]]:
    """The objects, those that are encrypted with their values marked as `generated`, and notes about them."""
    objects: list[RenderedObject] = []
    unnamed: dict[str, RenderedObject] = {}
    for one in found:
        opened = _opened(one)
        if opened is not one and _is_secret(one.tree) and _of_files(one.tree) and _HASHED.fullmatch(one.ref.name):
            unnamed[one.ref.name] = one
        else:
            objects.append(opened)
    changed = [str(one.ref) for one, before in zip(objects, _without(found, unnamed), strict=True) if one is not before]
    if unnamed:
        objects = [_without_names(one, unnamed) for one in objects]
    sealed = [str(one.ref) for one in found if (one.ref.group, one.ref.kind) == ("bitnami.com", "SealedSecret")]
    notes = (
        *_note(changed, "encrypted in Git, so that their keys are held, not their values"),
        *_note([str(one.ref) for one in unnamed.values()], _LEFT_OUT),
        *_note(sealed, "what their controller makes of them is not declared by Git, so it is not guarded"),
    )
    return tuple(objects), notes


_LEFT_OUT: Final = "left out: kustomize names them by their content, which is encrypted; set disableNameSuffixHash"


def _without(found: Iterable[RenderedObject], unnamed: dict[str, RenderedObject]) -> list[RenderedObject]:
    return [one for one in found if unnamed.get(one.ref.name) is not one]


def _opened(one: RenderedObject) -> RenderedObject:
    """`one` without what SOPS keeps for itself, its encrypted values marked; itself where nothing is encrypted."""
    tree = one.tree
    paths: list[Path] = []
    if isinstance(dig(tree, _SOPS, "mac"), str):
        tree = {key: value for key, value in tree.items() if key != _SOPS}
        paths += _encrypted(tree, ROOT)
    if _is_secret(tree):
        tree, inside = _opened_data(tree)
        paths += inside
    if tree is one.tree:
        return one
    for path in paths:
        if path[0] == "data" and _is_secret(tree):
            tree = {**tree, "data": {**tree["data"], path[1]: _ANY}}
    marks = {*one.generated, *(pointer(path, tree) for path in paths)}
    return replace(one, tree=tree, generated=tuple(sorted(marks)))


def _opened_data(secret: Tree) -> tuple[Tree, list[Path]]:
    """A Secret whose values are SOPS files, or come of one with a line a value: without SOPS's own lines, and where."""
    data = secret.get("data")
    if not isinstance(data, dict) or not _of_files(secret):
        return secret, []
    lines = all(key in data for key in _LINES)
    kept = {key: value for key, value in data.items() if not (lines and key.startswith(f"{_SOPS}_"))}
    texts = {key: _decoded(value) for key, value in kept.items()}
    hidden = [key for key, text in texts.items() if _FILE.search(text) or _VALUE.fullmatch(text.decode("latin-1"))]
    return {**secret, "data": kept}, [("data", key) for key in hidden]


def _of_files(secret: Tree) -> bool:
    data = secret.get("data")
    if not isinstance(data, dict):
        return False
    return all(key in data for key in _LINES) or any(_FILE.search(_decoded(value)) for value in data.values())


def _is_secret(tree: Tree) -> bool:
    return bool(tree.get("kind") == "Secret" and tree.get("apiVersion") == "v1")


def _decoded(value: Tree) -> bytes:
    try:
        return base64.b64decode(value) if isinstance(value, str) else b""
    except binascii.Error:
        return b""


def _encrypted(tree: Tree, path: Path) -> Iterator[Path]:
    return (place for place, text in _texts(tree, path) if _VALUE.fullmatch(text))


def _texts(tree: Tree, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _texts(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _texts(value, (*path, index))
    elif isinstance(tree, str):
        yield path, tree


def _without_names(one: RenderedObject, names: Iterable[str]) -> RenderedObject:
    """`one` with every text that is one of `names` marked: another name stands there in the cluster."""
    known = frozenset(names)
    marks = {pointer(path, one.tree) for path, text in _texts(one.tree, ROOT) if text in known}
    return replace(one, generated=tuple(sorted({*one.generated, *marks}))) if marks else one


def _note(names: Sequence[str], what: str) -> Iterator[str]:
    if names:
        shown = ", ".join(islice(names, _SHOWN)) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        yield f"{what}: {shown}"
