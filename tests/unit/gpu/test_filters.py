"""Of two entries of one MIG layout both may be for a GPU, by the device-filters that they have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.gpu.checker import problems
from reconciler.gpu.mig.layouts import CHECKERS
from reconciler.gpu.mig_table import MigTable
from reconciler.gpu.operator_maps import CONFIG_MAP
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef

A, B = "0x20B210DE", "0x233010DE"


def met(*filters: Any) -> bool:
    entries = [{"device-filter": one, "devices": "all", "mig-enabled": False} for one in filters]
    text = json.dumps({"version": "v1", "mig-configs": {"layout": entries}})
    tree = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mig"}, "data": {"config.yaml": text}}
    world = World({CONFIG_MAP: {ObjectRef("", "ConfigMap", "", "mig"): tree}}, json.loads, MigTable())
    return "MIG-08" in {one.rule for one in problems(world, CHECKERS)}


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (A, A, True),
        (A, B, False),
        ([A, B], [B], True),
        (f"{A}:0x1", A, True),
        (A, f"{A}:0x1", True),
        (f"{A}:0x1", f"{A}:0x1", True),
        (f"{A}:0x1", f"{A}:0x2", False),
        ([f"{A}:0x1", f"{B}:0x2"], [f"{A}:0x2", f"{B}:0x1"], False),
        ([f"{A}:0x1", B], [f"{A}:0x2", f"{B}:0x1"], True),
    ],
)
def test_two_filters_meet_where_a_gpu_may_match_both(one: Any, other: Any, both: bool) -> None:
    assert met(one, other) is both


def test_thousands_of_filters_are_compared_at_once() -> None:
    sides = [[f"0x{side:X}{number:07X}" for number in range(5_000)] for side in (1, 2)]
    assert not met(*sides)
    assert met(sides[0], [*sides[1], sides[0][-1]])
