"""Holds our rule against that of Config Sync, on the requests by which its webhook was measured.

What it lets through is refused here; what it stands in the way of passes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import config_sync
from tests.support.decisions import judged, manifests, review

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "config-sync.yaml").read_text())


def theirs(case: dict[str, Any]) -> bool:
    """The model's answer: the request of the case, its objects with the marks that Config Sync would have left."""
    git, _ = manifests(case["object"])
    request = json.loads(review(case))["request"]
    marks = case.get("marks", ())
    for side in ("oldObject", "object"):
        if marks is not False and request[side] and "metadata" in request[side]:
            request[side] = config_sync.marked(request[side], git)
            for mark in marks:
                del request[side]["metadata"]["annotations"][mark]
    return config_sync.allows(request, case.get("unknown", ()))


def ours(case: dict[str, Any]) -> bool:
    _, decision = judged(case)
    return decision.allowed


def cases(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in CASES[kind]]


@pytest.mark.parametrize("case", cases("alike"))
def test_both_answer_alike(case: dict[str, Any]) -> None:
    assert (theirs(case), ours(case)) == (case["both"], case["both"])


@pytest.mark.parametrize("case", cases("let_through"))
def test_what_passes_there_is_refused_here(case: dict[str, Any]) -> None:
    assert (theirs(case), ours(case)) == (True, False)


@pytest.mark.parametrize("case", cases("stood_in_the_way"))
def test_what_is_refused_there_passes_here(case: dict[str, Any]) -> None:
    assert (theirs(case), ours(case)) == (False, True)


def test_the_model_stays_as_small_as_the_rule() -> None:
    source = Path(config_sync.__file__).read_text()
    code = [line for line in source.partition("def allows")[2].splitlines() if line.strip()]
    assert len(code) <= 60
