"""Owns what scalars mean. The tables were checked against kubectl 1.36.3; test_render.py asks the real one again."""

from __future__ import annotations

import math
from typing import Any

import pytest

from reconciler.render.scalars import TAG, ScalarError, key_text, resolve_plain, resolve_tagged, tidy

PLAIN: list[tuple[str, Any]] = [
    ("y", True), ("N", False), ("on", True), ("Off", False), ("yEs", "yEs"), ("~", None), ("", None), ("nULL", "nULL"),
    ("1e3", 1000), ("1E5", 100000), ("1.5e3", 1500), ("1.", 1), (".5", 0.5), ("+.5", 0.5), ("100.50", 100.5),
    ("0o17", 15), ("017", 15), ("0_7", 7), ("08", 8), ("-017", -15), ("0o8", "0o8"), ("0777", 511),
    ("0b11", 3), ("-0b11", -3), ("0b12", "0b12"), ("0x1F", 31), ("-0x1f", -31), ("0x", "0x"),
    ("1_000", 1000), ("1__0", 10), ("_1", "_1"), (".7_9", 0.79), ("._5", "._5"),
    ("12:30:45", "12:30:45"), ("22:30", "22:30"), ("2024-01-02", "2024-01-02"), ("=", "="), ("<<", "<<"),
    ("-0", 0), ("-0.0", 0), ("1e400", "1e400"), (".5e400", ".5e400"), ("9223372036854775807", 2**63 - 1),
    ("1.2.3", "1.2.3"), ("+", "+"), ("-", "-"), (".", "."), ("٣", "٣"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), PLAIN)
def test_a_plain_scalar_has_the_value_that_kubectl_gives_it(text: str, value: Any) -> None:
    found = tidy(resolve_plain(text))
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["18446744073709551615", "99999999999999999999", "-92233720368547758090"])
def test_integers_beyond_64_bits_lose_what_a_float_loses(text: str) -> None:
    value = tidy(resolve_plain(text))
    assert isinstance(value, int)
    assert float(value) == float(text)


def test_a_whole_float_has_its_shortest_digits_and_no_others() -> None:
    assert tidy(resolve_plain("1234567890123456789.0")) == 1234567890123456800
    assert tidy(resolve_plain("-9223372036854775809")) == -9223372036854776000


def test_from_ten_to_the_21_on_numbers_are_floats() -> None:
    assert repr(tidy(resolve_plain("1" + "0" * 21))) == "1e+21"


def test_a_megabyte_of_digits_is_no_integer_and_costs_nothing() -> None:
    assert resolve_plain("9" * 1_000_000) == "9" * 1_000_000


def test_infinities_come_back_as_floats_for_the_loader_to_refuse() -> None:
    assert resolve_plain("-.INF") == -math.inf


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [("str", "1", "1"), ("int", "3", 3), ("float", "0x1F", 31), ("bool", "yes", True), ("null", "", None),
     ("binary", "aGk=", "hi"), ("timestamp", "2024-01-01", "2024-01-01")],
)  # fmt: skip
def test_an_explicit_tag_decides(tag: str, text: str, value: Any) -> None:
    assert resolve_tagged(TAG + tag, text) == value


def test_an_unknown_tag_leaves_text() -> None:
    assert resolve_tagged("!vault", "12") == "12"


@pytest.mark.parametrize(("tag", "text"), [("int", "x"), ("int", "08"), ("int", "1e3"), ("null", "x"), ("binary", "a")])
def test_a_tag_that_does_not_fit_is_refused_without_quoting_the_value(tag: str, text: str) -> None:
    with pytest.raises(ScalarError) as caught:
        resolve_tagged(TAG + tag, text)
    assert repr(text) not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "key"),
    [(1, "1"), (True, "true"), (1.5, "1.5"), (1.0, "1"), (1e10, "1e+10"), (123456789.125, "1.2345679e+08"), ("a", "a"),
     (math.nan, ".nan"), (-math.inf, "-.inf"), (1e300, ".inf")],
)  # fmt: skip
def test_keys_become_strings_as_in_json(value: Any, key: str) -> None:
    assert key_text(value) == key


@pytest.mark.parametrize("value", [None, 2**63])
def test_keys_that_json_cannot_hold_are_refused(value: Any) -> None:
    with pytest.raises(ScalarError):
        key_text(value)
