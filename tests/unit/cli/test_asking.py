"""A change that nobody makes: its value, who would make it, and that it is answered as the server answers it."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.model.tree import ABSENT, Tree
from reconciler.schema.types import PLAIN
from setscrew.asking import asker, value
from setscrew.fields import ANOTHER, changed, parse

WEB, SIDE = {"name": "web", "image": "a"}, {"name": "side"}
POD: dict[str, Any] = {"spec": {"containers": [WEB, SIDE], "on": True}}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("7", 7),
        ("'7'", "7"),
        ("true", True),
        ("nginx:1.27", "nginx:1.27"),
        ("{a: [1, b]}", {"a": [1, "b"]}),
        ("a: 1", {"a": 1}),
        ("null", ABSENT),
        ("", ABSENT),
        ("2026-01-31", "2026-01-31"),
    ],
)
def test_a_value_is_read_as_yaml(text: str, read: Tree) -> None:
    assert value(text) == read


def test_what_is_no_yaml_is_one_clear_line() -> None:
    with pytest.raises(UsageError, match="is no YAML"):
        value("{a: ")


def test_a_service_account_asks_with_its_own_groups_and_its_own_credentials() -> None:
    found = asker("system:serviceaccount:kube-system:hpa", ["mine"])
    assert found.groups == (
        "mine",
        "system:serviceaccounts",
        "system:serviceaccounts:kube-system",
        "system:authenticated",
    )
    assert found.uid
    assert not asker("dana").uid


@pytest.mark.parametrize(
    ("field", "to", "now"),
    [
        ("spec.containers[0].image", "b", {"spec": {**POD["spec"], "containers": [{**WEB, "image": "b"}, SIDE]}}),
        ("spec.on", ANOTHER, {"spec": {**POD["spec"], "on": False}}),
        ("spec.on", ABSENT, {"spec": {"containers": [WEB, SIDE]}}),
        ("spec.containers[1]", ABSENT, {"spec": {**POD["spec"], "containers": [WEB]}}),
        ("spec.new.deep", 1, {"spec": {**POD["spec"], "new": {"deep": 1}}}),
        ("spec.new.deep", ABSENT, POD),
    ],
    ids=["set", "another", "removed", "item removed", "with what is around it", "nothing to remove"],
)  # fmt: skip
def test_a_change_is_made_at_its_place_and_nowhere_else(field: str, to: Tree, now: Tree) -> None:
    before = repr(POD)
    assert changed(POD, parse(field, POD, PLAIN), to) == now
    assert repr(POD) == before
