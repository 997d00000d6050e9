"""What a soak writes down, and what it leaves as it stands."""

from __future__ import annotations

from pathlib import Path

from tests.soak.__main__ import blocks, page

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "soak.md"


def test_a_run_replaces_its_own_part_of_the_page_and_no_other() -> None:
    first = page({"run": "of one machine\n"})
    both = page({**blocks(first), "in-cluster": "of two replicas\n"})
    assert blocks(both) == {"run": "of one machine\n", "in-cluster": "of two replicas\n"}
    assert blocks(page({**blocks(both), "run": "again\n"})) == {"run": "again\n", "in-cluster": "of two replicas\n"}


def test_the_page_says_what_the_soak_judges_now() -> None:
    assert page(blocks(PAGE.read_text())) == PAGE.read_text()
