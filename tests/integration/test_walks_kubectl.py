"""Holds each walk around the guard that kubectl knows: the answer, and what the cluster holds afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.walks import Theatre, theatre, walk, walks

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Theatre]:
    with theatre() as one:
        yield one


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in walks("kubectl")])
def test_a_walk(stage: Theatre, case: dict[str, Any]) -> None:
    problems = walk(stage, case)
    assert not problems, "\n".join(problems)


def test_after_all_of_them_the_cluster_is_what_git_says(stage: Theatre) -> None:
    stage.stage.wait("no drift", lambda: (stage.stage.drift() or {"items": [1]})["items"] == [])
    assert "internal-error" not in stage.stage.log
    assert "Traceback" not in stage.stage.log
