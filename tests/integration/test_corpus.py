"""Holds that what other projects publish shows no drift once it runs, with either engine and the built-in rules only.

So do the seeds, kinds that no corpus has. Each entry is applied to a real API server with the real controllers.
At level INFO the log lists every path that a rule hides or of which nobody can tell.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from jsonpointer import resolve_pointer

from reconciler.canonical.form import CanonicalObject
from reconciler.canonical.items import item_key, keyed
from reconciler.compare.comparison import Change, Comparison, compare
from reconciler.model.path import Path, readable
from reconciler.model.tree import Tree
from reconciler.schema.types import TypeNode
from setscrew.controlplane.pins import TOOLS, tools_of
from tests.support.controlplane import Shared
from tests.support.corpus import SEEDS, Entry, Held, Landed, entries, landed_once

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

MOST = {"server": 0.02, "offline": 0.05}
MOST_OF_SEEDS = 0.1  # chosen for what is allocated, so hardly typical
ENGINES = sorted(MOST)
OLDER = tools_of(os.environ) is not TOOLS
HOOKS = {"gpu-operator": 9}  # `objects` of corpus.yaml counts what Helm runs once and does not keep


@pytest.fixture(scope="module", params=[*entries(), pytest.param(SEEDS, id="seeds")])
def landed(request: pytest.FixtureRequest, shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """One entry as a real cluster held it, after all controllers were done."""
    entry: Entry = request.param
    return landed_once(shared.get, entry, tmp_path_factory.getbasetemp())


@dataclass(frozen=True, slots=True)
class Judged:
    """One object under one engine."""

    form: CanonicalObject
    live: Tree
    compared: Comparison


def judged(landed: Landed, engine: str) -> list[Judged]:
    forms = landed.server() if engine == "server" else landed.offline()
    return [Judged(form, live, compare(form, live)) for form, live in zip(forms, landed.lives(), strict=True)]


def test_all_of_it_is_in_the_cluster_and_the_server_has_confirmed_all_of_it(landed: Landed) -> None:
    assert len(landed.objects) == landed.entry.objects - HOOKS.get(landed.entry.name, 0)
    assert [one.name for one in landed.objects if one.live is None] == []
    assert {one.name: one.answer.reason for one in landed.objects if one.answer.tree is None} == {}


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_has_drifted(landed: Landed, engine: str) -> None:
    drift = [
        f"{one.form.ref} {change.path} ({change.klass}): {change.desired!r} -> {change.live!r}"
        for held, one in zip(landed.objects, judged(landed, engine), strict=True)
        for change in one.compared.changes
        if not (OLDER and engine == "offline" and gate_is_off(held, change))
    ]
    assert drift == []


def gate_is_off(held: Held, change: Change) -> bool:
    """An older minor has gates off that are on by now, and its schema tells the fields all the same: it drops them.

    Only its dry-run says so; without one nobody can know.
    """
    return change.klass == "missing" and resolve_pointer(held.answer.tree, change.path, None) is None


@pytest.mark.parametrize("engine", ENGINES)
def test_hardly_a_path_is_hidden_or_unknown(landed: Landed, engine: str) -> None:
    leaves, unseen = 0, []
    for one in judged(landed, engine):
        why = {hidden.field: f"hidden by {hidden.rule}" for hidden in one.compared.hidden}
        why |= {doubt.field: "unknown" for doubt in one.compared.undecided}
        leaves += sum(1 for _ in content(one.form, one.live, set(why)))
        unseen += [f"{one.form.ref} {name}: {reason}" for name, reason in why.items()]
    share, table = len(unseen) / leaves, "\n".join(sorted(unseen))
    title = f"{landed.entry.name}, {engine}: {len(unseen)} of {leaves} leaves ({share:.2%}) hidden or unknown"
    logging.getLogger(__name__).info("%s\n%s", title, table)
    assert leaves > 100
    assert share <= (MOST_OF_SEEDS if landed.entry == SEEDS else MOST[engine]), f"{title}\n{table}"


def content(form: CanonicalObject, live: Tree, whole: set[str]) -> Iterator[Path]:
    """The leaves of a live object that are configuration: no status, no metadata but labels and annotations of Git.

    What stands at a path of `whole` is one of them: nobody looks into it.
    """
    for key, value in live.items():
        if key not in ("apiVersion", "kind", "metadata", "status"):
            yield from _leaves((key,), form.types.at(key), value, whole)
    for name in ("labels", "annotations"):
        yield from (("metadata", name, key) for key in form.want["metadata"].get(name) or ())


def _leaves(path: Path, node: TypeNode, value: Tree, whole: set[str]) -> Iterator[Path]:
    if not isinstance(value, dict | list) or not value or (whole and readable(path) in whole):
        yield path
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves((*path, key), node.at(key), below, whole)
    else:
        by_key = node.list_type == "map" and keyed(value, node) is not None
        for index, item in enumerate(value):
            key = item_key(item, node) if by_key else None
            yield from _leaves((*path, index if key is None else key), node.item, item, whole)
