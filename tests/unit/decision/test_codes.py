"""Owns the agreement of code and documentation over decision codes; mypy holds the code to the literals of `Code`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, get_args

import yaml

from tests.support.decisions import CASES
from webhook.decision import review
from webhook.decision.types import Code

_DOC: Final = (Path(__file__).parents[3] / "docs" / "reference" / "decision-codes.md").read_text()
_ROWS: Final = re.findall(r"^\| `([a-z-]+)` \|", _DOC, re.MULTILINE)
# Answers that no case can bring about: the server gives them around the decision, or the case needs two versions of a
# kind (test_decision_cases has that of one version).
_ELSEWHERE: Final = {"internal-error", "no-snapshot", "other-version"}


def test_every_code_is_documented_and_no_other() -> None:
    assert set(_ROWS) == set(get_args(Code))


def test_a_code_has_one_row_for_each_way_it_is_answered() -> None:
    assert sorted(code for code in set(_ROWS) if _ROWS.count(code) > 1) == ["undecidable"]


def test_every_code_is_brought_about_by_a_case() -> None:
    documents = [yaml.safe_load(file.read_text()) for file in CASES.glob("*.yaml")]
    found = {case["expect"]["code"] for document in documents for case in document["cases"]}
    assert found | _ELSEWHERE == set(get_args(Code))


def test_refused_and_admitted_codes_stand_under_their_heading() -> None:
    refused = _DOC[_DOC.index("## Refused") : _DOC.index("## Admitted although")]
    documents = [yaml.safe_load(file.read_text()) for file in CASES.glob("*.yaml")]
    for case in (case for document in documents for case in document["cases"]):
        code, allowed = case["expect"]["code"], case["expect"]["allowed"]
        assert (f"| `{code}` |" in refused) is not allowed or code == "undecidable"


def test_every_code_of_a_malformed_review_is_documented() -> None:
    codes = {review.MALFORMED, review.WRONG_VERSION, review.TOO_LARGE, review.TOO_DEEP, review.WRONG_PATH}
    assert codes | {review.NOT_JSON} == set(re.findall(r"SS50\d\d", _DOC))
