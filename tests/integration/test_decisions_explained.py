"""Plays docs/decisions-explained.md again: each command is answered as the page says, with the code that it names."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.tools import tool

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "decisions-explained.md"

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def script() -> ModuleType:
    """tools/ is no package: its programs are found by their path."""
    return tool("explain_decisions")


SCRIPT = script()
EXAMPLES: list[Any] = SCRIPT.examples(PAGE.read_text())


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


def test_the_page_has_an_example_of_each_class() -> None:
    """Every block of the page is an example that is played, and together they have these codes."""
    page = PAGE.read_text()
    assert page.count("```console") == len(EXAMPLES) > 30
    codes = {one.code for one in EXAMPLES}
    classes = {
        *("drift", "conforms", "masked", "extra", "metadata", "delete", "delete-cascade", "exclusive", "own-lever"),
        *("writer-delete", "warned", "audited", "granted", ""),
    }
    assert classes - codes == set()


def test_the_page_names_nothing_of_the_machine_that_wrote_it() -> None:
    assert re.findall(r"file://|/tmp/|127\.0\.0\.1", PAGE.read_text()) == []
