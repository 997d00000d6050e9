"""Files of code owners mean what GitHub and GitLab say they mean, however they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.limits import CODEOWNERS_PATTERN_CHARS, CODEOWNERS_RULES
from reconciler.report.codeowners import chosen, parse_code_owners

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "findings" / "codeowners.yaml").read_text())


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_a_file_has_the_owners_of_the_last_rule_that_is_about_it(case: dict[str, Any]) -> None:
    found = parse_code_owners(case["text"], "CODEOWNERS", case.get("host", "github.com"))
    assert {path: list(found.of(path)) for path in case["owners"]} == case["owners"]


@pytest.mark.parametrize(
    ("paths", "host", "place"),
    [
        (["CODEOWNERS", ".github/CODEOWNERS"], "github.com", ".github/CODEOWNERS"),
        (["docs/CODEOWNERS", ".gitlab/CODEOWNERS"], "gitlab.com", "docs/CODEOWNERS"),
        (["docs/CODEOWNERS", "CODEOWNERS"], "git.example.com", "CODEOWNERS"),
        ([".gitlab/CODEOWNERS"], "git.example.com", ".gitlab/CODEOWNERS"),
        ([], "github.com", ""),
    ],
)
def test_the_first_place_where_there_is_one_counts(paths: list[str], host: str, place: str) -> None:
    assert chosen(paths, host) == place


def test_what_is_too_long_or_too_much_is_left_out() -> None:
    long = "/" + "a" * CODEOWNERS_PATTERN_CHARS
    found = parse_code_owners(f"* @a\n{long} @b\n" + "/x @c\n" * CODEOWNERS_RULES + "* @late\n", "CODEOWNERS", "")
    assert (found.of(long[1:]), found.of("x"), found.of("y")) == (("@a",), ("@c",), ("@a",))


def test_a_hostile_pattern_costs_no_more_than_its_length() -> None:
    """Stars that try every way to fit are how one line stops a program."""
    text = "/" + "*a" * 200 + "b @x\n" + "/**" * 150 + "/b @y\n"
    assert parse_code_owners(text, "CODEOWNERS", "").of("a" * 250 + "/" * 250 + "c") == ()


@given(st.text(max_size=200), st.text(max_size=60), st.sampled_from(["github.com", "gitlab.com"]))
def test_no_text_breaks_the_reading(text: str, path: str, host: str) -> None:
    owners = parse_code_owners(text, "CODEOWNERS", host).of(path)
    assert all(one.isprintable() or "\u00ad" in one or not one.isascii() for one in owners)
