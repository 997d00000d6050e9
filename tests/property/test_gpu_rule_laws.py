"""Law: whatever stands anywhere in a repository about GPU classes, or in the cluster, the rules end in findings.

Each example is a case file of tests/cases/gpu/rules with strange values put in the place of some of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.gpu.checker import Checker, problems
from reconciler.gpu.dra import access, fixed, gates, names, parameters, published, selectors, shape, use
from reconciler.gpu.mig_table import MigModel, MigProfile, MigTable
from reconciler.gpu.operators import amd, drivers, hami, policy
from reconciler.gpu.world import World, by_kind

pytestmark = pytest.mark.property

CHECKERS: tuple[Checker, ...] = tuple(
    checker
    for module in (
        *(access, fixed, gates, names, parameters, published, selectors, shape, use),
        *(amd, drivers, hami, policy),
    )
    for checker in module.CHECKERS
)
RULES = Path(__file__).parents[1] / "cases" / "gpu" / "rules"
CASES = [
    list(yaml.safe_load_all(file.read_text()))
    for prefix in ("DRA", "CP", "AMD", "HAMI")
    for file in sorted(RULES.glob(f"{prefix}-*.yaml"))
]
_PROFILE = MigProfile("1g.10gb", 1, 1, 7, (0, 1, 2, 3, 4, 5, 6), "nvidia.com/mig-1g.10gb")
TABLE = MigTable((MigModel("H100", (), "", 7, 8, 7, 1, (_PROFILE,)),))
CEL = [
    "device",
    ".",
    "attributes",
    "['gpu.nvidia.com']",
    ".type",
    "==",
    "'mig'",
    "&&",
    "||",
    "has(",
    ")",
    "?",
    "//",
    "'",
]
STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 130),
    st.just(10**5_000),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.sampled_from(CEL), max_size=12).map(" ".join),
    st.sampled_from(["nvidia.com/gpu", "64Gi", "9e999", "-1", "\udcff\n", "resource.k8s.io/v1beta1", "gpu.nvidia.com"]),
    st.just([]),
    st.just({}),
    st.just([[None], {"name": ["a"]}, 1]),
    st.just({1: 2, None: {}, "name": {"a": []}}),
)


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Each place in a tree: what holds it, and the key or index."""
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield tree, key
        yield from places(tree[key])


def named(tree: Any) -> bool:
    """Whether rendering lets it through: an object has a version, a kind and a name."""
    metadata = tree.get("metadata") if isinstance(tree, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return isinstance(name, str) and isinstance(tree.get("apiVersion"), str) and isinstance(tree.get("kind"), str)


def world(documents: list[Any]) -> World:
    objects: dict[str, list[Any]] = {"live": [], "retired": [], "desired": []}
    for document in filter(named, documents):
        listed = document.get("items") if document["kind"] == "List" else [document]
        part = document["metadata"]["name"] if document["kind"] == "List" else "desired"
        objects.setdefault(part, []).extend(filter(named, listed) if isinstance(listed, list) else ())
    live = by_kind(objects["live"])
    return World(by_kind(objects["desired"]), yaml.safe_load, TABLE, live, bool(live), by_kind(objects["retired"]))


@settings(max_examples=max(300, settings.default.max_examples))
@given(st.sampled_from(CASES), st.lists(st.tuples(st.integers(0, 10_000), STRANGE), min_size=1, max_size=4))
def test_no_tree_makes_a_rule_raise(case: list[Any], changes: list[tuple[int, Any]]) -> None:
    documents = copy.deepcopy(case)
    for where, value in changes:
        among = [place for document in documents for place in places(document)]
        holder, key = among[where % len(among)]
        holder[key] = copy.deepcopy(value)
    for problem in problems(world(documents), CHECKERS):
        assert problem.severity in {"error", "warning"}
        for text in (problem.message, problem.fix):
            assert len(text.splitlines()) == 1


@pytest.mark.parametrize("wrap", [lambda tree: {"spec": tree}, lambda tree: [tree]], ids=["mappings", "lists"])
def test_depth_is_no_harm(wrap: Any) -> None:
    tree: Any = "a"
    for _ in range(20_000):
        tree = wrap(tree)
    kinds = sorted({kind for checker in CHECKERS for kind in checker.kinds} | {("", "Node")})
    deep = [
        {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind, "metadata": {"name": "a"}, "spec": tree}
        for group, kind in kinds
    ]
    found = World(by_kind(deep), yaml.safe_load, TABLE, by_kind(deep), clustered=True, retired=by_kind(deep))
    assert {problem.rule for problem in problems(found, CHECKERS)} <= {"CP-01", "DRA-09"}
