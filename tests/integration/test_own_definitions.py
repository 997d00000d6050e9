"""Holds that the real API server takes our CustomResourceDefinitions, and what objects they take and refuse."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.controlplane import ControlPlane
from tests.support import own_objects
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

TOP = Path(__file__).parents[2]
CRDS = TOP / "manifests" / "crds"
OURS = {"GitSource", "DriftPolicy", "DriftGrant"}
SHIPPED = [
    pytest.param(document, id=f"{path.relative_to(TOP)}: {document['metadata']['name']}")
    for path in sorted([*(TOP / "policies").rglob("*.yaml"), *(TOP / "examples").glob("**/*.yaml")])
    if "templates" not in path.parts
    for document in yaml.safe_load_all(path.read_text())
    if document and document.get("kind") in OURS
]
CASES = yaml.safe_load((Path(__file__).parent.parent / "cases" / "definitions.yaml").read_text())


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    control_plane.kubectl("apply", "-k", CRDS)
    for name in ("gitsources", "driftpolicies", "driftgrants"):
        control_plane.kubectl("wait", "--for=condition=Established", f"crd/{name}.setscrew.dev", "--timeout=60s")
    yield control_plane
    control_plane.kubectl("delete", "-k", CRDS)


def create(plane: ControlPlane, document: dict[str, Any]) -> str:
    """What the API server says against it; "" where it takes it."""
    done = plane.kubectl(
        "create", "--dry-run=server", "--validate=strict", "-f", "-", input=yaml.safe_dump(document), check=False
    )
    assert done.returncode == 0 or done.stderr
    return done.stderr if done.returncode else ""


def document_of(kind: str, change: dict[str, Any]) -> dict[str, Any]:
    """The good document of that kind with keys of its spec replaced (null removes)."""
    document = copy.deepcopy(CASES["good"][kind])
    for key, value in change.items():
        document["spec"][key] = value
        if value is None:
            del document["spec"][key]
    return {"apiVersion": "setscrew.dev/v1alpha1", "kind": kind, **document}


def test_they_are_structural_and_take_no_name_that_is_taken(plane: ControlPlane) -> None:
    for name in ("gitsources", "driftpolicies", "driftgrants"):
        found = plane.request(
            "GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}.setscrew.dev"
        ).body
        conditions = {one["type"]: one["status"] for one in found["status"]["conditions"]}
        assert conditions["Established"] == "True"
        assert conditions["NamesAccepted"] == "True"
        assert "NonStructuralSchema" not in conditions
        assert found["spec"]["scope"] == "Cluster"


@pytest.mark.parametrize("document", SHIPPED)
def test_every_shipped_document_is_taken(plane: ControlPlane, document: dict[str, Any]) -> None:
    assert create(plane, document) == ""


@pytest.mark.parametrize("kind", sorted(OURS))
def test_a_whole_document_is_taken(plane: ControlPlane, kind: str) -> None:
    assert create(plane, document_of(kind, {})) == ""


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES["refused"]])
def test_a_wrong_document_is_refused_with_the_place(plane: ControlPlane, case: dict[str, Any]) -> None:
    said = create(plane, {**document_of(case["kind"], case["spec"]), **case.get("top", {})})
    assert case["says"] in said


def taken(plane: ControlPlane, document: dict[str, Any]) -> str:
    """What the API server says against it; "" where it takes it. Over HTTP: there are hundreds."""
    path = f"/apis/setscrew.dev/v1alpha1/{document['kind'].lower().replace('policy', 'policie')}s"
    done = plane.request("POST", f"{path}?dryRun=All&fieldValidation=Strict", document)
    return "" if done.status == 201 else str(done.body["message"])


def test_the_api_server_takes_what_our_readers_take_and_nothing_else(plane: ControlPlane) -> None:
    apart, seen = [], set[bool]()
    for name, document in own_objects.alike():
        ours, theirs = own_objects.problem(document), taken(plane, document)
        seen.add(not ours)
        if bool(ours) != bool(theirs):
            apart.append(f"{name}: reader says {ours or 'yes'!r}, API server {theirs or 'yes'!r}")
    assert not apart, "\n".join(apart)
    assert seen == {True, False}


def test_they_are_listed_by_short_names_with_what_people_ask_for(plane: ControlPlane) -> None:
    plane.kubectl("create", "-f", "-", input=yaml.safe_dump(document_of("GitSource", {})))
    try:
        (head, row) = plane.kubectl("get", "gsrc").stdout.splitlines()
        assert head.split() == ["NAME", "URL", "REF", "REVISION", "MODE", "READY", "AGE"]
        assert row.split()[:2] == ["shop", CASES["good"]["GitSource"]["spec"]["url"]]
        assert "gitsource.setscrew.dev/shop" in plane.kubectl("get", "setscrew", "-o", "name").stdout
    finally:
        plane.kubectl("delete", "gsrc", "shop")


def test_where_they_differ_it_is_by_name(plane: ControlPlane) -> None:
    for name, document in own_objects.apart("reader_only"):
        assert own_objects.problem(document), name
        assert taken(plane, document) == "", name
    for name, document in own_objects.apart("files_only"):
        assert own_objects.problem(document) == "", name
        assert taken(plane, document), name


def test_a_grant_ends_sooner_but_never_later_and_stays_what_it_is(plane: ControlPlane) -> None:
    grant = document_of("DriftGrant", {})
    plane.kubectl("create", "-f", "-", input=yaml.safe_dump(grant))
    try:
        for patch, says in (
            ('{"spec":{"notAfter":"2026-11-22T14:00:00Z"}}', "never later"),
            ('{"spec":{"scope":{"refs":["*"]}}}', "who and what stay"),
            ('{"spec":{"subjects":[{"user":"mallory"}]}}', "who and what stay"),
            ('{"spec":{"approver":"mallory"}}', "who and what stay"),
            ('{"spec":{"notBefore":"2026-11-22T05:30:00Z"}}', "the beginning stays"),
        ):
            done = plane.kubectl("patch", "driftgrant", "night", "--type=merge", "-p", patch, check=False)
            assert says in done.stderr
        plane.kubectl(
            "patch", "driftgrant", "night", "--type=merge", "-p", '{"spec":{"notAfter":"2026-11-22T11:00:00Z"}}'
        )
        shown = eventually(lambda: plane.kubectl("get", "dgrant", "night", "-o", "yaml").stdout, "the grant")
        assert "2026-11-22T11:00:00Z" in shown
        plane.kubectl("patch", "dgrant", "night", "--type=merge", "-p", '{"spec":{"revoked":"rolled back"}}')
        for revoked in ('"by mistake"', "null"):
            patch = f'{{"spec":{{"revoked":{revoked}}}}}'
            done = plane.kubectl("patch", "dgrant", "night", "--type=merge", "-p", patch, check=False)
            assert "what is revoked stays so" in done.stderr
    finally:
        plane.kubectl("delete", "driftgrant", "night")
