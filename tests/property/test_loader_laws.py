"""Law: what is read does not depend on how it is spelled, and nothing that can be written harms the reader.

Which value a spelling has is asked of the real kubectl, in tests/integration/test_loader_against_kubectl.py.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler.errors import RenderError
from reconciler.model.tree import strict_equal
from reconciler.render.yaml_loader import load_documents
from tests.support.yaml_texts import documents

pytestmark = pytest.mark.property

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(-(2.0**53), 2.0**53), _TEXT)
_TREES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4), max_leaves=12
)


def read(text: str, name: str = "f.yaml") -> list[Any]:
    return [document.tree for document in load_documents(text.encode(), name)]


def readable(text: str) -> list[Any] | None:
    try:
        return read(text)
    except RenderError:
        return None


@given(_TREES)
def test_json_is_read_as_it_was_written(tree: Any) -> None:
    assert strict_equal(read(json.dumps({"v": tree}), "f.json"), [{"v": tree}])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_that_was_read_is_read_as_itself(number: float) -> None:
    (once,) = read(json.dumps({"v": number}), "f.json")
    assert read(json.dumps(once), "f.json") == [once]
    assert float(once["v"]) == number


@given(
    st.dictionaries(st.from_regex("[a-z]{1,6}", fullmatch=True), _TEXT.filter(str.isprintable), min_size=1), st.data()
)
def test_a_style_is_no_difference(strings: dict[str, str], data: st.DataObject) -> None:
    style = data.draw(st.sampled_from(["'", '"', "|", ">"]))
    flow = data.draw(st.booleans())
    text = yaml.safe_dump({"v": strings}, default_style=style, default_flow_style=flow, allow_unicode=True, width=30)
    assert read(text.replace("!!str", "")) == [{"v": strings}]


@given(documents())
def test_comments_and_empty_documents_are_no_difference(text: str) -> None:
    found = readable(text)
    assert readable(f"# first\n---\n# second\n---\n{text}---\n# last\n") == found


@given(documents())
def test_line_ends_of_dos_are_no_difference(text: str) -> None:
    assume("|" not in text and ">" not in text)  # a stray blank line of a block may end differently
    assert readable(text.replace("\n", "\r\n")) == readable(text)


@given(documents(), documents())
def test_documents_do_not_see_each_other(one: str, other: str) -> None:
    first, second = readable(one), readable(other)
    assume(first is not None and second is not None)
    assert read(f"{one}---\n{other}") == [*(first or ()), *(second or ())]


@given(st.binary(max_size=200) | documents().map(str.encode).flatmap(
    lambda text: st.integers(0, len(text)).map(lambda cut: text[:cut])
))  # fmt: skip
def test_whatever_is_written_is_read_or_refused_with_its_place(data: bytes) -> None:
    try:
        text = json.dumps([document.tree for document in load_documents(data, "f.yaml")], allow_nan=False)
    except RenderError as error:
        text = error.where
    assert text.startswith(("[", "f.yaml"))
