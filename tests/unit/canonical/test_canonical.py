"""Owns what the canonical form keeps, drops and masks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.canonical.autoscale import widen
from reconciler.canonical.engine import UnknownKindError, canonicalize, confirm, located
from reconciler.canonical.filled import field_set
from reconciler.canonical.items import item_key, keyed
from reconciler.canonical.volatile import hash_value, live_form
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.model.path import ItemKey, pointer, readable
from reconciler.model.tree import ABSENT, dig
from reconciler.schema.types import PLAIN, TypeNode
from tests.support.decisions import KEY, builtin_rules, canonical, context, manifests, patched

PLACE = Provenance("shop", "rev", "a.yaml", 1)


def made(tree: Any) -> Any:
    return canonicalize(RenderedObject(tree, PLACE), context(builtin_rules()))


def test_null_means_not_declared() -> None:
    tree = patched(manifests("config")[0], [{"op": "add", "path": "/immutable", "value": None}])
    assert "immutable" not in made(tree).want


def test_null_among_texts_is_an_empty_text() -> None:
    tree = patched(manifests("config")[0], [{"op": "add", "path": "/data/empty", "value": None}])
    assert made(tree).want["data"]["empty"] == ""


def test_server_owned_metadata_and_status_declare_nothing() -> None:
    tree = patched(manifests("config")[0], {"metadata": {"uid": "1", "resourceVersion": "2"}, "status": {"a": 1}})
    form = made(tree)
    assert set(form.want["metadata"]) == {"name", "namespace"}
    assert "status" not in form.want


def test_leftovers_of_an_export_declare_nothing() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "deployment.kubernetes.io/revision": "3"}
    form = made(patched(manifests("web")[0], {"metadata": {"annotations": annotations}}))
    assert form.want["metadata"]["annotations"] == {"team": "payments"}


def test_a_namespace_is_settled_by_the_kind() -> None:
    bare = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    assert located(RenderedObject(bare, PLACE), context(builtin_rules()))[0].ref.namespace == "default"
    namespaced = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "namespace": "b"}}
    assert located(RenderedObject(namespaced, PLACE), context(builtin_rules()))[0].ref.namespace == ""


def test_an_unknown_kind_says_where_it_stands() -> None:
    tree = {"apiVersion": "nowhere.io/v1", "kind": "Ghost", "metadata": {"name": "a"}}
    with pytest.raises(UnknownKindError, match=r"a\.yaml:1: unknown kind Ghost") as caught:
        made(tree)
    assert "CustomResourceDefinition" in str(caught.value)


def test_values_of_secrets_become_keyed_hashes_on_both_sides() -> None:
    form = made(manifests("secret")[0])
    live = live_form(manifests("secret")[1], KEY)
    assert form.want["data"] == live["data"]
    assert all(value.startswith("hmac:") and len(value) == 69 for value in form.want["data"].values())
    assert hash_value(KEY, "data", "YQ==") == hash_value(KEY, "stringData", "a") != hash_value(b"other", "data", "YQ==")
    assert hash_value(KEY, "data", "no base64!") != hash_value(KEY, "stringData", "no base64!")


def test_the_server_form_marks_what_git_does_not_declare() -> None:
    form = canonical("web", builtin_rules())
    assert form.confidence == "server"
    assert form.filled["f:spec"]["f:revisionHistoryLimit"] == {}
    assert "f:replicas" not in form.filled["f:spec"]
    declared = field_set(form.want, form.filled, form.types)
    assert "f:revisionHistoryLimit" not in declared["f:spec"]
    assert 'k:{"name":"app"}' in declared["f:spec"]["f:template"]["f:spec"]["f:containers"]


def test_metadata_of_the_server_form_stays_that_of_git() -> None:
    form = canonical("namespace", builtin_rules())
    assert form.want["metadata"]["labels"] == {"team": "payments"}


def test_a_volatile_index_is_named_by_the_key_of_its_item() -> None:
    rules = builtin_rules()
    offline, answer = canonical("web", rules, confidence="offline"), manifests("web")[1]
    volatile = ["/spec/template/spec/containers/0/image", "/spec/template/spec/tolerations/0/key"]
    masks = [
        mask.path
        for mask in confirm(offline, answer, volatile, context(rules)).masks
        if mask.rule == "volatile-webhook-fields"
    ]
    assert masks == [
        ("spec", "template", "spec", "containers", 'k:{"name":"app"}', "image"),
        ("spec", "template", "spec", "tolerations", "*", "key"),
    ]


def test_a_volatile_key_that_looks_like_an_index_stays_a_key() -> None:
    form = canonical("config", builtin_rules(), volatile=["/data/1"])
    assert [mask.path for mask in form.masks] == [("data", "1")]
    assert form.want["data"] == {"mode": "prod", "2": "two"}


@pytest.mark.parametrize(
    ("name", "path", "is_masked"),
    [
        ("queue", ("spec", "replicas"), True),
        ("web", ("spec", "replicas"), False),
        ("widget", ("spec", "size"), True),
        ("service", ("spec", "clusterIP"), True),
        ("claim", ("spec", "volumeName"), True),
    ],
)
def test_rules_mask_what_git_leaves_out(name: str, path: tuple[str, ...], is_masked: bool) -> None:
    form = canonical(name, builtin_rules())
    assert (path in [mask.path for mask in form.masks]) is is_masked
    assert (dig(form.want, *path) is ABSENT) is is_masked


def test_a_pinned_node_port_is_held_and_its_neighbour_masked() -> None:
    ports = [{"name": "a", "port": 1, "nodePort": 30001}, {"name": "b", "port": 2}]
    form = made(patched(manifests("service")[0], [{"op": "replace", "path": "/spec/ports", "value": ports}]))
    paths = [mask.path for mask in form.masks if mask.path[-1] == "nodePort"]
    assert paths == [("spec", "ports", 'k:{"port":2,"protocol":"TCP"}', "nodePort")]
    assert form.want["spec"]["ports"][0]["nodePort"] == 30001


def test_a_declared_autoscaler_widens_its_target_alone() -> None:
    rules = builtin_rules()
    web, queue, scaler = (canonical(name, rules) for name in ("web", "queue", "autoscaler"))
    wide = {one.ref.kind: one.ranges for one in widen([web, queue, scaler], rules.scalers)}
    assert [(one.path, one.low, one.high) for one in wide["Deployment"]] == [(("spec", "replicas"), 2, 10)]
    assert wide["StatefulSet"] == ()
    assert all(one.ranges == () for one in widen([web, queue], rules.scalers))


def test_two_autoscalers_for_one_target_widen_nothing() -> None:
    rules = builtin_rules()
    web, scaler = canonical("web", rules), canonical("autoscaler", rules)
    other = replace(scaler, ref=scaler.ref._replace(name="other"))
    assert all(one.ranges == () for one in widen([web, scaler, other], rules.scalers))


def test_an_autoscaler_of_another_namespace_or_without_bounds_widens_nothing() -> None:
    rules = builtin_rules()
    web, scaler = canonical("web", rules), canonical("autoscaler", rules)
    away = replace(scaler, ref=scaler.ref._replace(namespace="other"))
    odd = replace(scaler, want={**scaler.want, "spec": {**scaler.want["spec"], "maxReplicas": "many"}})
    assert all(one.ranges == () for broken in (away, odd) for one in widen([web, broken], rules.scalers))


def test_items_without_keys_are_no_keyed_items() -> None:
    node = TypeNode(list_type="map", keys=("port", "protocol"), defaults={"protocol": "TCP"})
    assert item_key({"port": 1}, node) == ItemKey((("port", 1), ("protocol", "TCP")))
    assert item_key({"protocol": "TCP"}, node) is None
    assert item_key({"port": [1]}, node) is None
    assert item_key({"port": 1}, PLAIN) is None
    assert keyed([{"port": 1}, {"port": 1, "protocol": "TCP"}], node) is None
    assert keyed([{"port": 1}, {"port": 1, "protocol": "UDP"}], node) is not None


def test_pointers_find_items_with_and_without_their_defaults() -> None:
    document = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]}
    tcp, udp = (ItemKey((("port", 53), ("protocol", name))) for name in ("TCP", "UDP"))
    assert pointer(("ports", tcp, "name"), document) == "/ports/1/name"
    assert pointer(("ports", udp), document) == "/ports/0"
    assert pointer(("ports", ItemKey((("port", 80), ("protocol", "TCP")))), document) == "/ports/80"
    assert pointer(("a/b", "c~d"), {}) == "/a~1b/c~0d"
    assert readable(("spec", "a.b", 0, tcp)) == 'spec["a.b"][0][port=53,protocol=TCP]'
