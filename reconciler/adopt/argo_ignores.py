"""Owns turning Argo CD's ignoreDifferences into rules of the sources that they are for. Pure.

What Argo CD does not compare, it does not put back either, so a rule of these hides a path and frees it for everybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.adopt.model import Unsupported, source_name
from reconciler.policy.jq import json_path
from reconciler.policy.model import MaskRule, Subject
from reconciler.policy.pattern import compiled
from reconciler.render.fields import Fields
from reconciler.snapshot.model import Adopter

EVERYBODY: Final = (Subject(group="system:authenticated"),)
_STATUS: Final = "/status"


def ignores(
    entries: tuple[Mapping[str, Any], ...], by: Adopter, sources: tuple[str, ...], where: str
) -> Iterator[MaskRule | Unsupported]:
    """The rules of a list of ignoreDifferences, for the objects of `sources`, and each entry that no rule can say.

    Raises UsageError for an entry of the wrong shape.
    """
    for index, entry in enumerate(entries):
        yield from _Entry(entry, by, sources, f"{where}[{index}]").rules()


class _Entry:
    """One entry: which objects it is for, and its three kinds of paths."""

    def __init__(self, entry: Mapping[str, Any], by: Adopter, sources: tuple[str, ...], where: str) -> None:
        fields = Fields(entry, where)
        self._by, self._where, self._sources = by, where, sources
        group, kind = fields.text("group"), fields.text("kind") or "*"
        self._kinds = ("*",) if (group, kind) == ("*", "*") else (f"{group}/{kind}" if group else kind,)
        self._names = tuple(filter(None, [fields.text("name")]))
        self._namespaces = tuple(filter(None, [fields.text("namespace")]))
        self._pointers = fields.strings("jsonPointers")
        self._expressions = fields.strings("jqPathExpressions")
        self._managers = fields.strings("managedFieldsManagers")
        fields.done()

    def rules(self) -> Iterator[MaskRule | Unsupported]:
        paths: list[str] = []
        for text, read in (
            *((one, _pointer) for one in self._pointers),
            *((one, _expression) for one in self._expressions),
        ):
            try:
                paths.append(read(text))
            except ValueError as error:
                yield self._cannot(f"{text!r}: {error}")
        if compared := tuple(path for path in paths if path != _STATUS and not path.startswith(f"{_STATUS}/")):
            yield self._rule(compared, to=EVERYBODY)
        for manager in self._managers:
            yield self._rule(("/**",), manager=manager)
            yield self._cannot(
                f"what {manager} writes is not reported, but held: managers are names that anybody may take; a"
                " DriftPolicy's `delegate` says who may write it"
            )

    def _rule(self, paths: tuple[str, ...], *, to: tuple[Subject, ...] = (), manager: str = "") -> MaskRule:
        owner = f"Application {self._by.namespace}/{self._by.name}"
        return MaskRule(
            id=f"ignored-by-{source_name(self._by)}",
            kinds=self._kinds,
            paths=paths,
            reason=f"{owner} ignores it",
            when="always",
            to=to,
            manager=manager,
            names=self._names,
            namespaces=self._namespaces,
            owner=owner,
            sources=self._sources,
        )

    def _cannot(self, reason: str) -> Unsupported:
        return Unsupported(self._by, self._where, reason, whole=False)


def _pointer(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("is no JSON pointer")
    if text == "/":
        raise ValueError("is the whole object: take it out of Git, or let a DriftPolicy audit it")
    return compiled(text)


def _expression(text: str) -> str:
    return compiled(json_path(text))
