"""Holds that what a real API server makes of what others publish is explained: else each mutator would be accused."""

from __future__ import annotations

import pytest

from reconciler.canonical.engine import canonicalize
from reconciler.compare.unexplained import unexplained
from tests.support.controlplane import Shared
from tests.support.corpus import SEEDS, Entry, Landed, entries, landed_once

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

# Another object of the cluster, or the object's own template, decides these: no table can know them.
DECIDED_ELSEWHERE = {"LimitRange seeds-limits/limits", "Pod seeds-limits/bare", "ReplicationController seeds/old"}


@pytest.fixture(scope="module", params=[*entries(), pytest.param(SEEDS, id="seeds")])
def landed(request: pytest.FixtureRequest, shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """One entry as a real cluster held it."""
    entry: Entry = request.param
    return landed_once(shared.get, entry, tmp_path_factory.getbasetemp())


def test_nothing_that_the_server_answers_is_unexplained(landed: Landed) -> None:
    answered = [one for one in landed.objects if one.answer.tree is not None]
    found = {
        one.name: unexplained(canonicalize(one.rendered, landed.context), one.answer.tree, landed.context.secret_key)
        for one in answered
    }
    volatile = {one.name: set(one.answer.volatile) for one in answered}
    strange = {name: paths for name, paths in found.items() if set(paths) - volatile[name]}
    assert {name: paths for name, paths in strange.items() if name not in DECIDED_ELSEWHERE} == {}
    assert answered
