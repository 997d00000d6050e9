"""Owns what an API server makes of the fields of one struct: defaults, dropped empty values. Must not walk objects.

A rule speaks of siblings as they are *declared*: that is what the defaulting code of Kubernetes looks at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from reconciler.model.tree import ABSENT, Tree, strict_equal

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
KIND: Final = "$kind"


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of one sibling (`field`, or "$kind": the root object's `group/Kind`); one of the three is set.

    `declared`: it is (not) there; `among`: its value is one of these; `latest`: it is (not) an image without a version.
    """

    field: str
    declared: bool | None = None
    among: tuple[Tree, ...] | None = None
    latest: bool | None = None

    def holds(self, struct: Mapping[str, Tree], kind: str) -> bool:
        """Whether the declared `struct`, somewhere in an object of `kind`, meets it."""
        value = kind if self.field == KIND else struct.get(self.field)
        if self.declared is not None:
            return (value is not None) == self.declared
        if self.latest is not None:
            return isinstance(value, str) and is_latest(value) == self.latest
        return any(strict_equal(value, one) for one in self.among or ())


@dataclass(frozen=True, slots=True)
class Fill:
    """One rule for a field that is not declared: a value, or that of the sibling `copy`, lower-cased, with a suffix.

    `computed`: where it holds, no rule tells the value.
    """

    value: Tree = ABSENT
    copy: str = ""
    lower: bool = False
    suffix: str = ""
    when: tuple[Condition, ...] = ()
    computed: bool = False

    def holds(self, struct: Mapping[str, Tree], kind: str) -> bool:
        """Whether the declared `struct`, somewhere in an object of `kind`, meets all conditions."""
        return not self.when or all(condition.holds(struct, kind) for condition in self.when)

    def filled(self, struct: Mapping[str, Tree]) -> Tree:
        """What the server fills in; ABSENT for nothing that is known."""
        if not self.copy:
            return self.value
        value = struct.get(self.copy)
        if isinstance(value, str):
            value = (value.lower() if self.lower else value) + self.suffix
        return ABSENT if value is None else value


@dataclass(frozen=True, slots=True)
class Known:
    """All that a server does to the fields of one struct.

    `fill`: rules by field, the first that holds wins. `keeps`: fields whose empty or zero value is stored; None: all
    are (custom resources). `computed`: fields that the server fills in a way that no rule tells; in `computed_in` only
    in objects of these kinds (`group/Kind`). `nullable`: fields where an explicit null is a value, so that no default
    takes its place. `open`: nobody knows what the server does.
    """

    fill: Mapping[str, tuple[Fill, ...]] = field(default_factory=lambda: _NONE)
    keeps: frozenset[str] | None = None
    computed: frozenset[str] = frozenset()
    computed_in: Mapping[str, frozenset[str]] = field(default_factory=lambda: _NONE)
    nullable: frozenset[str] = frozenset()
    open: bool = False

    def computes(self, name: str, kind: str) -> bool:
        """Whether a server may put a value that nobody can tell into the field `name` of an object of `kind`."""
        return name in self.computed or kind in self.computed_in.get(name, ())


OPEN: Final = Known(open=True)
CUSTOM: Final = Known()


def parse_known(data: Mapping[str, Any]) -> Known:
    """One definition of data/defaults.json."""
    rules: Mapping[str, list[Mapping[str, Any]]] = data.get("fill", {})
    fill = {name: tuple(_fill(rule) for rule in some) for name, some in rules.items()}
    computed, computed_in = set(data.get("computed", ())), dict[str, frozenset[str]]()
    for name, some in rules.items():
        conditions = [one for rule in some if rule.get("computed") for one in rule.get("when", ({},))]
        if any(one.get("field") != KIND for one in conditions):
            computed.add(name)
        elif conditions:
            computed_in[name] = frozenset(kind for one in conditions for kind in one["in"])
    return Known(fill, frozenset(data.get("keeps", ())), frozenset(computed), computed_in)


def _fill(rule: Mapping[str, Any]) -> Fill:
    return Fill(
        value=rule.get("value", ABSENT),
        copy=rule.get("copy", ""),
        lower=rule.get("lower", False),
        suffix=rule.get("suffix", ""),
        when=tuple(_condition(one) for one in rule.get("when", ())),
        computed=rule.get("computed", False),
    )


def _condition(data: Mapping[str, Any]) -> Condition:
    among = tuple(data["in"]) if "in" in data else None
    return Condition(data["field"], data.get("declared"), among, data.get("latest"))


def is_latest(image: str) -> bool:
    """An image that is pulled always: of tag latest, or with neither tag nor digest. A port in the host is no tag."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return tag == "latest" or not (tag or digest)
