"""Who uses a GPU class: live objects of tests/cases/gpu/users, as they are kept, against the counts in each file."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from reconciler.gpu.checker import problems
from reconciler.gpu.rules import CHECKERS
from reconciler.gpu.users.census import census
from reconciler.gpu.users.model import NOBODY, Census, ClassName
from reconciler.gpu.users.published import decode, encode
from reconciler.gpu.users.shrink import NEIGHBOURS, WATCHED, shrink
from reconciler.gpu.world import World, by_kind
from reconciler.limits import CENSUS_CLASSES
from reconciler.model.ref import ObjectRef, split_api_version
from reconciler.model.tree import Tree
from reconciler.render.embedded_loader import load_embedded
from reconciler.render.yaml_loader import load_documents
from tests.support import gpu_cases

CASES = Path(__file__).parents[2] / "cases" / "gpu" / "users"
AT = "2026-11-23T02:00:00Z"


def kept(tree: Tree) -> Tree:
    return shrink(split_api_version(tree["apiVersion"])[0], tree["kind"], tree)


def counted(trees: list[Tree], **unseen: str) -> Census:
    return census(by_kind(map(kept, trees)), unseen, AT, load_embedded)


def named(text: str) -> ClassName:
    family, _, name = text.partition(" ")
    return ClassName(family, name)  # type: ignore[arg-type]


def read(file: Path) -> tuple[Census, dict[str, Any]]:
    live, expected = (document.tree for document in load_documents(file.read_bytes(), file.name))
    return counted(live["items"]), expected


def cases() -> list[object]:
    return [pytest.param(file, id=file.stem) for file in sorted(CASES.glob("*.yaml"))]


@pytest.mark.parametrize("file", cases())
def test_users_are_counted_as_the_case_says(file: Path) -> None:
    found, expected = read(file)
    for text, said in expected["classes"].items():
        users = asdict(found.classes.get(named(text), NOBODY))
        lists = {key: tuple(value) if isinstance(value, list) else value for key, value in said.items()}
        assert {key: users[key] for key in said} == lists, text


@pytest.mark.parametrize("file", cases())
def test_what_nobody_uses_is_not_among_the_classes(file: Path) -> None:
    found, expected = read(file)
    assert [text for text in expected.get("nobody", ()) if named(text) in found.classes] == []
    assert NOBODY not in found.classes.values()


@pytest.mark.parametrize("file", [pytest.param(file, id=file.stem) for file in sorted(gpu_cases.CASES.glob("*.yaml"))])
def test_rules_find_the_same_beside_objects_that_were_shrunk(file: Path) -> None:
    world = gpu_cases.world(file)
    live = {kind: {ref: kept(tree) for ref, tree in held.items()} for kind, held in world.live.items()}
    beside = World(world.desired, world.parse, world.mig, live, world.clustered, world.retired)
    assert set(live) <= set(WATCHED)
    assert list(problems(beside, CHECKERS)) == list(problems(world, CHECKERS))


@pytest.mark.parametrize("file", [pytest.param(file, id=file.stem) for file in sorted(gpu_cases.CASES.glob("*.yaml"))])
def test_what_is_wrong_with_an_object_is_wrong_with_what_is_kept_of_it(file: Path) -> None:
    world = gpu_cases.world(file)
    live = {kind: world.live.get(kind, {}) | held for kind, held in {**world.live, **world.desired}.items()}
    small = {kind: {ref: kept(tree) for ref, tree in held.items()} for kind, held in live.items()}
    whole, shrunk = (
        {(one.rule, one.ref) for one in problems(World(held, world.parse, world.mig, held, clustered=True), CHECKERS)}
        for held in (live, small)
    )
    errors = {(one.rule, one.ref) for one in problems(world, CHECKERS) if one.severity == "error"}
    assert errors & whole <= shrunk


def test_neighbours_are_watched_and_are_in_the_census() -> None:
    queue = {"apiVersion": "scheduling.run.ai/v2", "kind": "Queue", "metadata": {"name": "a"}, "spec": {"priority": 1}}
    assert set(NEIGHBOURS) <= set(WATCHED)
    assert len(WATCHED) == len(set(WATCHED))
    assert counted([queue]).neighbours == (queue,)


def test_what_could_not_be_read_is_handed_on() -> None:
    assert counted([], Pod="forbidden").unseen == {"Pod": "forbidden"}


def test_of_too_many_classes_the_most_used_are_kept_and_that_is_said() -> None:
    spec = {"containers": [], "runtimeClassName": "used"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ml"}, "spec": spec}
    policy: Tree = {"apiVersion": "scheduling.run.ai/v2", "kind": "Queue", "spec": {"parentQueue": ""}}
    queues = [
        policy | {"metadata": {"name": f"q{i}"}, "spec": {"parentQueue": f"p{i}"}} for i in range(CENSUS_CLASSES + 5)
    ]
    found = counted([pod, *queues])
    assert len(found.classes) == CENSUS_CLASSES
    assert ClassName("RuntimeClass", "used") in found.classes
    assert list(found.unseen) == ["*"]


POD: Tree = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "p",
        "namespace": "ml",
        "uid": "7",
        "labels": {"app": "x", "kai.scheduler/queue": "team"},
        "annotations": {"password": "hunter2"},
        "managedFields": [{}],
        "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "controller": True, "uid": "8"}
        ],
    },
    "spec": {
        "nodeName": "n1",
        "containers": [
            {
                "name": "main",
                "image": "app",
                "env": [{"name": "TOKEN", "value": "hunter2"}],
                "resources": {"limits": {"nvidia.com/gpu": "1", "cpu": "2"}},
            }
        ],
    },
    "status": {"phase": "Running", "podIP": "10.0.0.1"},
}


def test_of_a_pod_is_kept_what_makes_it_a_user() -> None:
    assert kept(POD) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "p",
            "namespace": "ml",
            "labels": {"kai.scheduler/queue": "team"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "controller": True}],
        },
        "spec": {"nodeName": "n1", "containers": [{"resources": {"limits": {"nvidia.com/gpu": "1"}}}]},
        "status": {"phase": "Running"},
    }


def test_of_a_pod_that_is_over_nothing_else_is_kept() -> None:
    held = kept(POD | {"status": {"phase": "Succeeded"}})
    assert (held["spec"], held["status"]) == ({"containers": []}, {"phase": "Succeeded"})


def size(tree: Tree, seen: set[int]) -> int:
    """Bytes of a tree, parts that were counted before left out."""
    if id(tree) in seen:
        return 0
    seen.add(id(tree))
    parts = [*tree, *tree.values()] if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return sys.getsizeof(tree) + sum(size(part, seen) for part in parts)


def pod(name: str, node: str) -> Tree:
    return {**POD, "metadata": {**POD["metadata"], "name": name}, "spec": {**POD["spec"], "nodeName": node}}


def test_ten_thousand_pods_take_less_than_ten_megabytes() -> None:
    seen = set[int]()
    pods = [kept(pod(f"pod-{index}", f"node-{index % 500}")) for index in range(10_000)]
    assert sum(size(one, seen) for one in pods) < 10_000_000


def test_no_value_of_a_secret_is_kept_nor_of_a_config_map_that_no_rule_reads() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "aHVudGVyMg=="}}
    ours = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "timestamps: hunter2"}}
    assert "hunter2" not in repr(kept(ours))
    assert kept(ours)["data"] == {"a": ""}
    assert "data" not in kept(secret)


def test_devices_of_one_sort_are_kept_once_and_without_serial_numbers() -> None:
    def device(index: int) -> Tree:
        attributes = {"uuid": {"string": f"GPU-0000000{index}-1111-2222"}, "productName": {"string": "NVIDIA H100"}}
        return {"name": f"gpu-{index}", "attributes": attributes, "capacity": {"memory": {"value": "80Gi"}}}

    devices = [device(index) for index in range(8)]
    spec = {"driver": "gpu.nvidia.com", "nodeName": "n1", "devices": devices}
    piece = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": {"name": "s"}, "spec": spec}
    sort = {"attributes": {"uuid": {}, "productName": {"string": "NVIDIA H100"}}, "capacity": {"memory": {}}}
    assert kept(piece)["spec"] == {"driver": "gpu.nvidia.com", "nodeName": "n1", "devices": [sort]}


HOSTILE: list[Tree] = [
    None,
    7,
    "text",
    [],
    [None],
    {"a": [1]},
    {"": {"name": 3}},
    10**400,
    True,
    [{"name": None}],
    -1.5,
]
FIELDS = ("metadata", "spec", "status", "data")


@pytest.mark.parametrize("kind", WATCHED, ids="/".join)
def test_no_tree_is_too_strange(kind: tuple[str, str]) -> None:
    group, name = kind
    for field in FIELDS:
        for value in HOSTILE:
            tree = {"apiVersion": f"{group}/v1", "kind": name, "metadata": {"name": "x"}, field: value}
            held = shrink(group, name, tree)
            found = census({kind: {ObjectRef(group, name, "", "x"): held}}, {}, AT, load_embedded)
            assert found.at == AT
    assert all(shrink(group, name, value) is not None for value in HOSTILE)


def test_depth_is_no_harm() -> None:
    deep: Tree = {}
    for _ in range(20_000):
        deep = {"spec": [deep]}
    objects = {}
    for group, name in WATCHED:
        tree = {"apiVersion": f"{group}/v1", "kind": name, "metadata": {"name": "x"}, "spec": deep, "data": deep}
        objects[group, name] = {ObjectRef(group, name, "", "x"): shrink(group, name, tree)}
    assert decode(encode(census(objects, {}, AT, load_embedded))).at == AT
