"""Each named rule that is shipped, by what it hides and what it leaves to be reported: tests/cases/rules/<id>.yaml.

A case says what Git declares and how live differs (`change` is merged into what is declared, `live` stands in its
place); `server` is merged into the answer of a dry-run. Whatever is in neither `hides` nor `reports` must be the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.canonical.autoscale import widen
from reconciler.canonical.engine import canonicalize, confirm
from reconciler.canonical.volatile import live_form
from reconciler.compare import comparison
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.policy.model import MaskRule, Rules
from setscrew.cli.common import offline_context
from tests.support.decisions import KEY, builtin_rules, patched

CASES = Path(__file__).parents[2] / "cases" / "rules"
FILES = {file.stem: yaml.safe_load(file.read_text()) for file in sorted(CASES.glob("*.yaml"))}
CRDS = list(yaml.safe_load_all((CASES / "context" / "crds.yaml").read_text()))
PLACE = Provenance("shop", "rev", "a.yaml", 1)
Case = dict[str, Any]


def cases() -> Iterator[Any]:
    for name, content in FILES.items():
        for case in content["cases"]:
            yield pytest.param(name, case, id=f"{name}: {case['title']}")


def compared(case: Case, rules: Rules) -> comparison.Comparison:
    context = offline_context(rules, crds=CRDS, key=KEY)
    declared, live = case["declared"], case.get("live") or patched(case["declared"], case.get("change", {}))
    form = canonicalize(RenderedObject(declared, PLACE, tuple(case.get("generated", ()))), context)
    if "server" in case:
        form = confirm(form, patched(declared, case["server"]), case.get("volatile", ()), context)
    others = [canonicalize(RenderedObject(tree, PLACE), context) for tree in case.get("context", ())]
    form = widen([form, *others], rules.scalers)[0]
    managed = [live["metadata"]["managedFields"]] if live["metadata"].get("managedFields") else []
    return comparison.compare(form, live_form(live, KEY), *managed)


def outcome(case: Case, rules: Rules) -> tuple[dict[str, str], list[str]]:
    """What rules hid, by field, and pointers of what is drift."""
    found = compared(case, rules)
    hidden = {note.rpartition(": ")[0].split(": ")[0]: re.search(r"\brule (\S+)", note) for note in found.notes}
    named = {field: rule[1] for field, rule in hidden.items() if rule}
    return named, sorted(change.path for change in found.changes)


@pytest.mark.parametrize(("name", "case"), list(cases()))
def test_a_rule_hides_what_it_says_and_nothing_else(name: str, case: Case) -> None:
    hidden, drift = outcome(case, builtin_rules())
    assert hidden == dict.fromkeys(case.get("hides", ()), name)
    assert drift == sorted(case.get("reports", ()))


def test_every_shipped_rule_has_a_case() -> None:
    assert sorted(builtin_rules().reasons()) == sorted(FILES)


TABLES = ("masks", "lists", "semantics", "scalers")


def without(rules: Rules, name: str) -> Rules:
    return replace(rules, **{table: tuple(r for r in getattr(rules, table) if r.id != name) for table in TABLES})


@pytest.mark.parametrize("name", sorted({rule.id for table in TABLES for rule in getattr(builtin_rules(), table)}))
def test_without_the_rule_some_case_comes_out_otherwise(name: str) -> None:
    all_rules, less = builtin_rules(), without(builtin_rules(), name)
    held = FILES[name]["cases"]
    assert any(outcome(case, all_rules) != outcome(case, less) for case in held)


def written(manager: str, *fields: str) -> dict[str, Any]:
    below: dict[str, Any] = {f"f:{field}": {} for field in fields}
    return {"manager": manager, "operation": "Update", "apiVersion": "example.com/v1", "fieldsV1": {"f:spec": below}}


@pytest.mark.parametrize("path", ["/**", "/spec/**", "/spec", "/spec/a"])
def test_a_rule_for_a_manager_hides_what_it_wrote_and_nothing_else(path: str) -> None:
    rule = MaskRule("mine", ("example.com/Widget",), (path,), "the operator's", when="always", manager="op*")
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
    fields = [written("operator", "a"), written("kubectl-edit", "b", "c")]
    case = {
        "declared": {**widget, "spec": {"size": 1, "a": 1, "b": 1}},
        "live": {
            **widget,
            "metadata": {"name": "w", "managedFields": fields},
            "spec": {"size": 1, "a": 2, "b": 2, "c": 3},
        },
    }
    rules = replace(builtin_rules(), masks=(*builtin_rules().masks, rule))
    assert outcome(case, rules) == ({"spec.a": "mine"}, ["/spec/b", "/spec/c"])
