"""Partial objects for server-side apply."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.heal.owned import kept, laid
from reconciler.model.path import ItemKey

WEB, PORT = ItemKey((("name", "web"),)), ItemKey((("containerPort", 80), ("protocol", "TCP")))


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        pytest.param({"f:spec": {"f:replicas": {}}}, {"spec": {"replicas": 3}}, id="a-field"),
        pytest.param({"f:spec": {"f:strategy": {}}}, {"spec": {"strategy": {"type": "A"}}}, id="an-atomic-map"),
        pytest.param({"f:spec": {".": {}, "f:gone": {}}}, {"spec": {}}, id="what-is-not-there"),
        pytest.param(
            {"f:spec": {"f:list": {'k:{"name":"web"}': {".": {}, "f:name": {}, "f:image": {}}}}},
            {"spec": {"list": [{"name": "web", "image": "web:1"}]}},
            id="a-part-of-an-item",
        ),
        pytest.param({"f:spec": {"f:set": {'v:"b"': {}}}}, {"spec": {"set": ["b"]}}, id="an-item-of-a-set"),
        pytest.param({"f:spec": {"f:list": {"k:{": {}}}}, {"spec": {"list": []}}, id="what-kubernetes-never-writes"),
        pytest.param({"f:spec": {"f:replicas": {"f:x": {}}}}, {"spec": {}}, id="below-what-is-a-value-by-now"),
    ],
)
def test_what_we_hold_is_the_part_that_managed_fields_say(fields: dict[str, Any], part: dict[str, Any]) -> None:
    live = {
        "spec": {
            "replicas": 3,
            "strategy": {"type": "A"},
            "list": [{"name": "db", "image": "db:1"}, {"name": "web", "image": "web:1", "args": []}],
            "set": ["a", "b"],
        },
        "metadata": {"managedFields": [{"manager": "setscrew", "operation": "Apply", "fieldsV1": fields}]},
    }
    assert kept(live) == part


@pytest.mark.parametrize(
    "entry",
    [
        {"manager": "argocd-controller", "operation": "Apply"},
        {"manager": "setscrew", "operation": "Update"},
        {"manager": "setscrew", "operation": "Apply", "subresource": "status"},
        "no entry",
    ],
)
def test_what_others_hold_or_we_wrote_otherwise_is_not_said_again(entry: Any) -> None:
    found = {**entry, "fieldsV1": {"f:spec": {}}} if isinstance(entry, dict) else entry
    assert kept({"spec": 1, "metadata": {"managedFields": [found]}}) == {}


def test_a_value_is_laid_where_its_place_leads() -> None:
    tree = laid({}, ("spec", "containers", WEB, "ports", PORT, "hostPort"), 8080)
    port = {"containerPort": 80, "protocol": "TCP", "hostPort": 8080}
    assert tree == {"spec": {"containers": [{"name": "web", "ports": [port]}]}}
    assert laid(tree, ("spec", "containers", WEB, "image"), "web:1")["spec"]["containers"] == [
        {"name": "web", "ports": [port], "image": "web:1"}
    ]
