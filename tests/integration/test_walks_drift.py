"""Holds walks over what is away from Git already: nearer is not enough, back is anyone's, and older is not back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.waiting import eventually
from tests.support.walks import CASES, Theatre, theatre, walk

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

STORY = yaml.safe_load((CASES / "drift.yaml").read_text())


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Theatre]:
    with theatre() as one:
        with one.unguarded():
            for run in STORY["drift"]:
                answer, said = one.play({"run": run})
                assert answer == "allowed", said
        yield one


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in STORY["walks"]])
def test_a_walk(stage: Theatre, case: dict[str, Any]) -> None:
    problems = walk(stage, case)
    assert not problems, "\n".join(problems)


def test_all_is_what_git_says_but_for_what_only_its_tool_may_remove(stage: Theatre) -> None:
    left = ['metadata.annotations["sidecar.istio.io/inject"]']
    assert eventually(lambda: drifted(stage) == left, "no other drift")


def drifted(stage: Theatre) -> list[str]:
    """Every field of the report; the reason of an item that has none."""
    items = (stage.stage.drift() or {"items": [{"reason": "no report"}]})["items"]
    return [
        field for item in items for field in ([one["field"] for one in item.get("changes", ())] or [item["reason"]])
    ]


def test_a_rollout_is_not_taken_back_behind_git(stage: Theatre) -> None:
    file = stage.stage.repository.work / "shop" / "web.yaml"
    file.write_text(file.read_text().replace("web:1", "web:2"))
    commit = stage.stage.repository.commit("Web 2")
    stage.stage.repository.push()
    stage.stage.wait("the pushed revision", lambda: stage.stage.enforced(commit))
    answer, said = stage.play({"as": "gitops", "run": "kubectl apply -f shop/web.yaml"})
    assert answer == "allowed", said
    problems = walk(
        stage,
        {
            "name": "a rollout is undone",
            "as": "carl",
            "run": "kubectl rollout undo deploy/web -n shop",
            "refused": ["containers[name=web].image", 'Git wants "registry.example.com/web:2"'],
        },
    )
    assert not problems, "\n".join(problems)
