"""Holds the packed form of kinds and types, and what the packaged data says of well-known kinds."""

from __future__ import annotations

import pytest

from reconciler.model.ref import KindInfo
from reconciler.schema.builtin import Builtin, pack_kinds, pack_types
from reconciler.schema.openapi import UNTYPED
from reconciler.schema.types import PLAIN, TypeNode
from reconciler.store.schema_data import load_builtin

POD = TypeNode(fields={"ports": TypeNode(list_type="map", keys=("port",), defaults={"port": 1}, ordered=True)})
TYPES = {
    ("", "v1", "Pod"): TypeNode(fields={"spec": POD}),
    ("apps", "v1", "Deployment"): TypeNode(fields={"spec": TypeNode(fields={"template": POD})}),
    ("x.io", "v1", "Plain"): PLAIN,
}
KINDS = (
    KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True, subresources=("scale",), replicas_path="/r"),
    KindInfo("", "v1", "Pod", "pods", namespaced=True),
)


def test_types_come_back_as_they_were_packed() -> None:
    builtin = Builtin(pack_kinds("1.2.3", KINDS), pack_types(TYPES))
    assert {gvk: builtin.types(*gvk) for gvk in TYPES} == TYPES


def test_a_node_that_kinds_share_is_packed_and_unpacked_once() -> None:
    builtin = Builtin(pack_kinds("1.2.3", ()), pack_types(TYPES))
    deployment, pod = builtin.types("apps", "v1", "Deployment"), builtin.types("", "v1", "Pod")
    assert deployment.at("spec").at("template") is pod.at("spec")


def test_kinds_come_back_as_they_were_packed() -> None:
    builtin = Builtin(pack_kinds("1.2.3", KINDS), pack_types({}))
    assert set(builtin.kinds().values()) == set(KINDS)
    assert builtin.version == "1.2.3"
    assert builtin.kind("apps", "v1", "Deployment") == KINDS[0]


def test_the_order_of_kinds_does_not_change_what_is_packed() -> None:
    assert pack_kinds("1", KINDS) == pack_kinds("1", reversed(KINDS))
    assert pack_types(TYPES) == pack_types(dict(reversed(TYPES.items())))


def test_an_unknown_kind_is_none_and_untyped() -> None:
    builtin = load_builtin()
    assert builtin.kind("x.io", "v1", "Foo") is None
    assert builtin.types("x.io", "v1", "Foo") is UNTYPED


def test_every_packaged_kind_has_types() -> None:
    builtin = load_builtin()
    assert all(builtin.types(*gvk).at("metadata") is not PLAIN for gvk in builtin.kinds())


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "ReplicaSet"])
def test_the_packaged_workloads_scale_at_spec_replicas(kind: str) -> None:
    info = load_builtin().kind("apps", "v1", kind)
    assert info is not None
    assert "scale" in info.subresources
    assert info.replicas_path == "/spec/replicas"


def test_the_packaged_types_know_the_places_that_comparison_needs() -> None:
    types = load_builtin().types
    container = types("apps", "v1", "Deployment").at("spec").at("template").at("spec").at("containers").item
    assert container.at("ports").keys == ("containerPort", "protocol")
    assert container.at("ports").defaults == {"protocol": "TCP"}
    assert container.at("env").keys == ("name",)
    assert container.at("resources").at("limits").at("nvidia.com/gpu").scalar == "quantity"
    assert types("", "v1", "Secret").at("data").at("any").scalar == "bytes"
    assert types("", "v1", "Service").at("spec").at("ports").item.at("targetPort").scalar == "int-or-string"


def test_the_packaged_gpu_kinds_are_there_in_every_version() -> None:
    versions = {
        version
        for group, version, kind in load_builtin().kinds()
        if (group, kind) == ("resource.k8s.io", "DeviceClass")
    }
    assert versions >= {"v1", "v1beta1", "v1beta2"}
