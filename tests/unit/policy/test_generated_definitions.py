"""Holds the definitions of our own kinds to the code that they are made from: no field, choice or form apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.policy.granting import parse_grant
from reconciler.policy.model import GrantRules
from reconciler.policy.parse import parse_rules
from reconciler.render.edits import parse_edits
from reconciler.render.spec import parse_render
from reconciler.source import spec as source
from tests.support.tools import tool

MADE = tool("generate_crds")
SPECS: dict[str, dict[str, Any]] = MADE.specs()
# Names that are other tools' as well, and take nobody by surprise: those of Kubernetes, Flux, Argo CD, cert-manager.
TAKEN = {
    "gs",
    "gr",
    "ds",
    "dp",
    "po",
    "svc",
    "cm",
    "ns",
    "no",
    "pv",
    "pvc",
    "rs",
    "sts",
    "sa",
    "ep",
    "ev",
    "ks",
    "hr",
    "app",
    "apps",
    "gitrepo",
    "cert",
    "pdb",
    "hpa",
    "cs",
    "pc",
    "quota",
    "limits",
    "crd",
    "ing",
    "netpol",
    "sc",
    "csr",
    "cj",
    "deploy",
}


def test_the_files_are_what_the_code_says() -> None:
    files = MADE.files()
    assert {file: file.read_text("utf-8") for file in files} == files, "run: .venv/bin/python tools/generate_crds.py"


def test_short_names_are_no_names_that_people_know_for_something_else() -> None:
    assert not TAKEN & set(MADE.SHORT.values())
    assert len(set(MADE.SHORT.values())) == 3


def asked(parse: Callable[[dict[str, Any]], object]) -> set[str]:
    """The fields that a reader says it knows, when it meets another."""
    with pytest.raises(UsageError) as caught:
        parse({"no such field": 1})
    return set(caught.value.hint.removeprefix("known: ").split(", "))


def test_a_source_has_a_schema_for_each_field_that_is_read_and_for_no_other() -> None:
    properties = SPECS["GitSource"]["properties"]
    assert set(properties) == set(source._SPEC_FIELDS)
    assert {*properties["render"]["properties"], "flux"} == asked(parse_render)
    edits = properties["render"]["properties"]["kustomize"]["properties"]
    assert set(edits) == asked(lambda one: parse_edits(one, "kustomize"))
    assert set(properties["ref"]["properties"]) == set(source._REFS)


def fields_of(
    schema: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str, dict[str, Any]]]:
    """Each property of a schema, at any depth, with the way to it."""
    for name, one in schema.get("properties", {}).items():
        yield path, name, one
        yield from fields_of(one.get("items", one), (*path, name))


@pytest.mark.parametrize("kind", sorted(SPECS))
def test_every_list_and_text_of_a_definition_is_bounded(kind: str) -> None:
    open_ended = [
        name
        for _, name, one in fields_of(SPECS[kind])
        if (one.get("type") == "string" and not ({"maxLength", "enum"} & set(one)))
        or (one.get("type") == "array" and "maxItems" not in one)
        or ("additionalProperties" in one and "maxProperties" not in one)
    ]
    assert open_ended == []


def at(path: tuple[str, ...], leaf: Any) -> dict[str, Any]:
    """A spec with `leaf` at a path; lists hold one item."""
    value = leaf
    for name in reversed(path):
        value = {name: [value] if name in {"match", "writers", "delegate", "subjects", "to"} else value}
    found: dict[str, Any] = value
    return found


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        pytest.param(kind, (*path, name), id=f"{kind}: {'.'.join((*path, name))}")
        for kind in ("DriftPolicy", "DriftGrant")
        for path, name, _ in fields_of(SPECS[kind])
    ],
)
def test_what_a_definition_knows_a_reader_asks_for(kind: str, path: tuple[str, ...]) -> None:
    document = {"kind": kind, "metadata": {"name": "a"}, "spec": at(path, object())}
    readers = {
        "DriftPolicy": lambda: parse_rules([("case", document)]),
        "DriftGrant": lambda: parse_grant(document, "case", GrantRules(), 0.0),
    }
    with pytest.raises(UsageError) as caught:
        readers[kind]()
    assert "unknown field" not in caught.value.message


def test_choices_are_those_of_the_reader() -> None:
    enums = [(name, one["enum"]) for _, name, one in fields_of(SPECS["DriftPolicy"]) if "enum" in one]
    assert len(enums) >= 8
    for name, values in enums:
        for value in values:
            nested = {"writers": [{name: value}]} if name in {"verify", "onTimeout"} else {name: value}
            assert parse_rules([("case", {"kind": "DriftPolicy", "metadata": {"name": "a"}, "spec": nested})]).policies


def test_states_of_grants_and_conditions_are_words_that_the_api_takes() -> None:
    status = MADE.definition("DriftGrant")["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    assert {"Waiting", "InForce", "Ended", "Revoked"} <= set(status["properties"]["state"]["enum"])
