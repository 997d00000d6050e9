"""What may be asked of the report, and that what is wrong is named."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.errors import UsageError
from reconciler.report.query import Query, parse_query
from reconciler.report.selector import parse_selector, selects

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
CASES = Path(__file__).parents[2] / "cases" / "report"
QUERIES = yaml.safe_load((CASES / "queries.yaml").read_text())
SELECTORS = yaml.safe_load((CASES / "selectors.yaml").read_text())


def spelt_out(given: dict[str, str]) -> dict[str, str]:
    """`*1025` stands for so many characters."""
    return {name: "x" * int(text[1:]) if text.startswith("*") else text for name, text in given.items()}


@pytest.mark.parametrize("name", QUERIES["wrong"])
def test_a_wrong_parameter_is_named_and_not_repeated(name: str) -> None:
    given, named = QUERIES["wrong"][name]
    with pytest.raises(UsageError) as caught:
        parse_query(spelt_out(given), NOW)
    assert caught.value.message.startswith(f"parameter {named!r}")
    assert len(caught.value.message) < 600


@pytest.mark.parametrize("name", QUERIES["right"])
def test_a_query_is_what_was_asked(name: str) -> None:
    given, holds = QUERIES["right"][name]
    found = parse_query(given, NOW)
    told: dict[str, Any] = {key: getattr(found, key) for key in holds}
    assert told == {key: tuple(value) if key == "fields" else value for key, value in holds.items()}


@pytest.mark.parametrize("text", SELECTORS["cases"])
def test_a_selector_chooses_as_kubectl_does(text: str) -> None:
    found = parse_selector(text)
    assert found is not None
    chosen = [name for name, labels in SELECTORS["namespaces"].items() if selects(found, labels)]
    assert chosen == SELECTORS["cases"][text]


def test_pages_of_a_list_share_a_key_and_other_readers_and_other_filters_do_not() -> None:
    asked = parse_query({"since": "1d", "sort": "name"}, NOW)
    later = parse_query({"since": "1d", "sort": "name", "limit": "3", "fields": "id"}, NOW.replace(hour=9))
    assert asked.key == later.key
    others = [
        parse_query({"since": "2d", "sort": "name"}, NOW),
        parse_query({"since": "1d"}, NOW),
        Query(asked=asked.asked, scope=frozenset({"shop"})),
        Query(asked=asked.asked, scope=frozenset()),
    ]
    assert len({asked.key, *(one.key for one in others)}) == 5
