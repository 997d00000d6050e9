"""Holds what makes a copy under a scratch name safe: names within every limit, pins taken out and put back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cluster.scratch import (
    body_of,
    carries_over,
    named,
    renamed,
    replaceable,
    scratch_name,
    with_pins,
    without_pins,
)
from reconciler.model.ref import KindInfo

SERVICE = KindInfo("", "v1", "Service", "services", namespaced=True)
SECRET = KindInfo("", "v1", "Secret", "secrets", namespaced=True)
DEPLOYMENT = KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True)
TOKEN = "s12345"


def service(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}], **spec}}


@given(
    st.from_regex(r"[a-z]([-a-z0-9.]{0,250}[a-z0-9])?", fullmatch=True).filter(
        lambda name: not re.search(r"[.-]\.|\.-", name)
    )
)
def test_a_scratch_name_fits_wherever_the_name_fits(name: str) -> None:
    scratch = scratch_name(name, TOKEN)
    assert len(scratch) <= max(len(name), 15)
    assert re.fullmatch(r"[a-z]([-a-z0-9.]*[a-z0-9])?", scratch)
    assert ".-" not in scratch
    assert scratch != name


def test_a_name_of_which_nothing_remains_still_gives_a_scratch_name() -> None:
    assert scratch_name("--:--", TOKEN) == f"s-{TOKEN}"


def test_what_only_the_server_may_set_is_not_sent() -> None:
    tree = {
        "apiVersion": "v1",
        "metadata": {"name": "a", "uid": "u", "resourceVersion": "1", "managedFields": [], "labels": {"b": "c"}},
        "status": {"phase": "Active"},
    }
    assert body_of(tree) == {"apiVersion": "v1", "metadata": {"name": "a", "labels": {"b": "c"}}}


def test_every_mention_of_the_scratch_name_is_turned_back_in_keys_too() -> None:
    answer = {"metadata": {"name": "x-s1", "labels": {"job/x-s1": "a-x-s1-b"}}, "args": ["x-s1", 1, None, True]}
    turned = {"metadata": {"name": "x", "labels": {"job/x": "a-x-b"}}, "args": ["x", 1, None, True]}
    assert renamed(answer, "x-s1", "x") == turned


def test_naming_a_body_leaves_the_original_alone() -> None:
    body = service()
    assert named(body, "other")["metadata"]["name"] == "other"
    assert body["metadata"]["name"] == "web"


@pytest.mark.parametrize(
    ("kind", "body", "answer"),
    [
        (SERVICE, service(), True),
        (SERVICE, service(clusterIP=""), True),
        (SERVICE, service(clusterIP="None"), False),
        (SERVICE, service(clusterIP="10.0.0.9"), False),
        (SERVICE, {"metadata": {}, "spec": None}, True),
        (DEPLOYMENT, service(), False),
        (KindInfo("batch", "v1", "Job", "jobs", namespaced=True), {}, True),
        (KindInfo("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", namespaced=True), {}, True),
    ],
)
def test_only_kinds_whose_put_keeps_live_values_are_copied_at_once(kind: KindInfo, body: Any, answer: bool) -> None:
    assert carries_over(kind, body) is answer


def test_pins_of_a_service_are_taken_out() -> None:
    pinned = service(
        clusterIP="10.0.0.9", clusterIPs=["10.0.0.9"], healthCheckNodePort=31, ports=[{"port": 80, "nodePort": 30}]
    )
    assert without_pins(SERVICE, pinned) == service()


def test_a_headless_service_stays_headless() -> None:
    assert without_pins(SERVICE, service(clusterIP="None")) == service(clusterIP="None")


def test_pins_are_put_back_where_the_server_allocated_something_else() -> None:
    pinned = service(clusterIP="10.0.0.9", ports=[{"port": 80, "nodePort": 30}, {"port": 81}])
    answer = service(
        clusterIP="10.0.0.1",
        clusterIPs=["10.0.0.1", "fd::1"],
        ports=[{"port": 80, "nodePort": 32000}, {"port": 81, "nodePort": 32001}],
    )
    assert with_pins(SERVICE, pinned, answer)["spec"] == {
        "clusterIP": "10.0.0.9",
        "clusterIPs": ["10.0.0.9", "fd::1"],
        "ports": [{"port": 80, "nodePort": 30}, {"port": 81, "nodePort": 32001}],
    }


def test_other_kinds_have_no_pins() -> None:
    body = service(clusterIP="10.0.0.9")
    assert without_pins(DEPLOYMENT, body) == body
    assert with_pins(DEPLOYMENT, body, {"spec": {}}) == {"spec": {}}


@pytest.mark.parametrize("spec", [None, [], "x", {"ports": "x"}, {"ports": [None, {"nodePort": 1}]}])
def test_a_malformed_service_is_left_to_the_api_server(spec: Any) -> None:
    body = {"metadata": {"name": "web"}, "spec": spec}
    bare = without_pins(SERVICE, body)
    assert "metadata" in bare
    assert with_pins(SERVICE, body, {"spec": {"ports": [1, 2]}})["spec"]


def test_a_secret_without_a_type_is_put_as_opaque() -> None:
    assert replaceable(SECRET, {"data": {}})["type"] == "Opaque"
    assert replaceable(SECRET, {"type": "kubernetes.io/tls"})["type"] == "kubernetes.io/tls"
    assert replaceable(DEPLOYMENT, {"spec": {}}) == {"spec": {}}
