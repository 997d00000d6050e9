"""Plays the stories of docs/gpu.md again: refusal, report and who is hit are as the page says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.tools import tool

ROOT = Path(__file__).parents[2]
SCRIPT = tool("gpu_stories")
EXAMPLES: list[Any] = SCRIPT.examples(SCRIPT.PAGE.read_text())

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def played(alone: None) -> list[Any]:
    with SCRIPT.playing() as player:
        return [player.play(one) for one in EXAMPLES]


def _numbered() -> list[Any]:
    return [pytest.param(n, id=f"{n} {one.typed.splitlines()[0][:60]}") for n, one in enumerate(EXAMPLES)]


@pytest.mark.parametrize("number", _numbered())
def test_the_command_is_answered_as_the_page_says(played: list[Any], number: int) -> None:
    assert played[number].output == EXAMPLES[number].output
    assert played[number].code == EXAMPLES[number].code


def test_each_story_tells_refusal_report_and_who_is_hit() -> None:
    page = SCRIPT.PAGE.read_text()
    stories = page.split("\n## Three stories\n")[1].split("\n## ")[0].split("\n### ")[1:]
    assert len(stories) == 3
    assert page.count("```console") == len(EXAMPLES)
    for story in stories:
        assert "denied the request" in story
        assert "$ setscrew " in story
        assert "vision of perception" in story or "training of research" in story
