"""Nothing secret and nothing that a terminal obeys leaves through the report."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.limits import REPORT_ITEMS, REPORT_VALUE_CHARS
from reconciler.report.printable import is_masked, one_line, printable

HASH = "hmac:" + "0f" * 32
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_a_keyed_hash_is_printed_as_a_mask_at_any_depth() -> None:
    assert printable({"data": [{"password": HASH}]}) == {"data": [{"password": "***"}]}


@pytest.mark.parametrize("name", ["DB_PASSWORD", "apiToken", "AWS_SECRET", "key"])
def test_an_env_value_with_a_telling_name_is_masked(name: str) -> None:
    assert printable([{"name": name, "value": "swordfish"}]) == [{"name": name, "value": "***"}]


def test_an_env_value_with_a_plain_name_is_shown() -> None:
    assert printable({"name": "LEVEL", "value": "debug"}) == {"name": "LEVEL", "value": "debug"}


@pytest.mark.parametrize("char", ["\x1b", "\x00", "\x9b", "\u202e", "\u2028", "\ud800", "\r"])
def test_what_a_terminal_may_obey_is_escaped(char: str) -> None:
    shown = printable({char: f"a{char}b"})
    assert char not in json.dumps(shown, ensure_ascii=False)
    assert json.dumps(shown, ensure_ascii=False).encode()


def test_newlines_stay_in_the_report_but_not_in_one_line() -> None:
    assert printable("a\nb\tc") == "a\nb\tc"
    assert one_line("a\nb\tc") == "a\\nb\\tc"
    assert one_line({"a": "x\ny"}) == '{"a":"x\\ny"}'


def test_long_texts_lists_and_depths_are_cut() -> None:
    assert len(printable("x" * 10_000)) == REPORT_VALUE_CHARS + 1
    assert printable(list(range(1_000)))[-1] == f"… {1_000 - REPORT_ITEMS} more"
    deep: object = "bottom"
    for _ in range(100):
        deep = [deep]
    assert "bottom" not in json.dumps(printable(deep))


@given(TREES)
def test_printing_twice_changes_nothing_but_cuts(tree: Any) -> None:
    once = printable(tree)
    assert printable(once) == once


@given(TREES)
def test_every_printable_tree_is_utf8(tree: Any) -> None:
    assert json.dumps(printable(tree), ensure_ascii=False).encode()


def test_a_mask_is_found_wherever_it_stands() -> None:
    assert is_masked({"a": [{"b": "***"}]})
    assert not is_masked({"a": [{"b": "**"}]})
