"""Holds walks by definitions, versions and mutators, and by the guard's own levers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.waiting import eventually
from tests.support.walks import CASES, Theatre, theatre, walk, walks

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Theatre]:
    with theatre() as one:
        yield one


def check(stage: Theatre, case: dict[str, Any]) -> None:
    problems = walk(stage, case)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("case", walks("definitions"))
def test_a_walk(stage: Theatre, case: dict[str, Any]) -> None:
    check(stage, case)


@pytest.mark.parametrize("case", walks("definitions", 34))
def test_line_34_another_served_version_is_no_way_around(stage: Theatre, case: dict[str, Any]) -> None:
    check(stage, case)


def suspects(stage: Theatre) -> set[str]:
    """Names of what the report calls an untrusted mutator."""
    items = (stage.stage.drift() or {"items": []})["items"]
    return {item["name"] for item in items if "untrusted-mutator" in item["reason"]}


def test_nobodys_write_smuggles_in_what_a_rogue_mutator_adds(stage: Theatre) -> None:
    kubectl = stage.stage.plane.kubectl
    before = stage.state()
    kubectl("apply", "-f", CASES / "sidecar.yaml")
    try:
        stage.stage.wait("the finding", lambda: suspects(stage) == {"add-sidecar"})
        for who, run in (
            ("gitops", "kubectl apply --server-side --force-conflicts --field-manager=gitops -f shop/web.yaml"),
            ("gitops", "kubectl replace -f shop/web.yaml"),
            ("carl", "kubectl label deploy/web oncall=carl -n shop"),
            ("carl", "kubectl rollout restart deploy/web -n shop"),
        ):
            answer, said = stage.play({"as": who, "run": run})
            assert (answer, "containers[name=sidecar]" in said) == ("refused", True), f"{run}: {said}"
            assert stage.state() == before
    finally:
        kubectl("delete", "-f", CASES / "sidecar.yaml")
    web = {"as": "carl", "run": "kubectl label deploy/web oncall=carl -n shop"}
    eventually(lambda: stage.play(web)[0] == "allowed", "the API server to forget the mutator")
    kubectl("label", "deploy/web", "oncall-", "-n", "shop")
    assert stage.state() == before


def test_after_all_of_them_the_cluster_is_what_git_says(stage: Theatre) -> None:
    stage.stage.wait("no drift", lambda: (stage.stage.drift() or {"items": [1]})["items"] == [])
    assert "internal-error" not in stage.stage.log
