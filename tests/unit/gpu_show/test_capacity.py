"""What is said of a class stays readable in a large fleet, and of trees in which anything may be of any type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from click.testing import CliRunner

from setscrew.cli import main

CLASS: Final = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "DeviceClass",
    "metadata": {"name": "gold"},
    "spec": {"extendedResourceName": "example.com/gold"},
}
MPS: Final = """\
version: v1
sharing:
  timeSlicing: {resources: [{name: nvidia.com/gpu, replicas: 2}]}
  mps: {resources: [{name: nvidia.com/gpu, replicas: 8}]}
"""
HUGE: Final = int("9" * 300)
JUNK: Final = ("x", 5, HUGE, [], [5], {"a": "b"}, {"a": [{"b": None}]}, True)
PLACES: Final = {
    "resource.k8s.io/v1/DeviceClass": ("spec",),
    "resource.k8s.io/v1/ResourceClaimTemplate": ("spec", "spec", "devices", "requests"),
    "v1/ConfigMap": ("data",),
    "v1/Node": ("metadata", "labels"),
    "v1/ResourceQuota": ("spec", "hard"),
    "nvidia.com/v1/ClusterPolicy": ("spec", "mig"),
    "scheduling.run.ai/v2/Queue": ("spec", "resources", "gpu"),
    "scheduling.volcano.sh/v1beta1/Queue": ("spec", "deserved"),
    "kueue.x-k8s.io/v1beta2/ClusterQueue": ("spec", "resourceGroups"),
    "kueue.x-k8s.io/v1beta2/ResourceFlavor": ("spec", "nodeLabels"),
    "kueue.x-k8s.io/v1beta2/LocalQueue": ("spec", "clusterQueue"),
    "node.k8s.io/v1/RuntimeClass": ("handler",),
    "scheduling.k8s.io/v1/PriorityClass": ("value",),
}


def capacity(place: Path, *trees: Any) -> dict[str, list[dict[str, str]]]:
    """What is said of each class that these objects define."""
    (place / "objects.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": trees}))
    result = CliRunner().invoke(main, ["gpu", "show", str(place), "-o", "json"])
    assert result.exit_code == 0, result.output
    assert CliRunner().invoke(main, ["gpu", "show", str(place)]).exit_code == 0
    listing = json.loads(result.stdout)
    assert listing["unread"] == {}
    return {f"{one['family']} {one['name']}": one["capacity"] for one in listing["classes"]}


def quota(namespace: int) -> dict[str, Any]:
    metadata = {"name": "gpus", "namespace": f"team-{namespace:02}"}
    hard = {"requests.example.com/gold": "2"}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}}


def test_of_many_quotas_some_are_listed_and_the_others_summed(tmp_path: Path) -> None:
    lines = capacity(tmp_path, CLASS, *map(quota, range(25)))["Resource example.com/gold"]
    assert lines[0] == {"what": "quota", "amount": "2", "name": "example.com/gold", "where": "in team-00"}
    assert lines[20:] == [
        {"what": "quota", "amount": "10", "name": "example.com/gold", "where": "in 5 more namespaces"}
    ]


def test_where_both_ways_of_sharing_are_set_only_the_one_that_acts_is_shown(tmp_path: Path) -> None:
    tree = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "plugin"}, "data": {"both": MPS}}
    acting = [{"what": "replicas", "amount": "8", "name": "nvidia.com/gpu", "where": "mps"}]
    assert capacity(tmp_path, tree)["SharingConfig both"] == acting


def shaped(kind: str, number: int, junk: Any) -> dict[str, Any]:
    """An object of that kind with `junk` in the place of what defines its class."""
    version, _, name = kind.rpartition("/")
    tree: dict[str, Any] = {"apiVersion": version, "kind": name, "metadata": {"name": f"one-{number}"}}
    *above, last = PLACES[kind]
    place = tree
    for key in above:
        place = place.setdefault(key, {})
    place[last] = junk
    return tree


def test_a_tree_of_any_shape_is_shown_as_far_as_it_says_something(tmp_path: Path) -> None:
    trees = [shaped(kind, number, junk) for kind in PLACES for number, junk in enumerate(JUNK)]
    found = capacity(tmp_path, *trees, CLASS)
    assert {"DeviceClass gold", "DeviceClass one-0", "KaiQueue one-7", "PriorityClass one-1"} <= found.keys()
    assert str(HUGE) not in json.dumps(list(found.values()))
