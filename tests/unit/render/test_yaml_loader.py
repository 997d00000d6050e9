"""Owns reading documents: lines, merges, duplicates, lists, and every limit."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from reconciler import limits
from reconciler.errors import RenderError
from reconciler.render.document import Document
from reconciler.render.yaml_loader import load_documents


def load(text: str | bytes, name: str = "f.yaml") -> list[Document]:
    return list(load_documents(text.encode() if isinstance(text, str) else text, name))


def tree(text: str) -> Any:
    (document,) = load(text)
    return document.tree


def refused(text: str | bytes, name: str = "f.yaml") -> RenderError:
    with pytest.raises(RenderError) as caught:
        load(text, name)
    return caught.value


def test_each_document_knows_its_first_line_and_its_index() -> None:
    found = load("# a comment\n---\na: 1\n---\n# nothing\n---\n\nb: 2\n...\n---\nc: 3\n")
    assert [(document.tree, document.line, document.index) for document in found] == [
        ({"a": 1}, 3, 0), ({"b": 2}, 8, 2), ({"c": 3}, 11, 3),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "---\n", "# only\n", "---\n---\n...\n", "~\n", "\ufeff"])
def test_empty_documents_are_no_documents(text: str) -> None:
    assert load(text) == []


def test_a_byte_order_mark_and_dos_line_ends_are_read() -> None:
    assert tree("\ufeffa: 1\r\nb: |\r\n  x\r\n") == {"a": 1, "b": "x\n"}


def test_a_byte_order_mark_before_a_later_document_is_passed_over() -> None:
    assert [document.tree for document in load("a: 1\n---\n\ufeffb: 2\n")] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(("text", "line"), [("--- {a: 1}\n", 1), ("a: 1\n---b\n", 2), ("--- # fine\n--- |\n  a\n", 2)])
def test_only_a_comment_may_follow_a_separator_on_its_line(text: str, line: int) -> None:
    assert refused(text).where == f"f.yaml:{line}"


@pytest.mark.parametrize("text", ["%YAML 1.1\n---\na: 1\n", "%TAG ! tag:example.com,2000:\n---\na: 1\n"])
def test_directives_are_refused_as_kubectl_refuses_them(text: str) -> None:
    assert "directives" in refused(text).message


def test_a_merge_key_may_be_named_by_its_tag() -> None:
    assert tree('{!!merge "<<": {a: 1}, b: 2}') == {"a": 1, "b": 2}


def test_quoted_scalars_stay_text() -> None:
    assert tree("{a: 'y', b: \"1e3\", c: ! 12, d: !!str 12}") == {"a": "y", "b": "1e3", "c": "12", "d": "12"}


def test_keys_that_are_no_strings_become_strings() -> None:
    assert tree("{1: a, true: b, y: c, 0x10: d}") == {"1": "a", "true": "c", "16": "d"}


def test_a_merge_works_in_the_order_of_the_text_as_in_kubectl() -> None:
    assert tree("{a: &a {x: 1}, b: {x: 2, <<: *a}, c: {<<: *a, x: 2}}")["b"] == {"x": 1}
    assert tree("{a: &a {x: 1}, b: {x: 2, <<: *a}, c: {<<: *a, x: 2}}")["c"] == {"x": 2}


def test_of_several_merged_mappings_the_first_wins() -> None:
    assert tree("{a: &a {x: 1, z: 3}, b: &b {x: 5, w: 1}, c: {<<: [*a, *b]}}")["c"] == {"x": 1, "z": 3, "w": 1}


def test_a_quoted_merge_key_is_an_ordinary_key() -> None:
    assert tree("{'<<': {a: 1}}") == {"<<": {"a": 1}}


def test_the_last_of_two_equal_keys_counts_and_both_are_reported() -> None:
    (document,) = load("a: 1\nb:\n  c: 1\n  c: 2\n")
    assert document.tree["b"] == {"c": 2}
    assert document.duplicates == ("f.yaml:4: c",)


def test_items_of_a_list_have_lines_of_their_own() -> None:
    (document,) = load("kind: List\nitems:\n- a: 1\n-\n  b: 2\n")
    assert document.item_lines == (3, 5)


def test_a_syntax_error_names_file_and_line() -> None:
    error = refused("a: 1\nb: [1, 2\nc: 3\n")
    assert error.where.startswith("f.yaml:")
    assert "YAML syntax error" in error.message


@pytest.mark.parametrize(
    "text",
    ["{~: a}", "{[a]: b}", "? {a: 1}\n: x", ".inf", "a: .nan", "a: !!int x", "{<<: 3}", "&a [*a]", "*x", "a: \x01",
     b"a: \xff\xfe"],
)  # fmt: skip
def test_what_kubectl_cannot_read_is_refused_with_its_line(text: str | bytes) -> None:
    assert refused(text).where == "f.yaml:1"


def test_thirty_thousand_brackets_are_refused_and_not_a_crash() -> None:
    # libyaml's composer dies of this with SIGSEGV, and no `except` helps.
    started = time.monotonic()
    assert "nested deeper" in refused("v: " + "[" * 30_000).message
    assert time.monotonic() - started < 1


def test_deep_block_mappings_are_refused_too() -> None:
    deep = "".join(f"{' ' * level}a:\n" for level in range(limits.YAML_DEPTH + 5))
    assert "nested deeper" in refused(deep).message


def test_a_billion_laughs_are_counted_before_they_are_expanded() -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    laughs += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    assert refused(laughs).code == "SS3026"


def test_a_document_may_hold_a_hundred_aliases_and_no_more() -> None:
    allowed = "a: &a 1\nb: [" + ", ".join(["*a"] * limits.YAML_ALIASES) + "]\n"
    assert len(tree(allowed)["b"]) == limits.YAML_ALIASES
    assert "aliases" in refused(allowed.replace("b: [", "b: [*a, ")).message


@pytest.mark.parametrize("document", ["---\na: 1\n", "{}\n"])
def test_more_than_a_thousand_documents_are_refused(document: str) -> None:
    assert len(load(document * limits.YAML_DOCUMENTS)) == limits.YAML_DOCUMENTS
    assert "documents" in refused(document * (limits.YAML_DOCUMENTS + 1)).message


def test_json_is_read_with_its_lines_and_one_kind_of_number() -> None:
    found = load('{"a": 1.0, "b": 1e3, "c": "\\/"}\n{"d": 2}\n', "f.json")
    assert [(document.tree, document.line) for document in found] == [({"a": 1, "b": 1000, "c": "/"}, 1), ({"d": 2}, 2)]
    assert isinstance(found[0].tree["a"], int)


def test_flow_yaml_that_looks_like_json_is_read_as_yaml() -> None:
    assert tree("{a: y, b: [1, 2]}") == {"a": True, "b": [1, 2]}


def test_duplicate_keys_of_json_are_reported_like_those_of_yaml() -> None:
    (document,) = load('{"a": 1,\n "a": 2}', "f.json")
    assert (document.tree, document.duplicates) == ({"a": 2}, ("f.json:2: a",))


def test_a_number_of_json_beyond_64_bit_floats_is_refused() -> None:
    assert refused('{"a": 1e400}', "f.json").where == "f.json:1"


@pytest.mark.parametrize("text", ["v: " + "[" * 30_000, "[" * 60_000, '{"a":' * 12_000, "- " * 30_000, "? " * 30_000])
def test_deep_nesting_is_refused_even_where_the_stack_is_small(text: str) -> None:
    found: list[RenderError] = []
    before = threading.stack_size(64 * limits.KIB)
    try:
        thread = threading.Thread(target=lambda: found.append(refused(text)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert [error.code for error in found] in (["SS3001"], ["SS3025"])


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 150 + "]" * 150])
def test_deep_json_is_refused(text: str) -> None:
    assert refused(text, "f.json").code in {"SS3001", "SS3025"}
