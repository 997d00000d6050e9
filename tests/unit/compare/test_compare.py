"""Owns what `compare` says of drift: classes, ops, notes, and the parts under it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from reconciler.canonical.form import Mask, Range
from reconciler.canonical.volatile import live_form
from reconciler.compare.comparison import Comparison, compare
from reconciler.compare.contained import beyond
from reconciler.compare.equal import Blank, Reading, blank, equal_scalar
from reconciler.compare.mask import clean, masked, text
from reconciler.compare.masking import build
from reconciler.model.path import ItemKey
from reconciler.model.tree import ABSENT
from reconciler.schema.types import PLAIN, TypeNode
from tests.support.decisions import KEY, builtin_rules, canonical, manifests, patched

_OBJECTS = ["web", "queue", "service", "config", "secret", "netpol", "role", "binding", "namespace", "crd", "widget"]


def drift(name: str, patch: Any, *, confidence: str = "server") -> Comparison:
    live = live_form(patched(manifests(name)[1], patch), KEY)
    return compare(canonical(name, builtin_rules(), confidence=confidence), live)


@pytest.mark.parametrize("confidence", ["server", "offline"])
@pytest.mark.parametrize("name", _OBJECTS)
def test_what_the_server_stores_of_git_is_no_drift(name: str, confidence: str) -> None:
    if confidence == "server":
        assert drift(name, {}).changes == ()
    else:
        # Without a server its defaults look like extras; what Git declares is found as declared.
        assert {change.klass for change in drift(name, {}, confidence=confidence).changes} <= {"extra"}


@pytest.mark.parametrize(
    ("patch", "path", "op", "klass"),
    [
        ({"spec": {"replicas": 5}}, "/spec/replicas", "replace", "changed"),
        ({"spec": {"replicas": None}}, "/spec/replicas", "remove", "missing"),
        ({"spec": {"paused": True}}, "/spec/paused", "add", "extra"),
        ({"spec": {"revisionHistoryLimit": 1}}, "/spec/revisionHistoryLimit", "replace", "default-overridden"),
        ({"spec": {"revisionHistoryLimit": None}}, "/spec/revisionHistoryLimit", "remove", "default-overridden"),
        ({"metadata": {"labels": {"tier": "x"}}}, "/metadata/labels/tier", "replace", "changed"),
    ],
)
def test_each_drift_has_a_class_and_an_op(patch: Any, path: str, op: str, klass: str) -> None:
    found = drift("web", patch)
    assert [(change.path, change.op, change.klass) for change in found.changes] == [(path, op, klass)]
    assert found.verdict == "drift"


def test_an_item_added_to_an_atomic_list_is_an_extra_of_the_report() -> None:
    patch = [{"op": "add", "path": "/spec/template/spec/tolerations/-", "value": {"operator": "Exists"}}]
    (change,) = drift("web", patch).changes
    assert (change.path, change.op, change.klass) == ("/spec/template/spec/tolerations/1", "add", "extra")


def test_undeclared_metadata_is_free() -> None:
    assert drift("web", {"metadata": {"labels": {"x": "y"}, "finalizers": ["a/b"]}}).verdict == "same"


def test_a_masked_difference_is_a_note_and_no_drift() -> None:
    found = drift("queue", {"spec": {"replicas": 7}})
    assert found.changes == ()
    assert any("replicas-left-to-autoscaler" in note for note in found.notes)


def test_replicas_within_a_declared_range_are_a_note() -> None:
    form = replace(canonical("web", builtin_rules()), ranges=(Range(("spec", "replicas"), 2, 10, "hpa-range", ()),))
    live = copy.deepcopy(manifests("web")[1])
    live["spec"]["replicas"] = 7
    assert compare(form, live_form(live, KEY)).changes == ()
    live["spec"]["replicas"] = 11
    assert [change.path for change in compare(form, live_form(live, KEY)).changes] == ["/spec/replicas"]


def test_a_defaulted_key_of_an_item_is_found_by_its_place() -> None:
    live = [{"op": "remove", "path": "/spec/ports/0/targetPort"}]
    (change,) = [one for one in drift("service", live, confidence="offline").changes if one.op == "remove"]
    assert change.path == "/spec/ports/0/targetPort"


def test_a_star_and_a_key_of_one_list_mask_together() -> None:
    key = 'k:{"name":"a"}'
    trie = build((Mask(("l", "*", "x"), "one", ""), Mask(("l", key, "y"), "two", "")))
    assert trie is not None
    item = trie.at("l").at(ItemKey((("name", "a"),)))  # type: ignore[union-attr]
    assert item is not None
    assert {name: mask.rule for name, node in item.children.items() for mask in node.masks} == {"x": "one", "y": "two"}


@pytest.mark.parametrize(
    ("value", "upto", "is_blank"),
    [
        *((value, Blank.NULL, True) for value in (None, ABSENT)),
        *((value, Blank.NULL, False) for value in (0, "", False, {}, [])),
        *((value, Blank.EMPTY, True) for value in ({}, [])),
        *((value, Blank.EMPTY, False) for value in (0, "", False)),
        *((value, Blank.ZERO, True) for value in (0, 0.0, "", False, {}, [])),
        *((value, Blank.ZERO, False) for value in (1, True, " ", [None], {"a": None})),
    ],
)
def test_blank_is_what_the_server_may_leave_out(value: Any, upto: Blank, is_blank: bool) -> None:
    assert blank(value, upto) is is_blank


@pytest.mark.parametrize(
    ("scalar", "one", "other", "same"),
    [
        ("quantity", "1000m", "1", True),
        ("quantity", "0.5", "500m", True),
        ("quantity", 1, "1", True),
        ("quantity", "128M", "128Mi", False),
        ("quantity", True, 1, False),
        ("quantity", "1x", "1x", True),
        ("duration", "60s", "1m0s", True),
        ("duration", "60", "60s", False),
        ("bytes", "YQ==", "YQ==\n", True),
        ("int-or-string", 80, "80", True),
        ("int-or-string", 80, "80%", False),
        ("", "60s", "1m0s", False),
        ("", True, 1, False),
        ("", 1, 1.0, True),
        ("", "1.10", 1.1, False),
        ("", 9007199254740993, 9007199254740992, False),
    ],
)
def test_values_are_equal_by_the_meaning_of_their_place(scalar: Any, one: Any, other: Any, same: bool) -> None:
    assert equal_scalar(one, other, TypeNode(scalar=scalar), Reading(offline=False), ()) is same


def test_masked_values_hide_and_others_stay() -> None:
    tree = {"env": [{"name": "DB_PASSWORD", "value": "x"}, {"name": "MODE", "value": "y"}], "v": "hmac:00"}
    shown = {"env": [{"name": "DB_PASSWORD", "value": "***"}, {"name": "MODE", "value": "y"}], "v": "***"}
    assert masked(tree) == shown
    assert text("x", ("env", ItemKey((("name", "API_KEY"),)), "value")) == '"***"'
    assert text("x", ("env", 0, "value"), tree) == '"***"'
    assert text("x", ("env", 1, "value"), tree) == '"x"'
    assert text(ABSENT) == "nothing"


def test_text_is_printable_and_short() -> None:
    assert clean("a\x1b[31m\u202eb\ud800") == "a\\x1b[31m\\u202eb\\ud800"
    assert clean("x" * 50, limit=10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({}, None),
        ({"a": 1}, None),
        ({"a": 1, "z": ""}, None),
        ({"a": 2}, ("a",)),
        ({"z": 1}, ("z",)),
        ({"l": [{"n": 1}]}, None),
        ({"l": [{"n": 1}, {"n": 2}]}, ("l",)),
        ({"l": [{"n": 2}]}, ("l", 0, "n")),
        ({"a": {"b": 1}}, ("a",)),
    ],
)
def test_a_text_that_nobody_has_defaulted_holds_no_more_than_want(said: Any, place: Any) -> None:
    assert beyond(said, {"a": 1, "l": [{"n": 1, "filled": True}]}, PLAIN) == place
