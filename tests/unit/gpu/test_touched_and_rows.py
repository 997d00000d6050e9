"""Which classes a change is about, and which rows of the table an object is: tests/cases/gpu/{touched,rows}.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from reconciler.gpu.users.rows import rows_of
from reconciler.gpu.users.shrink import WATCHED
from reconciler.gpu.users.touched import touched
from reconciler.gpu.world import by_kind
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree
from reconciler.render.embedded_loader import load_embedded
from tests.support.decisions import builtin_rules

CASES = Path(__file__).parents[2] / "cases" / "gpu"


def cases(name: str) -> list[dict[str, Tree]]:
    found: list[dict[str, Tree]] = yaml.safe_load((CASES / name).read_text("utf-8"))
    return found


def ref_of(tree: Tree) -> ObjectRef:
    ((_, objects),) = by_kind([tree]).items()
    return next(iter(objects))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["what"]) for case in cases("touched.yaml")])
def test_a_change_is_about_these_classes(case: dict[str, Tree]) -> None:
    was, now = (case.get(side, ABSENT) for side in ("was", "now"))
    ref = ref_of(was if now is ABSENT else now)
    assert list(map(str, touched(ref, was, now, load_embedded))) == case["touched"]
    assert touched(ref, now, now, load_embedded) == touched(ref, was, was, load_embedded) == ()


@pytest.mark.parametrize("case", cases("rows.yaml"))
def test_an_object_is_of_these_rows(case: dict[str, Tree]) -> None:
    rows = rows_of(builtin_rules(), ref_of(case["object"]), case["object"], load_embedded)
    assert [row.id for row in rows] == case["rows"]


def test_rows_that_are_told_apart_by_id_are_in_the_table() -> None:
    named = {row for case in cases("rows.yaml") for row in case["rows"]}
    assert named <= {row.id for row in builtin_rules().gpu_classes}


HOSTILE: list[Tree] = [None, 7, "text", [], [None], {"a": [1]}, {"": {"name": 3}}, 10**400, True, {"hard": {3: 4}}]


@pytest.mark.parametrize("kind", [*WATCHED, ("resource.k8s.io", "DeviceTaintRule")], ids="/".join)
def test_no_tree_is_too_strange(kind: tuple[str, str]) -> None:
    ref, rules = ObjectRef(*kind, "", "x"), builtin_rules()
    trees = [ABSENT, *HOSTILE, *({field: value} for field in ("metadata", "spec", "data") for value in HOSTILE)]
    for was in trees:
        assert isinstance(rows_of(rules, ref, was, load_embedded), tuple)
        for now in trees[::3]:
            assert isinstance(touched(ref, was, now, load_embedded), tuple)


def test_a_tree_of_any_depth_is_a_change() -> None:
    deep: Tree = []
    for _ in range(100_000):
        deep = [deep]
    ref = ObjectRef("scheduling.run.ai", "Queue", "", "q")
    assert list(map(str, touched(ref, {"spec": deep}, {"spec": [deep]}, load_embedded))) == ["KaiQueue q"]
