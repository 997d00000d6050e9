"""Drift is seen as it happens on a real API server, and nothing is lost or made up, whatever befalls the watch.

One reconciler, one story: the tests follow each other. No full pass runs but the first, so what is found was watched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from setscrew.controlplane import ControlPlane, Tools
from tests.support.detector import Detector
from tests.support.waiting import eventually
from tests.support.watched import MAPS, NAMESPACE, ROLES, Story, config
from tests.support.wiring import wired

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

CLASSES = "/apis/resource.k8s.io/v1/deviceclasses"
DIALS = "/apis/detecting.example.com/v1/dials"
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "dials.detecting.example.com"},
    "spec": {
        "group": "detecting.example.com",
        "scope": "Cluster",
        "names": {"kind": "Dial", "plural": "dials"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
DIAL = {"apiVersion": "detecting.example.com/v1", "kind": "Dial", "metadata": {"name": "dial"}, "spec": {"to": 1}}


def device_class(name: str) -> dict[str, Any]:
    return {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": name}, "spec": {}}


DECLARED: list[dict[str, Any]] = [
    CRD,
    DIAL,
    device_class("gpu"),
    config("one"),
    config("two"),
    config("big", "x" * 900_000),
]


@pytest.fixture(scope="module")
def story(alone: None, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    directory = tmp_path_factory.mktemp("detecting")
    with ControlPlane.start(tools) as plane:
        user = plane.kubeconfig("detector")
        with wired(plane, user, directory) as (wire, kubeconfig):
            one = Story(plane, Detector(directory, kubeconfig, tools), wire, "detector")
            one.made(ROLES, one.may_read("configmaps"))
            plane.kubectl("create", "clusterrolebinding", "detector", "--clusterrole=detector", "--user=detector")
            one.made("/api/v1/namespaces", NAMESPACE)
            plane.kubectl("apply", "-f", "-", input=json.dumps(CRD))
            plane.kubectl("wait", "--for=condition=Established", f"crd/{CRD['metadata']['name']}")  # type: ignore[index]
            for path, body in ((DIALS, DIAL), (CLASSES, DECLARED[2]), *((MAPS, body) for body in DECLARED[3:])):
                one.made(path, body)
            for number in range(12):  # a list of 10 MB, none of it ours
                one.made(MAPS, config(f"other-{number}", "y" * 900_000))
            one.detector.declare(DECLARED)
            one.detector.start()
            try:
                yield one
            finally:
                one.detector.stop()


def test_at_first_all_is_compared_and_then_watched(story: Story) -> None:
    eventually(lambda: story.detector.watch.current_at, "the watch to be current")
    story.found()
    assert story.detector.settled
    assert story.detector.watch.unwatched == {}


def test_each_change_is_a_finding_as_it_happens_and_none_when_it_is_undone(story: Story) -> None:
    before = story.passed_at
    story.written(MAPS, config("one", "b"))
    story.found(one="drifted")
    story.deleted(MAPS, "two")
    story.found(one="drifted", two="missing")
    story.written(MAPS, config("one"))
    story.made(MAPS, config("two"))
    story.found()
    story.made(CLASSES, device_class("stray"))
    story.written(DIALS, DIAL | {"spec": {"to": 2}, "metadata": current(story, DIALS, "dial")})
    story.found(stray="extra", dial="drifted")
    story.deleted(CLASSES, "stray")
    story.written(DIALS, DIAL | {"metadata": current(story, DIALS, "dial")})
    story.found()
    assert story.passed_at == before


def current(story: Story, path: str, name: str) -> dict[str, Any]:
    """The metadata without which a custom resource is not replaced."""
    version = story.plane.request("GET", f"{path}/{name}").body["metadata"]["resourceVersion"]
    return {"name": name, "resourceVersion": version}


def test_a_push_is_compared_where_it_differs(story: Story) -> None:
    before = story.passed_at
    story.detector.declare([*DECLARED[:3], config("one", "c"), config("two"), config("three"), DECLARED[5]])
    story.found(one="drifted", three="missing")
    story.detector.declare(DECLARED)
    story.found()
    eventually(lambda: story.detector.settled, "the report is about the newest revision")
    assert story.passed_at == before


def test_after_a_cut_wire_nothing_is_lost(story: Story) -> None:
    for round_ in range(2):
        assert story.wire.cut()
        story.written(MAPS, config("one", f"cut {round_}"))
        story.found(one="drifted")
        assert story.wire.cut()
        story.written(MAPS, config("one"))
        story.found()


def test_what_may_not_be_watched_is_unknown_and_named(story: Story) -> None:
    story.written(MAPS, config("two", "b"))
    story.found(two="drifted")
    story.written(ROLES, story.may_read())
    story.wire.cut()
    story.found(one="unknown", two="drifted", big="unknown")
    assert "forbidden" in eventually(lambda: story.detector.watch.unwatched.get("ConfigMap", ""), "the reason")
    story.written(MAPS, config("two"))
    story.written(MAPS, config("one", "b"))
    story.written(ROLES, story.may_read("configmaps"))
    story.found(one="drifted")
    story.written(MAPS, config("one"))
    story.found()
    eventually(lambda: not story.detector.watch.unwatched, "all is watched")


def test_a_definition_takes_its_objects_along_and_brings_them_back(story: Story) -> None:
    story.plane.kubectl("delete", "crd", CRD["metadata"]["name"])  # type: ignore[index]
    eventually(lambda: story.detector.findings.get("dial") == "missing", "the object is gone")
    story.plane.kubectl("apply", "-f", "-", input=json.dumps(CRD))
    eventually(lambda: story.plane.request("POST", DIALS, DIAL).status == 201, "the kind is served")
    story.found()
    story.written(DIALS, DIAL | {"spec": {"to": 2}, "metadata": current(story, DIALS, "dial")})
    story.found(dial="drifted")
    story.written(DIALS, DIAL | {"metadata": current(story, DIALS, "dial")})
    story.found()


def test_while_the_api_server_is_away_nothing_is_in_sync_and_then_all_is_known(story: Story) -> None:
    story.written(MAPS, config("one", "b"))
    story.found(one="drifted")
    story.plane.stop_component("kube-apiserver")
    eventually(lambda: story.detector.findings.get("two") == "unknown", "nobody knows")
    assert set(story.detector.findings.values()) == {"unknown", "drifted"}
    story.plane.start_component("kube-apiserver")
    story.deleted(MAPS, "two")
    story.written(MAPS, config("one"))
    story.found(two="missing")
    story.made(MAPS, config("two"))
    story.found()


def test_a_reconciler_that_died_knows_afterwards_what_happened_meanwhile(story: Story) -> None:
    story.written(MAPS, config("one", "b"))
    story.found(one="drifted")
    story.detector.stop()
    story.written(MAPS, config("one"))
    story.deleted(MAPS, "two")
    story.detector.start()
    story.found(two="missing")
    story.made(MAPS, config("two"))
    story.found()
    eventually(lambda: story.detector.watch.current_at > story.passed_at, "the watch goes on")
    assert story.detector.watch.unwatched == {}
