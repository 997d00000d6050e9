"""Owns label selectors as people write them for kubectl: `team=shop,env in (prod,stage),!sandbox`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.limits import REPORT_SELECTORS

_WORD: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]{0,250}[A-Za-z0-9])?"
_VALUE: Final = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_ONE: Final = re.compile(
    rf"\s*(?:(?P<no>!)\s*(?P<gone>{_WORD})"
    rf"|(?P<key>{_WORD})\s*(?:(?P<op>==?|!=)\s*(?P<value>{_VALUE})"
    rf"|\s(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?)\s*"
)
_COMMA: Final = re.compile(r",(?![^(]*\))")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement: `key` has one of `values` (None: any value at all), or not so where `negated`."""

    key: str
    values: frozenset[str] | None
    negated: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """As Kubernetes has it: what has no such key is not one of the values."""
        holds = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return holds != self.negated


def parse_selector(text: str) -> tuple[Requirement, ...] | None:
    """The requirements, all of which must hold; None for what is no selector."""
    if not text.strip():
        return ()
    parts = _COMMA.split(text)
    if len(parts) > REPORT_SELECTORS:
        return None
    found = tuple(map(_requirement, parts))
    return None if None in found else tuple(one for one in found if one)


def selects(requirements: Iterable[Requirement], labels: Mapping[str, str]) -> bool:
    """True when all requirements hold."""
    return all(one.matches(labels) for one in requirements)


def _requirement(text: str) -> Requirement | None:
    match = _ONE.fullmatch(text)
    if match is None:
        return None
    if match["no"]:
        return Requirement(match["gone"], None, negated=True)
    if match["op"]:
        return Requirement(match["key"], frozenset((match["value"],)), match["op"] == "!=")
    if match["set"]:
        values = [value.strip() for value in match["values"].split(",")]
        if not all(re.fullmatch(_VALUE, value) for value in values):
            return None
        return Requirement(match["key"], frozenset(values), match["set"] == "notin")
    return Requirement(match["key"], None)
