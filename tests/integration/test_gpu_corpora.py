"""The charts of other projects, rendered as they come, hold no error for any rule about GPU classes.

Nor does any of their objects break one when it is written by itself, by somebody of whom nothing is known.
"""

from __future__ import annotations

import pytest
import yaml

from reconciler.gpu.checker import problems
from reconciler.gpu.rules import CHECKERS
from reconciler.gpu.single import new_errors
from reconciler.gpu.world import World, by_kind
from setscrew.configuration import mig_table
from setscrew.controlplane import Tools
from tests.support.corpus import Entry, entries

pytestmark = pytest.mark.integration

TABLE = mig_table()


@pytest.mark.parametrize("clustered", [False, True], ids=["files", "empty cluster"])
@pytest.mark.parametrize("entry", entries())
def test_a_chart_holds_no_error(entry: Entry, tools: Tools, *, clustered: bool) -> None:
    trees = [one.tree for one in entry.rendered(tools)]
    assert trees
    world = World(by_kind(trees), yaml.safe_load, mig_table(), clustered=clustered)
    assert [found for found in problems(world, CHECKERS) if found.severity == "error"] == []


@pytest.mark.parametrize("entry", entries())
def test_no_object_of_a_chart_is_refused_when_it_is_written(entry: Entry, tools: Tools) -> None:
    objects = by_kind(one.tree for one in entry.rendered(tools))
    for some in objects.values():
        for ref, tree in some.items():
            for others in ({}, objects):
                assert new_errors(ref, None, tree, others, yaml.safe_load, TABLE) == ()
