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


def check(stage: Theatre, case: dict[str, Any]) -> None:
    problems = walk(stage, case)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("case", walks("kubectl"))
def test_a_walk(stage: Theatre, case: dict[str, Any]) -> None:
    check(stage, case)


@pytest.mark.parametrize("case", walks("kubectl", 4))
def test_line_04_whoever_strips_labels_or_annotations_is_refused(stage: Theatre, case: dict[str, Any]) -> None:
    check(stage, case)


@pytest.mark.parametrize("case", walks("kubectl", 14))
def test_line_14_a_namespace_with_guarded_objects_is_refused_at_the_namespace(
    stage: Theatre, case: dict[str, Any]
) -> None:
    check(stage, case)


@pytest.mark.parametrize("case", walks("kubectl", 16))
def test_line_16_a_deletion_of_a_collection_is_judged_object_by_object(stage: Theatre, case: dict[str, Any]) -> None:
    check(stage, case)


@pytest.mark.parametrize("case", walks("kubectl", 35))
def test_line_35_each_verb_of_kubectl_is_answered_as_declared(stage: Theatre, case: dict[str, Any]) -> None:
    check(stage, case)


@pytest.mark.parametrize("case", walks("kubectl", 36))
def test_line_36_a_write_that_changes_nothing_passes(stage: Theatre, case: dict[str, Any]) -> None:
    check(stage, case)


@pytest.mark.parametrize("case", walks("kubectl", 37))
def test_line_37_a_dry_run_is_refused_as_the_write_would_be(stage: Theatre, case: dict[str, Any]) -> None:
    check(stage, case)


def test_after_all_of_them_the_cluster_is_what_git_says(stage: Theatre) -> None:
    stage.stage.wait("no drift", lambda: (stage.stage.drift() or {"items": [1]})["items"] == [])
    assert "internal-error" not in stage.stage.log
    assert "Traceback" not in stage.stage.log
