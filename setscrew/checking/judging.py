"""Owns what is wrong with objects one by one: unknown kinds, values and fields that no API server takes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Final

from reconciler.canonical.complete import complete
from reconciler.canonical.engine import Context, NotServedError, UnknownKindError, located
from reconciler.canonical.volatile import is_secret, not_base64
from reconciler.gpu.problem import Severity
from setscrew.checking.finding import Finding
from setscrew.checking.rendering import Declared

_IDENTITY: Final = ("apiVersion", "kind", "metadata", "status")
UNKNOWN_FIELD: Final = "SS3102"
_FIELDS: Final = 5
_QUOTE: Final = "mend the value; quote a text that looks like a number"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one object, before it is said where that stands. `path` leads to the value, if it is known."""

    rule: str
    severity: Severity
    declared: Declared
    message: str
    fix: str
    path: tuple[str | int, ...] = ()
    inside: tuple[str | int, ...] = ()


@dataclass(slots=True)
class Judge:
    """Judges objects against their kinds. What nobody knows is told once a kind."""

    context: Context
    _contexts: dict[str, Context] = field(default_factory=dict)
    _unknown: dict[str, Fault] = field(default_factory=dict)
    _times: Counter[str] = field(default_factory=Counter)

    def judged(self, objects: Iterable[Declared]) -> tuple[list[Declared], list[Fault]]:
        """The objects with their namespaces settled, and what is wrong with each by itself."""
        settled, faults = list[Declared](), list[Fault]()
        for one in objects:
            try:
                placed, found = self._judged(one)
            except UnknownKindError as error:
                placed, found = one, self._not_known(one, error)
            settled.append(placed)
            faults += found
        return settled, faults

    def unknown(self) -> Iterator[Fault]:
        """The kinds that nobody knows, each at its first object."""
        for message, fault in self._unknown.items():
            more = self._times[message] - 1
            yield replace(fault, message=f"{message} (and {more} more objects of it)" if more else message)

    def _judged(self, one: Declared) -> tuple[Declared, list[Fault]]:
        placed, kind = located(one.rendered, self._in(one.namespace))
        tree = placed.tree
        content = {key: value for key, value in tree.items() if key not in _IDENTITY}
        done = complete(content, self.context.catalog.types(kind.group, kind.version, kind.kind), kind.name)
        found = [
            Fault("SS3013", "error", one, message, _QUOTE, tuple(message.partition(": ")[0].split(".")))
            for message in (*done.invalid, *not_base64(tree))
        ]
        if placed.written_as:
            message = f"{placed.written_as} {kind.kind} is not served: the manifest needs migration"
            fix = f"write it as {placed.api_version}"
            found.append(Fault(NotServedError.code, "warning", one, message, fix, ("apiVersion",)))
        for path in () if is_secret(tree) else list(done.dropped)[:_FIELDS]:
            message = f"{'.'.join(path)}: no such field, so the API server drops it"
            found.append(Fault(UNKNOWN_FIELD, "warning", one, message, "correct its name or place", _place(path)))
        return replace(one, rendered=placed), found

    def _in(self, namespace: str) -> Context:
        if namespace not in self._contexts:
            self._contexts[namespace] = replace(self.context, namespace=namespace or "default")
        return self._contexts[namespace]

    def _not_known(self, one: Declared, error: UnknownKindError) -> list[Fault]:
        if isinstance(error, NotServedError):
            return [Fault(error.code, "warning", one, error.message, error.hint)]
        self._times[error.message] += 1
        hint = "give its CustomResourceDefinition with --context, or keep it beside"
        self._unknown.setdefault(error.message, Fault(error.code, "warning", one, error.message, hint))
        return []


def _place(path: Iterable[str]) -> tuple[str | int, ...]:
    """Field names and indices, as far as the path goes by them."""
    named = takewhile(lambda name: not name.startswith("k:"), path)
    return tuple(int(name[2:]) if name.startswith("i:") else name for name in named)


def as_finding(fault: Fault, file: str, line: int) -> Finding:
    """The fault at its place."""
    ref = fault.declared.rendered.ref
    return Finding(fault.rule, fault.severity, file, line, str(ref), fault.message, fault.fix)
