"""Queues are judged as a whole: their hierarchies in one pass, and what a finding says has numbers with units."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import pytest

from reconciler.gpu.checker import Checker, problems
from reconciler.gpu.mig_table import MigTable
from reconciler.gpu.problem import Problem
from reconciler.gpu.queues import kai, kueue_capacity, kueue_references, volcano
from reconciler.gpu.queues.amounts import number, shown
from reconciler.gpu.queues.hierarchy import hierarchy
from reconciler.gpu.tolerant import amount
from reconciler.gpu.world import World, by_kind

Tree = dict[str, Any]


def world(desired: Iterable[Tree], live: Iterable[Tree] = (), retired: Iterable[Tree] = ()) -> World:
    on_cluster = by_kind(live)
    clustered = bool(on_cluster)
    return World(by_kind(desired), str, MigTable(), on_cluster, clustered, retired=by_kind(retired))


def judge(checkers: tuple[Checker, ...], desired: Iterable[Tree], live: Iterable[Tree] = ()) -> list[Problem]:
    return list(problems(world(desired, live), checkers))


def kai_queue(name: str, parent: str = "", **gpu: Any) -> Tree:
    numbers = {"quota": -1, "limit": -1}
    resources = {"gpu": gpu or numbers, "cpu": numbers, "memory": numbers}
    spec = {"parentQueue": parent, "resources": resources}
    return {"apiVersion": "scheduling.run.ai/v2", "kind": "Queue", "metadata": {"name": name}, "spec": spec}


def volcano_queue(name: str, parent: str = "", **spec: Any) -> Tree:
    spec = {"parent": parent, "capability": {"cpu": 1}, "deserved": {"cpu": 1}, **spec}
    return {"apiVersion": "scheduling.volcano.sh/v1beta1", "kind": "Queue", "metadata": {"name": name}, "spec": spec}


def cohort(name: str, parent: str = "") -> Tree:
    spec = {"parentName": parent}
    return {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "Cohort", "metadata": {"name": name}, "spec": spec}


def cluster_queue(name: str, cohort_name: str = "", nominal: Any = 1) -> Tree:
    flavor = {"name": "gpu", "resources": [{"name": "cpu", "nominalQuota": nominal, "borrowingLimit": 1}]}
    group = {"coveredResources": ["cpu"], "flavors": [flavor]}
    spec = {"cohortName": cohort_name, "resourceGroups": [group]}
    return {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ClusterQueue", "metadata": {"name": name}, "spec": spec}


def flavor(**spec: Any) -> Tree:
    return {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ResourceFlavor", "metadata": {"name": "gpu"}, "spec": spec}


def test_a_hierarchy_knows_depths_tops_and_children() -> None:
    tree = hierarchy({"leaf": "middle", "middle": "top", "top": "", "guest": "implicit"})
    assert tree.depths == {"top": 1, "middle": 2, "leaf": 3, "guest": 1}
    assert tree.tops == {"top": "top", "middle": "top", "leaf": "top", "guest": "implicit"}
    assert tree.children == {"middle": ("leaf",), "top": ("middle",), "implicit": ("guest",)}


def test_what_hangs_on_a_cycle_is_not_on_it() -> None:
    tree = hierarchy({"leaf": "a", "a": "b", "b": "a", "other": ""})
    assert tree.cyclic == {"a", "b"}
    assert tree.depths == {"other": 1}
    assert tree.cycle("b") == "b → a → b"


def test_a_long_cycle_is_told_in_short() -> None:
    names = [f"q{index}" for index in range(2_000)]
    tree = hierarchy(dict(pairwise([*names, names[0]])))
    assert len(tree.cyclic) == 2_000
    assert tree.cycle("q7") == "q7 → q8 → q9 → q10 → q11 → q12 → … → q7"


def chain(make: Callable[..., Tree], count: int) -> list[Tree]:
    return [make(f"q{index}", f"q{index - 1}" if index else "") for index in range(count)]


def ring(make: Callable[..., Tree], count: int) -> list[Tree]:
    return [make(f"q{index}", f"q{(index + 1) % count}") for index in range(count)]


def star(make: Callable[..., Tree], count: int) -> list[Tree]:
    return [make("q0"), *(make(f"q{index}", "q0") for index in range(1, count))]


def calls(function: Callable[[], object]) -> int:
    """How many functions are called meanwhile: work that does not depend on the machine."""
    count = 0

    def tally(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(tally)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


MAKERS = {
    "KAI": (kai_queue, kai.CHECKERS),
    "Volcano": (volcano_queue, volcano.CHECKERS),
    "Cohort": (cohort, kueue_references.CHECKERS),
    "ClusterQueue": (cluster_queue, kueue_capacity.CHECKERS),
}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("shape", [chain, ring, star])
def test_four_times_the_queues_are_four_times_the_work(maker: str, shape: Callable[..., list[Tree]]) -> None:
    make, checkers = MAKERS[maker]
    few, many = (shape(make, count) for count in (100, 400))
    assert calls(lambda: judge(checkers, many)) < 4.5 * calls(lambda: judge(checkers, few))


def test_two_thousand_queues_in_one_hierarchy_are_judged() -> None:
    found = judge(kai.CHECKERS, ring(kai_queue, 2_000)) + judge(volcano.CHECKERS, chain(volcano_queue, 2_000))
    assert [one.rule for one in found] == ["Q-04"] * 2_000 + ["Q-08"] * (2_000 - volcano.DEEPEST)


def test_a_retired_flavor_is_missing() -> None:
    gone = flavor(nodeLabels={"a": "b"})
    queues = [cluster_queue("team", "all")]
    assert [one.rule for one in problems(world(queues, [gone]), kueue_references.CHECKERS)] == []
    (found,) = problems(world(queues, [gone], retired=[gone]), kueue_references.CHECKERS)
    assert (found.rule, found.severity) == ("Q-11", "error")
    assert "'gpu'" in found.message


def test_sums_are_told_once_of_the_parent_that_git_declares() -> None:
    desired = [kai_queue("top", quota=1, limit=-1), *(kai_queue(f"q{n}", "top", quota=1, limit=-1) for n in range(3))]
    (found,) = judge(kai.CHECKERS, desired)
    assert (found.rule, found.ref.name) == ("Q-03", "top")
    assert "are guaranteed 3 GPUs, but top has a quota of 1 GPUs" in found.message
    assert "to 3" in found.fix


def test_what_a_name_holds_cannot_break_the_line_of_a_finding() -> None:
    (found,) = judge(kai.CHECKERS, [kai_queue("a\n\x1b[31m", "gone")])
    assert found.message == "queue a\\n\\x1b[31m: its parent 'gone' does not exist"


def test_a_queue_may_be_written_in_a_namespace_that_it_does_not_have() -> None:
    queue = cluster_queue("team", "all", nominal="200")
    queue["metadata"]["namespace"] = "kueue-system"
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": {"a": "b"}}}
    live = [flavor(nodeLabels={"a": "b"}), node | {"status": {"allocatable": {"cpu": "127500m"}}}]
    found = [one for one in judge(kueue_capacity.CHECKERS, [queue], live) if one.rule == "Q-14"]
    assert [one.message.rpartition(", ")[2] for one in found] == ["but its nodes (1) give 127.5"]


def test_what_is_no_amount_is_none() -> None:
    strange = [None, True, "many", [], {}, float("nan"), float("inf"), 10**5_000, -(10**5_000), "1" * 100]
    assert {amount(one) for one in strange} == {number(one) for one in strange} == {None}


def test_amounts_are_shown_as_people_write_them() -> None:
    written = {"12000m": "12", "64Gi": "64Gi", "1.5Ti": "1536Gi", "0": "0", "1e30": "1.000e+30"}
    values = {text: amount(text) for text in written}
    assert {text: shown(value, "memory") for text, value in values.items() if value is not None} == written
    assert number("8") is None
