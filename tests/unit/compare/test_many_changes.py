"""An object that differs in more places than anyone reads is called different as a whole, by name."""

from __future__ import annotations

from typing import Any

from reconciler.canonical.engine import canonicalize
from reconciler.canonical.form import CanonicalObject
from reconciler.compare.comparison import WHOLE, compare
from reconciler.compare.patch import repair
from reconciler.limits import COMPARED_CHANGES
from reconciler.model.objects import Provenance, RenderedObject
from setscrew.cli.common import offline_context
from tests.support.decisions import builtin_rules


def form_of(tree: dict[str, Any]) -> CanonicalObject:
    return canonicalize(RenderedObject(tree, Provenance()), offline_context(builtin_rules()))


def settings(count: int, value: str) -> dict[str, Any]:
    metadata = {"name": "big", "namespace": "shop"}
    data = {f"key{number:06}": value for number in range(count)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_as_many_changes_as_are_listed_are_all_listed() -> None:
    found = compare(form_of(settings(COMPARED_CHANGES, "a")), settings(COMPARED_CHANGES, "b"))
    assert (len(found.changes), found.remarks) == (COMPARED_CHANGES, ())


def test_one_more_names_the_object_as_a_whole_before_what_is_listed() -> None:
    found = compare(form_of(settings(COMPARED_CHANGES + 1, "a")), settings(COMPARED_CHANGES + 1, "b"))
    assert (found.changes[0], len(found.changes)) == (WHOLE, COMPARED_CHANGES + 1)
    assert found.remarks == (
        f"more than {COMPARED_CHANGES} places differ: the others are not listed, nor in the patch",
    )


def test_patches_one_after_the_other_turn_all_of_it_back() -> None:
    wanted, live = settings(COMPARED_CHANGES + 1, "a"), settings(COMPARED_CHANGES + 1, "b")
    first = repair(compare(form_of(wanted), live), live)
    assert [one["op"] for one in first] == ["replace"] * COMPARED_CHANGES
    for one in first:
        live["data"][one["path"].rpartition("/")[2]] = one["value"]
    assert [one.field for one in compare(form_of(wanted), live).changes] == [f"data.key{COMPARED_CHANGES:06}"]


def test_what_rules_hide_does_not_count() -> None:
    wanted = settings(1, "a")
    labels = {f"free/{number}": "x" for number in range(COMPARED_CHANGES + 1)}
    live = {**wanted, "metadata": {**wanted["metadata"], "labels": labels}}
    assert compare(form_of(wanted), live).verdict == "same"
