"""Holds that no single change to a live object goes unseen, and that what is only spelled anew is none.

Live objects are those of the corpora and of the seeds (kinds that no corpus has), as a real API server and its
controllers left them; they are changed and judged without one. Of one object about MOST changes are taken (of a large
one MOST_OF_LARGE), of each kind of change the same share; SETSCREW_ALL_MUTATIONS=1 takes all.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.canonical.engine import canonicalize
from reconciler.canonical.form import CanonicalObject
from reconciler.compare.comparison import Change, Comparison, compare
from reconciler.model.path import ItemKey
from reconciler.model.path import Path as Elements
from reconciler.model.tree import ABSENT, Tree
from setscrew.configuration import builtin_policies
from setscrew.demo.pick_shared import as_pointer, at
from tests.support.controlplane import Shared
from tests.support.corpus import SEEDS, Entry, Landed, entries, landed_once
from tests.support.mutations import Mutation, Place, mutations, sampled
from tests.support.twins import git_twins, live_twins

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

EXCEPTIONS = Path(__file__).resolve().parents[1] / "cases" / "mutations" / "exceptions.yaml"
ALL = bool(os.environ.get("SETSCREW_ALL_MUTATIONS"))
MOST, MOST_OF_LARGE, LARGE = {"server": 300, "offline": 100}, 60, 5000
UNSEEN_AT_MOST = 0.01
UNSEEN_OF_SEEDS = 0.04  # chosen for what is allocated, so hardly typical
ENGINES = ("server", "offline")


# From the last to the first: another worker that needs them too begins with the first.
@pytest.fixture(scope="module", params=[pytest.param(SEEDS, id="seeds"), *reversed(entries())])
def landed(request: pytest.FixtureRequest, shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """One entry as a real cluster held it, after all controllers were done."""
    entry: Entry = request.param
    return landed_once(shared.get, entry, tmp_path_factory.getbasetemp())


@dataclass(frozen=True, slots=True)
class Unseen:
    """A change that was not reported where it was made. `stands_for`: how many like it the sample left out, with it."""

    form: CanonicalObject
    mutation: Mutation
    places: tuple[str, ...]
    stands_for: float

    def __str__(self) -> str:
        said = f"reported at {', '.join(self.places)}" if self.places else "not reported"
        return f"{self.form.ref} {as_pointer(self.mutation.place)} {self.mutation.what}: {said}"


@dataclass(slots=True)
class Tried:
    """What became of the changes to one entry; `all` counts those that the sample stands for, too."""

    all: int = 0
    unseen: list[Unseen] = field(default_factory=list)
    misleading: list[str] = field(default_factory=list)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_single_change_is_reported_at_its_path(landed: Landed, engine: str) -> None:
    """The offline form may also name the place as unknown: that is no silence either."""
    tried = tried_on(landed, engine)
    unexplained = [one for one in tried.unseen if explanation(one) is None]
    assert not unexplained, "\n".join(map(str, unexplained))
    assert tried.all > 100
    share = sum(one.stands_for for one in tried.unseen) / tried.all
    most = UNSEEN_OF_SEEDS if landed.entry == SEEDS else UNSEEN_AT_MOST
    assert share <= most, Counter(explanation(one) for one in tried.unseen)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_pointer_of_a_report_leads_to_the_value_that_it_names(landed: Landed, engine: str) -> None:
    misleading = tried_on(landed, engine).misleading
    assert not misleading, "\n".join(misleading)


def tried_on(landed: Landed, engine: str) -> Tried:
    """Every sampled change, compared; kept for the two tests that ask."""
    key = (landed.entry.name, engine)
    if key not in _TRIED:
        tried = _TRIED[key] = Tried()
        forms = landed.server() if engine == "server" else landed.offline()
        for held, form, live in zip(landed.objects, forms, landed.lives(), strict=True):
            everything = list(mutations(held, form, live))
            tried.all += len(everything)
            most = len(everything) if ALL else MOST_OF_LARGE if len(everything) > LARGE else MOST[engine]
            sample = sampled(everything, str(form.ref), most)
            known = {resolved(change.place, live) for change in compare(form, live).changes}  # test_corpus holds these
            for mutation in sample:
                _try(tried, form, live, mutation, len(everything) / len(sample), known)
    return _TRIED[key]


_TRIED: dict[tuple[str, str], Tried] = {}


def _try(
    tried: Tried, form: CanonicalObject, live: Tree, mutation: Mutation, stands_for: float, known: set[Place]
) -> None:
    now = mutation.on(live)
    compared = compare(form, now)
    places = {resolved(change.place, live, now) for change in compared.changes} - (known - {mutation.place})
    doubts = {resolved(doubt.place, live, now) for doubt in compared.undecided}
    if not reported(mutation, places) and not (not places and doubted(mutation, doubts)):
        tried.unseen.append(Unseen(form, mutation, tuple(map(as_pointer, sorted(places, key=str))), stands_for))
    wrong = (change for change in compared.changes if not leads(change, form.want, now))
    tried.misleading += [f"{form.ref} {change.path}" for change in wrong]


def doubted(mutation: Mutation, doubts: set[Place]) -> bool:
    """The place, or what is around it, is said to be unknown."""
    return any(mutation.place[: len(place)] == place or place == mutation.unit for place in doubts)


def resolved(path: Elements, *documents: Tree) -> Place:
    """The place of a change in the live object: keys of items as indices, by the first document that has the item."""
    place: Place = ()
    for element in path:
        if isinstance(element, ItemKey):
            lists = (at(document, place) for document in documents)
            hits = (
                i for items in lists if isinstance(items, list) for i, item in enumerate(items) if _is(element, item)
            )
            place = (*place, next(hits, -1))
        else:
            place = (*place, element)
    return place


def _is(key: ItemKey, item: Tree) -> bool:
    return key.matches(item) or key.may_match(item)


def reported(mutation: Mutation, places: set[Place]) -> bool:
    """The place is reported, or the one value that it is part of; and nothing that is neither."""
    unit = mutation.unit
    inside = [place for place in places if place[: len(unit)] == unit]
    return len(inside) == len(places) and (mutation.place in places if unit == mutation.place else bool(inside))


def leads(change: Change, want: Tree, now: Tree) -> bool:
    """A pointer into the live object, or into the desired one where the live value is gone."""
    if change.klass == "order":
        return isinstance(_follow(change.path, now), list)
    if change.live is ABSENT:
        return _follow(change.path, want) == change.desired
    return _follow(change.path, now) == change.live


def _follow(pointer: str, document: Tree) -> Tree:
    for token in pointer.split("/")[1:]:
        part = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, list):
            document = document[int(part)] if part.isdecimal() and int(part) < len(document) else ABSENT
        else:
            document = document.get(part, ABSENT) if isinstance(document, dict) else ABSENT
    return document


@lru_cache
def exceptions() -> list[dict[str, Any]]:
    """The golden list: which changes a named rule hides, and why that is right."""
    found: list[dict[str, Any]] = yaml.safe_load(EXCEPTIONS.read_text())
    return found


def explanation(one: Unseen) -> str | None:
    """The rule that hides it, if the golden list says so; what is reported elsewhere is never explained."""
    if one.places:
        return None
    ref, pointer = one.form.ref, as_pointer(one.mutation.place)
    kind = f"{ref.group}/{ref.kind}" if ref.group else ref.kind
    hits = (
        entry["rule"]
        for entry in exceptions()
        if fnmatchcase(kind, entry["kind"]) and any(fnmatchcase(pointer, path) for path in entry["paths"])
    )
    return next(hits, None)


def test_every_exception_names_a_rule_that_exists_and_says_why() -> None:
    documents = [one for file in builtin_policies().rglob("*.yaml") for one in yaml.safe_load_all(file.read_text())]
    rules = {rule.get("id") for document in documents for rule in document.get("rules") or ()}
    assert {entry["rule"] for entry in exceptions()} <= rules
    assert all(len(entry["why"]) > 20 for entry in exceptions())


def test_another_spelling_in_git_is_no_drift(landed: Landed) -> None:
    found = []
    for held, form, live in zip(landed.objects, landed.offline(), landed.lives(), strict=True):
        usual = compare(form, live)
        for twin in git_twins(held.rendered, form.types):
            other = compare(canonicalize(replace(held.rendered, tree=twin.tree), landed.context), live)
            found += differences(form, twin.what, other, usual)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("engine", ENGINES)
def test_another_spelling_in_the_cluster_is_no_drift(landed: Landed, engine: str) -> None:
    found = []
    forms = landed.server() if engine == "server" else landed.offline()
    for form, live in zip(forms, landed.lives(), strict=True):
        usual = compare(form, live)
        for twin in live_twins(live, form.types):
            other = compare(form, twin.tree)
            found += differences(form, twin.what, other, usual)
    assert not found, "\n".join(found)


def differences(form: CanonicalObject, what: str, other: Comparison, usual: Comparison) -> Iterator[str]:
    """What a twin has that the object as it is has not."""
    known = {one.field for one in (*usual.changes, *usual.undecided)}
    for change in other.changes:
        if change.field not in known:
            yield f"{what}: {form.ref} {change.path}: {change.desired!r} -> {change.live!r}"
    for name in sorted({one.field for one in other.undecided} - known):
        yield f"{what}: {form.ref} {name}: unknown"
