"""Files of code owners mean what GitHub and GitLab say they mean, however they are written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.limits import CODEOWNERS_BYTES, CODEOWNERS_PATTERN_CHARS, CODEOWNERS_RULES
from reconciler.report.codeowners import chosen, parse_code_owners
from reconciler.report.path_patterns import joined

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


def test_a_path_is_walked_once_however_many_rules_there_are() -> None:
    """Each with a pattern of its own: what is made anew for each pattern takes the longest."""
    text = "".join(f"[s{number}]\n{number}{'*a?' * 30} @x\n" for number in range(CODEOWNERS_RULES // 2))
    owners = parse_code_owners(text[:CODEOWNERS_BYTES], "CODEOWNERS", "gitlab.com")
    calls = [calls_of(lambda path=path: owners.of(path)) for path in ("b/c", "b/c" * 100)]
    assert calls[0] == calls[1] < 3 * CODEOWNERS_RULES


def calls_of(asked: Callable[[], object]) -> int:
    """How many functions are called, ours and others'."""
    calls: list[str] = []
    sys.setprofile(lambda _frame, event, _told: calls.append(event) if event in {"call", "c_call"} else None)
    try:
        asked()
    finally:
        sys.setprofile(None)
    return len(calls)


PARTS = st.lists(st.just("**") | st.text("ab*?é", min_size=1, max_size=4), max_size=4).map(tuple)


@given(st.lists(st.lists(PARTS, max_size=4), max_size=3), st.text("abé/", max_size=8))
def test_all_patterns_at_once_fit_what_each_of_them_fits(groups: list[list[tuple[str, ...]]], path: str) -> None:
    flat = [pattern for group in groups for pattern in group]
    fitting = {place for place, pattern in enumerate(flat) if fits(pattern, tuple(path.split("/")))}
    begins = [sum(map(len, groups[:number])) for number in range(len(groups) + 1)]
    last = [max(fitting & {*range(*between)}, default=None) for between in pairwise(begins)]
    assert list(joined(groups).last(path)) == [place for place in last if place is not None]


def fits(parts: tuple[str, ...], names: tuple[str, ...]) -> bool:
    """The same as it is explained to people."""
    if not parts:
        return not names
    if parts[0] == "**":
        return any(fits(parts[1:], names[number:]) for number in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], parts[0]) and fits(parts[1:], names[1:])


@given(st.text(max_size=200), st.text(max_size=60), st.sampled_from(["github.com", "gitlab.com"]))
def test_no_text_breaks_the_reading(text: str, path: str, host: str) -> None:
    owners = parse_code_owners(text, "CODEOWNERS", host).of(path)
    assert all(one.isprintable() or "\u00ad" in one or not one.isascii() for one in owners)
