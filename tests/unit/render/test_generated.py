"""Owns what counts as generated: differences between two renders, and objects that only one of them has."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.objects import Provenance, RenderedObject
from reconciler.render.generated import mark_generated


def rendered(name: str = "x", **fields: Any) -> RenderedObject:
    tree = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **fields}
    return RenderedObject(tree, Provenance(file="templates/x.yaml", line=1))


@pytest.mark.parametrize(
    ("first", "second", "paths"),
    [
        ({"data": {"a": 1, "b": 2}}, {"data": {"a": 1, "b": 3}}, ("/data/b",)),
        ({"data": {"b": 1, "a": 1}}, {"data": {"b": 2, "a": 2}}, ("/data/a", "/data/b")),
        ({"data": {"a/b~c": 1}}, {"data": {"a/b~c": 2}}, ("/data/a~1b~0c",)),
        ({"list": [1, {"a": 1}]}, {"list": [1, {"a": 2}]}, ("/list/1/a",)),
        ({"list": [1]}, {"list": [1, 2]}, ("/list",)),
        ({"data": {"k1": 1, "same": 1}}, {"data": {"k2": 1, "same": 1}}, ("/data",)),
        ({"data": {"a": "1"}}, {"data": {"a": 1}}, ("/data/a",)),
        ({"data": {"a": True}}, {"data": {"a": 1}}, ("/data/a",)),
        ({"data": {"a": 1}}, {"data": {"a": 1.0}}, ()),
        ({"data": {"a": {}}}, {"data": {"a": None}}, ("/data/a",)),
        ({"data": {}}, {}, ("/data",)),
        ({}, {"data": {}}, ()),
        (
            {"metadata": {"name": "x", "labels": {"a": "1"}}},
            {"metadata": {"name": "x", "annotations": {}}},
            ("/metadata/labels",),
        ),
    ],
)
def test_what_differs_is_generated(first: dict[str, Any], second: dict[str, Any], paths: tuple[str, ...]) -> None:
    (found,), notes = mark_generated([rendered(**first)], [rendered(**second)])
    assert found.generated == paths
    assert found.tree == rendered(**first).tree
    assert [all(path in note for path in paths) for note in notes] == [True] * bool(paths)


def test_a_note_names_object_and_file_and_a_way_out() -> None:
    _, (note,) = mark_generated([rendered(data={"a": 1})], [rendered(data={"a": 2})])
    assert note == (
        "generated anew at each render, compared by presence only: ConfigMap x (templates/x.yaml:1) /data/a; "
        "a value from a Secret that is created once would be stable, and guarded"
    )


def test_a_note_does_not_list_paths_without_end() -> None:
    many = {f"k{number}": number for number in range(9)}
    _, (note,) = mark_generated([rendered(data=many)], [rendered(data=dict.fromkeys(many, -1))])
    assert note.count("/data/") == 5
    assert "and 4 more" in note


def test_an_object_whose_name_is_generated_is_left_out_and_said_so() -> None:
    objects, notes = mark_generated([rendered("a"), rendered("job-x1")], [rendered("a"), rendered("job-x2")])
    assert [found.ref.name for found in objects] == ["a"]
    assert notes[0].startswith("left out: ConfigMap job-x1 (templates/x.yaml:1)")
