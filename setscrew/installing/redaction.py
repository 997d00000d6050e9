"""Owns what of an object may leave a cluster in a bundle for support: shape and state, no secret. Pure.

What may hold a secret by its place is named with its size and left out; in all other texts credentials are cut that can
be told by their form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from reconciler.model.tree import Tree

_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
# Members whose content is anybody's: Helm values and parameters, patches, variables of containers, data.
_ANYBODYS: Final = frozenset({"values", "parameters", "patches", "data", "binaryData", "stringData", _LAST_APPLIED})
# A value beside a name, as in `env` of a container.
_NAMED: Final = frozenset({"env"})
# ConfigMaps of ours hold names only.
_OPEN: Final = frozenset({"setscrew-installation", "setscrew-levers"})
_FORMS: Final = (
    (re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s\"']+@"), r"\1"),
    (re.compile(r"(?i)((?:bearer|basic|token)\s+)[A-Za-z0-9._~+/=-]{16,}"), r"\1(cut)"),
    (
        re.compile(r"(?i)((?:password|passwd|secret|token|api[-_]?key)[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&]{4,}"),
        r"\1(cut)",
    ),
    (re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*"), "(cut)"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), "(cut)"),
    (re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abp]-|AKIA)[A-Za-z0-9_-]{10,}"), "(cut)"),
)


def redacted(tree: Mapping[str, Any]) -> dict[str, Any]:
    """An object as it may be given away."""
    if tree.get("kind") == "Secret":
        return _secret(tree)
    is_open = tree.get("kind") == "ConfigMap" and tree["metadata"].get("name") in _OPEN
    return {key: _below(key, value, open_=is_open) for key, value in tree.items()}


def cut(text: str) -> str:
    """A text without what has the form of a credential."""
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    return text


def _secret(tree: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: tree["metadata"].get(key) for key in ("name", "namespace", "creationTimestamp", "labels")}
    sizes = {str(key): _size(value) for key, value in (tree.get("data") or {}).items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": tree.get("type"), "sizes": sizes}


def _below(key: str, value: Tree, *, open_: bool = False) -> Tree:
    if key in _ANYBODYS and not open_:
        return _sized(value)
    if key in _NAMED and isinstance(value, list):
        return [_named(one) for one in value]
    if isinstance(value, dict):
        return {name: _below(name, one, open_=open_) for name, one in value.items()}
    if isinstance(value, list):
        return [_below("", one, open_=open_) for one in value]
    return cut(value) if isinstance(value, str) else value


def _named(one: Tree) -> Tree:
    return {**one, "value": _sized(one["value"])} if isinstance(one, dict) and "value" in one else one


def _sized(value: Tree) -> Tree:
    """What is left of content: its keys where it has some, and how large it is."""
    if isinstance(value, dict):
        return {str(key): f"({_size(one)} characters, left out)" for key, one in value.items()}
    return f"({_size(value)} characters, left out)"


def _size(value: Tree) -> int:
    return len(value if isinstance(value, str) else repr(value))
