"""Who uses a class, as people and programs are told, and as it is published."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from reconciler.errors import StoreError
from reconciler.gpu.users.model import Census, ClassName, Tenant, Users
from reconciler.gpu.users.published import decode, encode
from reconciler.gpu.users.told import LINE_CHARS, LINES, as_json, told
from reconciler.limits import CENSUS_FILE_BYTES
from reconciler.policy.model import GpuClass
from tests.support.decisions import builtin_rules

AT = "2026-11-23T02:00:00Z"
GOLD, LAYOUT, PLUGIN = (
    ClassName("DeviceClass", "gold"),
    ClassName("MigLayout", "all-1g"),
    ClassName("Resource", "nvidia.com/gpu"),
)
USERS = Users(
    running=12,
    pending=3,
    templates=1,
    claims=4,
    nodes=2,
    others={"ResourceQuota": 1},
    namespaces=2,
    tenants=(Tenant("ml", "ml-team", 14), Tenant("vision", "", 6)),
    examples=("Pod ml/train-0", "Pod ml/train-1"),
)
CENSUS = Census(AT, {GOLD: USERS, LAYOUT: Users(running=7, nodes=1)})


def row(name: str) -> GpuClass:
    return next(one for one in builtin_rules().gpu_classes if one.id == name)


def test_people_read_who_uses_a_class_and_who_is_hit_when() -> None:
    who, when = told([GOLD], CENSUS, [row("device-class")])
    assert who == (
        "DeviceClass gold: 12 Pods run with it, 3 Pods wait for it, 1 template will ask for it, 4 claims are allocated,"
        " 2 nodes, 1 ResourceQuota; in 2 namespaces (ml of ml-team 14, vision 6), such as Pod ml/train-0"
    )
    assert when == f"Hit at once: 3 Pods that wait; at the next start: 12 Pods that run and 1 template (seen at {AT})"


def test_a_change_that_hits_what_runs_says_so() -> None:
    assert told([GOLD], CENSUS, [row("claim")])[-1] == (
        f"Hit at once: 12 Pods that run and 3 Pods that wait; at the next start: 1 template (seen at {AT})"
    )


def test_a_change_that_hits_only_what_starts_says_so() -> None:
    assert told([GOLD], CENSUS, [row("resource-quota")])[-1].startswith("Hit at once: what starts from now on;")


def test_a_latent_change_names_its_trigger_and_whom_it_hits_then() -> None:
    who, when = told([LAYOUT], CENSUS, [row("mig-layouts")])
    assert who == "MIG layout all-1g: 7 Pods run with it, 1 node"
    assert when == (
        "Latent: nothing happens before relabelling or rebooting a node, or a restart of the MIG manager,"
        f" then it hits 7 Pods that run (seen at {AT})"
    )


def test_the_row_that_acts_at_once_speaks_before_one_that_waits() -> None:
    assert told([GOLD], CENSUS, [row("driver-config"), row("device-class")])[-1].startswith("Hit at once: 3 Pods")


def test_that_nobody_uses_a_class_is_said_with_the_time_of_the_look() -> None:
    assert told([PLUGIN], CENSUS, [row("device-class")]) == (f"Nobody in the cluster uses it now (seen at {AT})",)


@pytest.mark.parametrize(
    ("census", "line"),
    [
        (None, "Who uses it is not known: the cluster has not been looked at"),
        (replace(CENSUS, unseen={"Pod": "forbidden"}), "Who uses it is not known: Pod cannot be seen: forbidden"),
        (
            replace(CENSUS, unseen={"ray.io/RayJob": "forbidden", "Pod": "forbidden"}),
            "Who uses it is not known: Pod and 1 more kinds cannot be seen: forbidden",
        ),
        (replace(CENSUS, unseen={"*": "too many classes"}), "Who uses it is not known: too many classes"),
    ],
)
def test_without_a_look_nobody_says_that_there_are_no_users(census: Census | None, line: str) -> None:
    assert told([PLUGIN], census, [row("device-class")]) == (line,)
    said = as_json([PLUGIN], census, [row("device-class")])
    assert said["classes"] == [{"family": "Resource", "name": "nvidia.com/gpu"}]
    assert said["unknown"] == line.partition(": ")[2]


def test_of_some_users_it_is_said_that_there_may_be_more() -> None:
    lines = told([GOLD], replace(CENSUS, unseen={"resource.k8s.io/ResourceClaim": "forbidden"}), [row("device-class")])
    assert lines[0].startswith("DeviceClass gold: 12 Pods run with it")
    assert lines[1] == "There may be more users: resource.k8s.io/ResourceClaim cannot be seen: forbidden"


def test_a_kind_that_a_class_does_not_need_is_not_missed() -> None:
    census = replace(CENSUS, unseen={"Node": "forbidden", "scheduling.run.ai/Queue": "forbidden"})
    assert told([PLUGIN], census, []) == (f"Nobody in the cluster uses it now (seen at {AT})",)
    assert "not known" in told([ClassName("Node", "n1")], census, [])[0]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (ClassName("MigLayout", "all-2g"), "nvidia.com/ClusterPolicy"),
        (ClassName("SharingConfig", "shared"), "nvidia.com/ClusterPolicy"),
        (ClassName("SharingConfig", "shared"), "ConfigMap"),
        (ClassName("GpuNodes", ""), "resource.k8s.io/ResourceSlice"),
        (ClassName("Driver", "kube-amd-gpu/mi300"), "amd.com/DeviceConfig"),
    ],
)
def test_without_what_gives_a_class_to_nodes_nobody_says_that_it_has_no_users(name: ClassName, kind: str) -> None:
    assert told([name], replace(CENSUS, unseen={kind: "forbidden"}), []) == (
        f"Who uses it is not known: {kind} cannot be seen: forbidden",
    )


def test_what_defines_no_class_is_not_spoken_of() -> None:
    assert told([], CENSUS, [row("mig-layouts")]) == ()


def test_the_most_used_of_many_classes_are_spelled_out() -> None:
    names = [ClassName("MigLayout", f"l{index}") for index in range(30)]
    census = Census(AT, {name: Users(running=index + 1) for index, name in enumerate(names)})
    lines = told(names, census, [row("mig-layouts")])
    assert lines[0].startswith("MIG layout l29: 30 Pods")
    assert lines[1] == "MIG layout l28: 29 Pods run with it (28 more classes are hit)"
    assert len(as_json(names, census, [row("mig-layouts")])["classes"]) == 20


def test_names_can_neither_flood_nor_steer_a_terminal() -> None:
    evil = "\x1b[2J" * 90
    users = replace(USERS, tenants=tuple(Tenant(evil, evil, 1) for _ in range(5)), examples=(evil,))
    names = [ClassName("DeviceClass", evil), GOLD, PLUGIN]
    census = Census(AT, dict.fromkeys(names, users), {"Pod": evil})
    lines = told(names, census, [row("device-class"), row("mig-layouts")])
    assert 0 < len(lines) <= LINES
    assert all(len(line) <= LINE_CHARS and line.isprintable() for line in lines)


def test_programs_are_told_the_same() -> None:
    assert json.loads(json.dumps(as_json([GOLD], CENSUS, [row("device-class")]))) == {
        "rows": ["device-class"],
        "effect": "live",
        "trigger": "",
        "classes": [
            {
                "family": "DeviceClass",
                "name": "gold",
                "running": 12,
                "pending": 3,
                "templates": 1,
                "claims": 4,
                "nodes": 2,
                "others": {"ResourceQuota": 1},
                "namespaces": 2,
                "tenants": [
                    {"namespace": "ml", "owner": "ml-team", "users": 14},
                    {"namespace": "vision", "owner": "", "users": 6},
                ],
                "examples": ["Pod ml/train-0", "Pod ml/train-1"],
            }
        ],
        "seenAt": AT,
        "unknown": "",
    }


def test_programs_are_told_of_a_latent_effect_with_its_trigger() -> None:
    said = as_json([LAYOUT], CENSUS, [row("mig-layouts")])
    assert (said["effect"], said["trigger"]) == ("latent", row("mig-layouts").trigger)


def test_what_is_published_is_read_back() -> None:
    census = replace(CENSUS, unseen={"Pod": "forbidden"}, neighbours=({"kind": "Queue", "spec": {"priority": 1}},))
    assert decode(encode(census)) == census


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a published census"),
        (b"[]", "not a published census"),
        (b'{"format":"1"}', "not a published census"),
        (encode(CENSUS).replace(b'"running":12', b'"running":"12"'), "not a published census"),
        (encode(CENSUS).replace(b'"DeviceClass"', b'"Device Class"'), "not a published census"),
        (encode(CENSUS).replace(b'"format":"1"', b'"format":"9"'), "of another format"),
        (b" " * (CENSUS_FILE_BYTES + 1), "over"),
        (b"[" * 100_000, "not a published census"),
        (b'{"format":"\xff"}', "not a published census"),
    ],
)
def test_another_file_is_refused_in_one_line(data: bytes, said: str) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        decode(data)
    assert len(caught.value.message.splitlines()) == 1


def test_a_census_that_is_too_large_is_not_published() -> None:
    with pytest.raises(StoreError, match="over"):
        encode(replace(CENSUS, neighbours=("x" * CENSUS_FILE_BYTES,)))
