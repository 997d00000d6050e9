"""Holds that documents are read from files by the rules that the definitions in a cluster have."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.errors import UsageError
from reconciler.policy.granting import parse_grant
from reconciler.policy.model import GrantRules
from reconciler.policy.parse import parse_rules
from reconciler.render.spec import parse_render
from reconciler.source.spec import parse_source

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "definitions.yaml").read_text())
NOW = datetime(2026, 11, 22, 4, 30, tzinfo=UTC).timestamp()


def read(kind: str, document: dict[str, Any]) -> str:
    """The name of what our own readers make of a document."""
    document = {"apiVersion": "setscrew.dev/v1alpha1", "kind": kind, **document}
    if kind == "GitSource":
        source = parse_source(document)
        parse_render(source.render)
        return source.name
    if kind == "DriftPolicy":
        return parse_rules([("case", document)]).policies[0].name
    return parse_grant(document, "case", GrantRules(), NOW).id


@pytest.mark.parametrize("kind", sorted(CASES["good"]))
def test_what_a_definition_takes_is_read(kind: str) -> None:
    assert read(kind, CASES["good"][kind]) == CASES["good"][kind]["metadata"]["name"]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES["refused"]])
def test_what_a_definition_refuses_is_refused(case: dict[str, Any]) -> None:
    document = {**copy.deepcopy(CASES["good"][case["kind"]]), **case.get("top", {})}
    document["spec"] |= case["spec"]
    document["spec"] = {key: value for key, value in document["spec"].items() if value is not None}
    if case.get("in_files"):
        assert read(case["kind"], document)
    else:
        with pytest.raises(UsageError):
            read(case["kind"], document)
