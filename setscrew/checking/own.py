"""Owns what is wrong with documents of Setscrew itself: GitSource, DriftPolicy, rules. Must not judge other objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from reconciler.errors import UsageError
from reconciler.model.objects import RenderedObject
from reconciler.model.own import GROUP
from reconciler.model.tree import Tree, dig
from reconciler.policy.parse import RULE_KINDS, parse_rules
from reconciler.render.spec import parse_render
from reconciler.source.spec import GitSource, parse_source
from setscrew import configuration
from webhook.api.configuration import parse_receivers

_NAMELESS: Final = frozenset({*RULE_KINDS, configuration.MIG_PROFILES})
_PATH: Final = re.compile(r"^kind$|\b(?:spec|metadata|rules)\b(?:\.\w+|\[\d+\])*")
_FIRST: Final = re.compile(r"(\w+(?:\[\d+\])?): |unknown (?:key|field) '(\w+)'")
_STEP: Final = re.compile(r"(\w+)|\[(\d+)\]")


def is_own(tree: Tree) -> bool:
    """True for documents of Setscrew itself."""
    version = dig(tree, "apiVersion")
    return isinstance(version, str) and version.startswith(f"{GROUP}/")


def named(tree: Tree, name: str) -> Tree:
    """The document with `name` where it has none and needs none: rules and profiles."""
    metadata = tree.get("metadata", {})
    if tree.get("kind") not in _NAMELESS or not isinstance(metadata, dict) or "name" in metadata:
        return tree
    return {**tree, "metadata": {**metadata, "name": name}}


def read_own(tree: Mapping[str, Any], profiles: Sequence[configuration.Document] = ()) -> GitSource | None:
    """Read one document of Setscrew; the source that it defines, if it is one. Raises UsageError for a wrong field.

    `profiles` are MigProfiles before it: their shapes are those of its models, too.
    """
    kind = tree.get("kind")
    if kind not in configuration.KINDS:
        raise UsageError(f"unknown kind {kind!r}", where="kind", hint=f"known: {', '.join(configuration.KINDS)}")
    if kind == "GitSource":
        source = parse_source(tree)
        parse_render(source.render, source=source.name)
        return source
    if kind == "Receiver":
        parse_receivers([tree])
    elif kind == configuration.MIG_PROFILES:
        configuration.mig_table(more=[*profiles, ("", tree)])
    elif kind in configuration.POLICY_KINDS:
        parse_rules([("", tree)])
    return None


def profiles_of(objects: Iterable[RenderedObject]) -> Iterator[configuration.Document]:
    """The MigProfiles among them, each with its place."""
    own = (one for one in objects if is_own(one.tree) and one.ref.kind == configuration.MIG_PROFILES)
    return ((one.provenance.place, one.tree) for one in own)


def field_of(error: UsageError) -> tuple[str | int, ...]:
    """The field that a message is about, as far as it tells: `spec.match[0]` and `kinds: expected …`."""
    return tuple(_tokens(error))


def _tokens(error: UsageError) -> Iterator[str | int]:
    place, first = _PATH.search(error.where), _FIRST.match(error.message)
    named = [place[0]] if place else []
    named += [first[1] or first[2]] if first else []
    for name, index in (step.groups() for text in named for step in _STEP.finditer(text)):
        yield int(index) if index else name
