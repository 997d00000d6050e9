"""Laws of MIG layouts: the search for places finds one where there is one; nothing in a document makes a rule raise."""

from __future__ import annotations

import json
from itertools import chain, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.gpu.checker import problems
from reconciler.gpu.mig import layouts, selection
from reconciler.gpu.mig.fit import misfits
from reconciler.gpu.mig.placement import Wanted, compute_of, largest_part, placement
from reconciler.gpu.mig_table import MigModel, MigProfile
from reconciler.gpu.sharing import keys, replicas
from reconciler.gpu.world import World, by_kind
from setscrew.configuration import mig_table

pytestmark = pytest.mark.property

TABLE = mig_table()
MODELS = TABLE.models
CHECKERS = [checker for module in (layouts, selection, keys, replicas) for checker in module.CHECKERS]


@st.composite
def asked(draw: st.DrawFn) -> tuple[MigModel, list[tuple[MigProfile, int]]]:
    """A model, and at most eight instances of its profiles."""
    model = draw(st.sampled_from(MODELS))
    some = draw(st.lists(st.sampled_from(model.profiles), min_size=1, max_size=8))
    return model, [(profile, some.count(profile)) for profile in dict.fromkeys(some)]


def can_be_placed(wanted: Wanted, slices: int) -> bool:
    """Every combination of starts, without any thought."""
    each = [profile for profile, count in wanted for _ in range(count)]
    if sum(profile.memory_slices for profile in each) > slices:
        return False
    for starts in product(*(profile.starts for profile in each)):
        taken = list(
            chain.from_iterable(range(at, at + one.memory_slices) for one, at in zip(each, starts, strict=True))
        )
        if len(taken) == len(set(taken)):
            return True
    return False


@given(asked())
def test_a_place_is_found_exactly_where_trying_everything_finds_one(case: tuple[MigModel, Wanted]) -> None:
    model, wanted = case
    found = placement(wanted, model.memory_slices)
    # Trying everything takes too long for what is wildly too much; memory alone says no there.
    assert (found is not None) is can_be_placed(wanted, model.memory_slices)
    for profile, start in found or ():
        assert start in profile.starts


@given(asked())
def test_what_is_said_to_fit_fits_and_is_no_more_than_was_asked(case: tuple[MigModel, Wanted]) -> None:
    model, wanted = case
    part = largest_part(wanted, model.memory_slices)
    assert placement(part, model.memory_slices) is not None
    most = {profile.name: count for profile, count in wanted}
    assert all(count <= most[profile.name] for profile, count in part)
    assert compute_of(part) <= model.compute_slices


@given(asked())
def test_taking_away_never_makes_what_fits_unfit(case: tuple[MigModel, Wanted]) -> None:
    model, wanted = case
    devices = {profile.name: count for profile, count in wanted}
    for name, count in devices.items():
        less = devices | {name: count - 1}
        assert misfits(model, devices) or not [one for one in misfits(model, less) if one.severity == "error"]


words = st.sampled_from(
    [
        "version",
        "v1",
        "mig-configs",
        "devices",
        "device-filter",
        "mig-enabled",
        "mig-devices",
        "1g.10gb",
        "all",
        "sharing",
        "timeSlicing",
        "mps",
        "resources",
        "replicas",
        "name",
        "rename",
        "flags",
        "migStrategy",
        "0x233010DE",
        "x\ny",
        "",
    ]
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), words)
trees = st.recursive(
    scalars,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(words, below, max_size=4)),
    max_leaves=25,
)
entries = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("devices", "device-filter", "mig-enabled", "mig-devices"), trees)
)
documents = st.one_of(
    trees,
    st.fixed_dictionaries(
        {"version": st.just("v1"), "mig-configs": st.dictionaries(words, st.lists(entries, max_size=3))}
    ),
    st.fixed_dictionaries({"sharing": st.dictionaries(st.sampled_from(["timeSlicing", "mps"]), trees)}),
)


def config_map(name: str, data: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "gpu"}, "data": data}


@given(documents, documents, trees, st.booleans())
def test_nothing_that_a_repository_holds_makes_a_rule_raise(new: Any, old: Any, odd: Any, named: bool) -> None:
    component = {"config": {"name": "given", "default": odd}}
    policy = {"apiVersion": "nvidia.com/v1", "kind": "ClusterPolicy", "metadata": {"name": "policy"}}
    policy["spec"] = (
        {"migManager": component, "devicePlugin": component, "mig": {"strategy": "single"}} if named else odd
    )
    labels = {"nvidia.com/mig.config": "1g.10gb", "nvidia.com/device-plugin.config": odd, "nvidia.com/gpu.product": odd}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "gpu-1", "labels": labels}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"}, "spec": odd, "status": odd}
    piece = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": {"name": "a"}, "spec": odd}
    texts = {"config.yaml": json.dumps(new), "odd": json.dumps(odd), "broken": "[", "number": 1}
    desired = [config_map("given", texts), config_map("strange", odd), policy, node]
    live = [config_map("given", {"config.yaml": json.dumps(old)}), node | {"metadata": {"name": "gpu-1"}}, pod, piece]
    world = World(by_kind(desired), json.loads, TABLE, by_kind(live), clustered=True)
    for problem in problems(world, CHECKERS):
        assert len(problem.message.splitlines()) == len(problem.fix.splitlines()) == 1
