"""Laws: whatever stands anywhere in live objects about GPUs, users are counted, told and published, and none is raised.

Each example is a case file of tests/cases/gpu/users with strange values put in the place of some of its own.
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.gpu.users.census import census
from reconciler.gpu.users.published import decode, encode
from reconciler.gpu.users.rows import rows_of
from reconciler.gpu.users.shrink import shrink
from reconciler.gpu.users.told import LINE_CHARS, LINES, as_json, told
from reconciler.gpu.users.touched import touched
from reconciler.gpu.world import by_kind
from reconciler.render.embedded_loader import load_embedded
from tests.property.test_gpu_rule_laws import STRANGE, named, places
from tests.support.decisions import builtin_rules

pytestmark = pytest.mark.property

CASES = Path(__file__).parents[1] / "cases" / "gpu"
LIVE = [next(yaml.safe_load_all(file.read_text()))["items"] for file in sorted((CASES / "users").glob("*.yaml"))]
CHANGES = [
    (case.get("was"), case.get("now")) for case in yaml.safe_load((CASES / "touched.yaml").read_text()) if "was" in case
]
STRANGER = st.lists(st.tuples(st.integers(0, 10_000), STRANGE), min_size=1, max_size=4)


def changed(tree: Any, changes: list[tuple[int, Any]]) -> Any:
    tree = copy.deepcopy(tree)
    for where, value in changes:
        among = list(places(tree))
        holder, key = among[where % len(among)]
        holder[key] = copy.deepcopy(value)
    return tree


@settings(max_examples=max(300, settings.default.max_examples))
@given(st.sampled_from(LIVE), STRANGER)
def test_users_are_counted_and_published_whatever_is_live(items: list[Any], changes: list[tuple[int, Any]]) -> None:
    objects = by_kind(filter(named, changed(items, changes)))
    kept = {kind: {ref: shrink(*kind, tree) for ref, tree in held.items()} for kind, held in objects.items()}
    found = census(kept, {}, "2026-11-23T02:00:00Z", load_embedded)
    back = decode(encode(found))
    assert back.classes.items() <= found.classes.items()
    assert decode(encode(back)) == replace(back, unseen=found.unseen)
    names = list(found.classes)
    lines = told(names, found, builtin_rules().gpu_classes)
    assert len(lines) <= LINES
    assert all(len(line) <= LINE_CHARS and line.isprintable() for line in lines)
    assert json.dumps(as_json(names, found, ()))


@settings(max_examples=max(300, settings.default.max_examples))
@given(st.sampled_from(CHANGES), STRANGER)
def test_a_change_is_about_some_classes_whatever_it_is(case: tuple[Any, Any], changes: list[tuple[int, Any]]) -> None:
    was, now = case
    ((_, held),) = by_kind([was]).items()
    ref, strange = next(iter(held)), changed(now or was, changes)
    for before, after in ((was, strange), (strange, was), (strange, strange)):
        found = touched(ref, before, after, load_embedded)
        assert len(found) == len(set(found))
        assert before is not after or found == ()
    assert isinstance(rows_of(builtin_rules(), ref, strange, load_embedded), tuple)
