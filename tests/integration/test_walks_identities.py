"""Holds walks by who asks: forged owners, status writers, autoscalers that Git does not declare, played controllers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.waiting import eventually
from tests.support.walks import Theatre, theatre, walk, walks

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Theatre]:
    with theatre() as one:
        yield one


def check(stage: Theatre, case: dict[str, Any]) -> None:
    problems = walk(stage, case)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("case", walks("identities"))
def test_a_walk(stage: Theatre, case: dict[str, Any]) -> None:
    check(stage, case)


@pytest.mark.parametrize("case", walks("identities", 13))
def test_line_13_a_finalizer_is_left_to_its_controller(stage: Theatre, case: dict[str, Any]) -> None:
    check(stage, case)


@pytest.mark.parametrize("case", walks("identities", 15))
def test_line_15_what_comes_through_status_and_scale_is_judged(stage: Theatre, case: dict[str, Any]) -> None:
    check(stage, case)


def test_the_real_controller_of_a_rogue_autoscaler_is_refused_and_scales_nothing(stage: Theatre) -> None:
    before = stage.state()
    answer, said = stage.play({"as": "carl", "run": "kubectl autoscale deploy/web --min=5 --max=10 -n shop"})
    assert answer == "allowed", said
    try:
        eventually(lambda: "denied the request" in able_to_scale(stage), "the refusal of the HPA controller")
        assert stage.state()["deployments shop/web"] == before["deployments shop/web"]
    finally:
        stage.stage.plane.kubectl("delete", "hpa", "web", "-n", "shop")
    assert stage.state() == before


def able_to_scale(stage: Theatre) -> str:
    """Why the autoscaler of web says that it can or cannot scale."""
    hpa = json.loads(stage.stage.plane.kubectl("get", "hpa", "web", "-n", "shop", "-o", "json").stdout)
    conditions = {one["type"]: one for one in hpa["status"].get("conditions", ())}
    return str(conditions.get("AbleToScale", {}).get("message", ""))


def test_after_all_of_them_the_cluster_is_what_git_says(stage: Theatre) -> None:
    stage.stage.wait("no drift", lambda: (stage.stage.drift() or {"items": [1]})["items"] == [])
    assert "internal-error" not in stage.stage.log
