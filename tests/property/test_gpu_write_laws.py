"""Laws of rules at admission: no tree makes one raise, and what is as it was breaks nothing."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.gpu.single import named_by, new_errors
from reconciler.gpu.world import by_kind
from tests.property.test_gpu_rule_laws import CASES, STRANGE, TABLE, named, places

pytestmark = pytest.mark.property


@settings(max_examples=max(200, settings.default.max_examples))
@given(st.sampled_from(CASES), st.lists(st.tuples(st.integers(0, 10_000), STRANGE), min_size=1, max_size=4))
def test_whatever_is_written_over_whatever_is_judged(case: list[Any], changes: list[tuple[int, Any]]) -> None:
    documents = copy.deepcopy(case)
    for where, value in changes:
        among = [place for document in documents for place in places(document)]
        holder, key = among[where % len(among)]
        holder[key] = copy.deepcopy(value)
    before = by_kind(tree for tree in case if named(tree))
    for kind, objects in by_kind(tree for tree in documents if named(tree)).items():
        for ref, now in objects.items():
            was = before.get(kind, {}).get(ref)
            assert all(named_by(ref, now, before))
            for error in new_errors(ref, was, now, before, yaml.safe_load, TABLE):
                assert (error.ref, error.severity, error.absent) == (ref, "error", False)
            assert new_errors(ref, now, now, before, yaml.safe_load, TABLE) == ()
