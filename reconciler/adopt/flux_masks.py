"""Owns Flux's drift-ignore rules as rules of ours: which objects, which paths, and what cannot be told so. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from reconciler.adopt.argo_ignores import EVERYBODY
from reconciler.adopt.flux_objects import FluxObject
from reconciler.policy.expression import names_of
from reconciler.policy.model import MaskRule
from reconciler.render.fields import Fields

_BY_CONTENT: Final = ("labelSelector", "annotationSelector")
_INDEX: Final = re.compile(r"/[0-9]+(/|$)")


def masks(one: FluxObject, rules: Iterable[Mapping[str, Any]], where: str, source: str) -> tuple[MaskRule, ...]:
    """The rules under `where` of `one`, for objects of `source`; what cannot be is noted at `one`.

    Raises UsageError for what is no such rule.
    """
    found: list[MaskRule] = []
    for number, mapping in enumerate(rules):
        fields = Fields(mapping, where)
        paths = tuple(path for path in map(str, fields.list("paths")) if _is_possible(one, path, where))
        rule = _aimed(one, Fields(fields.mapping("target"), f"{where}.target"), where)
        if paths and rule is not None:
            reason = f"{one} leaves it to others ({where})"
            found.append(replace(rule, id=f"{source}-ignore-{number}", paths=paths, reason=reason, sources=(source,)))
    return tuple(found)


def _is_possible(one: FluxObject, path: str, where: str) -> bool:
    if not path.startswith("/") or path == "/":
        one.lacks(
            f"{where}.paths", f"{path!r} frees a whole object: annotate it in Git with reconcile: disabled instead"
        )
        return False
    if _INDEX.search(path):
        one.lacks(f"{where}.paths", f"{path} counts items, whose places change")
        return False
    return True


def _aimed(one: FluxObject, target: Fields, where: str) -> MaskRule | None:
    """A rule for the target's objects, still without paths; None where it cannot be told which they are."""
    texts = {key: target.text(key) for key in ("group", "version", "kind", "name", "namespace", *_BY_CONTENT)}
    if any(texts[key] for key in _BY_CONTENT):
        one.lacks(f"{where}.target", "a selector of labels or annotations is not followed")
        return None
    try:
        groups, kinds, names, namespaces = (names_of(texts[key]) for key in ("group", "kind", "name", "namespace"))
    except ValueError:
        one.lacks(f"{where}.target", "only names, their beginnings (`web.*`) and lists of them (`a|b`) are followed")
        return None
    pairs = tuple(f"{group}/{kind}" for group in groups or ("*",) for kind in kinds or ("*",))
    return MaskRule("", pairs, (), "", "always", EVERYBODY, names=names, namespaces=namespaces)
