"""Laws of changing YAML in place: the text says what it is to say, and what has not changed is written as it was."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.render.yaml_loader import load_documents
from setscrew.into_git import emit
from setscrew.into_git.edit import NotEditableError, edited
from setscrew.into_git.nodes import documents

_KEYS = st.sampled_from(["a", "b-c", "d/e", "name", "on", "1", "x y", "ü"])
_TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["no", "0x1f", "1e3", "~", "- a", "a: b", "#c", "a #c", "one\ntwo\n", "one\n\n  two", " pad ", "{{ x }}"]
    ),
)
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-99, 10**12), st.floats(-9, 9, width=32), _TEXTS)
_TREES = st.recursive(
    _SCALARS,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(_KEYS, below, max_size=3)),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(_KEYS, _TREES, min_size=1, max_size=4)
_LAYOUTS = st.fixed_dictionaries(
    {"default_flow_style": st.sampled_from([None, False]), "default_style": st.sampled_from([None, "'", '"'])}
)


def read(text: str) -> Any:
    (found,) = load_documents(text.encode("utf-8", "surrogatepass"), "text")
    return found.tree


@given(_OBJECTS)
def test_what_is_spelled_out_reads_as_itself(tree: dict[str, Any]) -> None:
    assert read("\n".join(emit.block(tree, 0, 0)) + "\n") == tree
    assert read(emit.flow(tree)) == tree


@given(_OBJECTS, _OBJECTS, _LAYOUTS)
def test_a_text_is_made_to_say_anything_else_or_says_that_it_cannot(
    old: dict[str, Any], new: dict[str, Any], layout: dict[str, Any]
) -> None:
    text = yaml.safe_dump(old, allow_unicode=True, sort_keys=False, **layout)
    before = read(text)
    mixed = {**before, **new}
    try:
        after = edited(text, documents(text)[0].root, before, mixed)
    except NotEditableError:
        return
    assert read(after) == mixed


@given(_OBJECTS, _LAYOUTS)
def test_a_text_that_says_it_already_is_not_touched(tree: dict[str, Any], layout: dict[str, Any]) -> None:
    text = yaml.safe_dump(tree, allow_unicode=True, sort_keys=False, **layout)
    before = read(text)
    assert edited(text, documents(text)[0].root, before, before) == text


@given(_OBJECTS, st.sampled_from(["added", "other-name"]), _SCALARS)
def test_a_key_more_is_lines_more_and_no_other_line_changes(tree: dict[str, Any], key: str, value: Any) -> None:
    text = "# of the file\n" + yaml.safe_dump(tree, sort_keys=False, default_flow_style=False) + "# the end\n"
    before = read(text)
    after = edited(text, documents(text)[0].root, before, {**before, key: value})
    kept = iter(after.split("\n"))
    assert all(line in kept for line in text.split("\n"))
    assert read(after) == {**before, key: value}
