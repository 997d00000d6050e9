"""Holds discovery, types and live reads against a real API server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.live import list_live, read_live
from reconciler.model.ref import ObjectRef
from reconciler.schema.fill import OPEN
from reconciler.schema.openapi import META_KNOWN
from reconciler.schema.types import TypeNode
from reconciler.store.schema_data import load_builtin
from setscrew.controlplane import ControlPlane
from setscrew.controlplane.pins import KUBERNETES_VERSION, tools_of
from tests.support.engine import manifest
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

SERVED = tools_of(os.environ)["kube-apiserver"].module.version
NEWEST = SERVED == KUBERNETES_VERSION
GONE = {"workloadRef"}  # fields of older minors: of a Pod's spec in 1.35, behind a gate, and another one in 1.36

QUANTITY = r"^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?([0-9]+)))?$"
CRD = f"""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: gauges.discovery.example.com}}
spec:
  group: discovery.example.com
  scope: Cluster
  names: {{kind: Gauge, plural: gauges}}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {{status: {{}}, scale: {{specReplicasPath: .spec.pool.size, statusReplicasPath: .status.size}}}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              pool: {{type: object, properties: {{size: {{type: integer}}}}}}
              limit:
                x-kubernetes-int-or-string: true
                anyOf: [{{type: integer}}, {{type: string}}]
                pattern: "{QUANTITY}"
              blob: {{type: string, format: byte}}
              rows:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name, mode]
                items:
                  type: object
                  required: [name]
                  properties: {{name: {{type: string}}, mode: {{type: string, default: fast}}}}
"""
DOWN = """
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.down.example.com}
spec:
  group: down.example.com
  version: v1
  groupPriorityMinimum: 100
  versionPriority: 10
  insecureSkipTLSVerify: true
  service: {namespace: default, name: nobody}
"""


@pytest.fixture(scope="module")
def client(control_plane: ControlPlane) -> Iterator[ApiClient]:
    client = ApiClient.load(str(control_plane.admin_kubeconfig))
    yield client
    client.close()


@pytest.fixture(scope="module")
def discovery(client: ApiClient) -> Discovery:
    return Discovery(client, load_builtin())


def test_the_packaged_schema_is_that_of_the_newest_pinned_version(client: ApiClient) -> None:
    assert load_builtin().version == KUBERNETES_VERSION
    assert str(client.request("GET", "/version")["gitVersion"]).removeprefix("v") == SERVED


def test_every_served_kind_is_packaged_with_the_same_facts_and_types(discovery: Discovery) -> None:
    """An older minor, whose own schema is what counts, has next to nothing that is not in the packaged one."""
    builtin = load_builtin()
    served = {gvk: kind for gvk, kind in discovery.kinds().items() if not gvk[0].endswith(".example.com")}
    assert ("apps", "v1", "Deployment") in served
    for gvk, kind in served.items():
        packaged = builtin.kind(*gvk)
        assert packaged is not None, gvk
        # Subresources may stand behind feature gates, all of which were on when the data was made.
        assert set(kind.subresources) <= set(packaged.subresources)
        assert (kind.resource, kind.namespaced) == (packaged.resource, packaged.namespaced)
        assert kind.replicas_path == packaged.replicas_path
        assert list(unlike(discovery.types(*gvk), builtin.types(*gvk), "", {})) == [], gvk


def unlike(live: TypeNode, packaged: TypeNode, place: str, seen: dict[int, TypeNode]) -> Iterator[str]:
    """Places at which two types differ. Types may contain themselves: each node is looked at once."""
    if id(live) in seen:
        return
    seen[id(live)] = live
    alone = [replace(node, fields={}, each=None, known=node.known if NEWEST else None) for node in (live, packaged)]
    # What the server fills in is known of one minor only: of another nothing is taken for known.
    lent = not NEWEST and live.known not in (None, OPEN, META_KNOWN)
    older = not NEWEST and live.fields.keys() - GONE <= packaged.fields.keys()
    fields = older or live.fields.keys() == packaged.fields.keys()
    if alone[0] != alone[1] or not fields or lent or bool(live.each) != bool(packaged.each):
        yield place or "/"
    for name in live.fields.keys() & packaged.fields.keys():
        yield from unlike(live.fields[name], packaged.fields[name], f"{place}/{name}", seen)
    if live.each and packaged.each:
        yield from unlike(live.each, packaged.each, f"{place}/*", seen)


def test_a_new_crd_is_seen_with_its_replicas_path_and_types(
    client: ApiClient, discovery: Discovery, control_plane: ControlPlane
) -> None:
    control_plane.kubectl("apply", "-f", "-", input=CRD)
    try:

        def typed() -> bool:
            discovery.refresh()
            return bool(discovery.types("discovery.example.com", "v1", "Gauge").at("spec").fields)

        eventually(typed, "the CRD's schema is published")
        kind = discovery.kind("discovery.example.com", "v1", "Gauge")
        assert kind is not None
        assert (kind.namespaced, kind.subresources, kind.replicas_path) == (
            False,
            ("scale", "status"),
            "/spec/pool/size",
        )
        spec = discovery.types("discovery.example.com", "v1", "Gauge").at("spec")
        assert spec.at("limit").scalar == "quantity"
        assert spec.at("blob").scalar == "bytes"
        assert (spec.at("rows").keys, spec.at("rows").defaults) == (("name", "mode"), {"mode": "fast"})
    finally:
        control_plane.kubectl("delete", "-f", "-", "--wait=false", input=CRD)


def test_an_api_service_without_a_server_hides_only_its_own_group(
    client: ApiClient, control_plane: ControlPlane
) -> None:
    control_plane.kubectl("apply", "-f", "-", input=DOWN)
    try:
        eventually(lambda: "down.example.com/v1" in Discovery(client).unavailable, "the group is seen as down")
        assert Discovery(client).kind("apps", "v1", "Deployment") is not None
    finally:
        control_plane.kubectl("delete", "-f", "-", input=DOWN)


def test_live_objects_are_read_in_pages_and_by_name(
    client: ApiClient, discovery: Discovery, control_plane: ControlPlane, namespace: str
) -> None:
    items = [
        manifest(
            f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: many-{number}}}, data: {{n: '{number}'}}}}",
            namespace,
        )
        for number in range(12)
    ]
    control_plane.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    kind = discovery.kinds()["", "v1", "ConfigMap"]
    refs = [ObjectRef("", "ConfigMap", namespace, f"many-{number}") for number in range(12)]
    assert set(refs) <= set(list_live(client, [kind], namespace).objects)
    absent = ObjectRef("", "ConfigMap", namespace, "absent")
    for wanted in (refs, refs[:2]):
        live = read_live(client, [(ref, kind) for ref in (*wanted, absent)])
        assert set(live.objects) == set(wanted)
        assert (live.unread, live.unseen) == ({}, {})
    assert live.objects[refs[0]]["kind"] == "ConfigMap"


def test_an_object_stored_in_another_version_is_read_at_the_version_of_git(
    client: ApiClient, discovery: Discovery, control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.kubectl("create", "deployment", "web", "--image=example/app:1", "-n", namespace)
    control_plane.kubectl("autoscale", "deployment", "web", "--max=3", "--cpu=50%", "-n", namespace)
    kind = discovery.kinds()["autoscaling", "v1", "HorizontalPodAutoscaler"]
    ref = ObjectRef("autoscaling", "HorizontalPodAutoscaler", namespace, "web")
    tree = read_live(client, [(ref, kind)]).objects[ref]
    assert (tree["apiVersion"], tree["spec"]["targetCPUUtilizationPercentage"]) == ("autoscaling/v1", 50)
