"""Owns rules of defaults: their form in defaults.json, and what they fill in. Must not learn them.

A rule is `{"when": [condition, ...], "value": v}`, `{..., "copy": field, "lower": true, "suffix": "List"}` or
`{..., "computed": true}`; the first rule of a field whose conditions all hold wins. Conditions look at the object's
kind (`$kind`) and at the declared fields of the same struct.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.schema.fill import KIND, is_latest

Tree = Any
Rule = dict[str, Any]
Condition = dict[str, Any]
NOTHING: Any = None
COMPUTED: Any = object()


def filled(rules: Sequence[Rule], kind: str, struct: Mapping[str, Tree]) -> Tree:
    """What the rules of an undeclared field put into `struct`: a value, NOTHING, or COMPUTED where none can be told."""
    for rule in rules:
        if all(holds(condition, kind, struct) for condition in rule.get("when", ())):
            return consequence(rule, struct)
    return NOTHING


def consequence(rule: Rule, struct: Mapping[str, Tree]) -> Tree:
    """What a rule whose conditions hold puts there; a copy of an undeclared field is NOTHING."""
    if "computed" in rule:
        return COMPUTED
    if "copy" not in rule:
        return rule["value"]
    value = struct.get(rule["copy"], NOTHING)
    if isinstance(value, str):
        value = value.lower() if rule.get("lower") else value
        value += rule.get("suffix", "")
    return value


def holds(condition: Condition, kind: str, struct: Mapping[str, Tree]) -> bool:
    """Is the condition true of this struct of an object of `kind`?"""
    field = condition["field"]
    if "declared" in condition:
        return (field in struct) is condition["declared"]
    if "latest" in condition:
        value = struct.get(field)
        return isinstance(value, str) and is_latest(value) is condition["latest"]
    value = kind if field == KIND else struct.get(field)
    return any(value is one or (type(value) is type(one) and value == one) for one in condition["in"])
