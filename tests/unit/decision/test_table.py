"""Owns the run of the decision table: each row is a test, and no combination is without a row."""

from __future__ import annotations

from typing import Final

import pytest

from tests.support.decision_table import TableRow, answer_at, examples, table, uncovered

_ROWS: Final = table()
# Of a row that takes in thousands of points, as many as tell: the sample is the same in each run.
_POINTS: Final = 12


def _name(row: TableRow) -> str:
    return f"row {row.number}: {row.answer}"


@pytest.mark.parametrize("row", _ROWS, ids=_name)
def test_every_point_of_a_row_has_its_answer(row: TableRow) -> None:
    points = examples(row, _ROWS, _POINTS)
    assert points, "earlier rows have all points of this one"
    answers = [(answer_at(point), point) for point in points]
    wrong = [(answer, point) for answer, point in answers if row.answer not in (answer, "any")]
    assert not wrong, wrong[0]


def test_no_combination_is_without_a_row() -> None:
    assert uncovered(_ROWS) is None
    assert len(_ROWS) >= 120


def test_a_combination_without_a_row_is_found() -> None:
    without = [row for row in _ROWS if row.answer != "allow terminating"]
    missing = uncovered(without)
    assert missing is not None
    assert (missing["operation"], missing["managed"]) == ("DELETE", "terminating")
