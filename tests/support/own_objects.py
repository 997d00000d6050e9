"""Owns documents of our own kinds as cases have them, and what our own readers say of one. Must not ask a cluster."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from reconciler.errors import UsageError
from reconciler.model.own import API_VERSION
from reconciler.policy.granting import parse_grant
from reconciler.policy.model import GrantRules
from reconciler.policy.parse import parse_rules
from reconciler.render.spec import parse_render
from reconciler.source.spec import parse_source

_CASES: Final = Path(__file__).parents[1] / "cases"
NOW: Final = datetime(2026, 11, 22, 4, 30, tzinfo=UTC).timestamp()
GOOD: Final[Mapping[str, Any]] = yaml.safe_load((_CASES / "definitions.yaml").read_text())["good"]
FIELDS: Final[Mapping[str, Any]] = yaml.safe_load((_CASES / "definitions-fields.yaml").read_text())


def problem(document: Mapping[str, Any]) -> str:
    """What our own reader has against a document; "" where it takes it."""
    try:
        if document["kind"] == "GitSource":
            parse_render(parse_source(document).render)
        elif document["kind"] == "DriftPolicy":
            parse_rules([("case", document)])
        else:
            parse_grant(document, "case", GrantRules(), NOW)
    except UsageError as error:
        return str(error)
    return ""


def changed(kind: str, change: Mapping[str, Any]) -> dict[str, Any]:
    """The good document of that kind with keys of its spec replaced; null removes."""
    document = copy.deepcopy(GOOD[kind])
    document["spec"] |= copy.deepcopy(dict(change))
    document["spec"] = {key: value for key, value in document["spec"].items() if value is not None}
    return {"apiVersion": API_VERSION, "kind": kind, **document}


def with_field(kind: str, place: str, value: Any) -> dict[str, Any]:
    """The good document of that kind with a field replaced; a dot goes into a mapping, or a list's first item."""
    document = changed(kind, {})
    node = document["spec"]
    *way, last = place.split(".")
    for name in way:
        node = node.setdefault(name, {})
        node = node[0] if isinstance(node, list) else node
    node[last] = copy.deepcopy(value)
    return document


def alike() -> Iterator[tuple[str, dict[str, Any]]]:
    """Documents that reader and definition take both, or neither, with their names."""
    for kind, cases in FIELDS.items():
        for place, values in cases["fields"].items():
            for value in values:
                yield f"{kind} {place}: {value!r}", with_field(kind, place, value)
        for change in cases["whole"]:
            yield f"{kind} {change}", changed(kind, change)


def apart(which: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Documents that only one of them takes: `reader_only` refuses, or `files_only` may say so."""
    for kind, cases in FIELDS.items():
        for change in cases[which]:
            yield f"{kind} {change}", changed(kind, change)
