"""managedFields are read as structured-merge-diff writes them."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.compare.blame import FieldManager, blame
from reconciler.model.path import ItemKey, Path

APP = ItemKey((("name", "app"),))
PORT = ItemKey((("containerPort", 80),))
FIELDS = {
    "f:metadata": {"f:labels": {".": {}, "f:tier": {}}, "f:finalizers": {".": {}, 'v:"example.com/hold"': {}}},
    "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
            "f:spec": {
                "f:containers": {
                    'k:{"name":"app"}': {
                        ".": {},
                        "f:image": {},
                        "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                    }
                }
            }
        },
    },
}


def managed(*entries: tuple[str, str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"manager": m, "operation": "Update", "time": t, "fieldsV1": f} for m, t, f in entries]


CONTAINERS = ("spec", "template", "spec", "containers")


@pytest.mark.parametrize(
    "path",
    [
        ("spec", "replicas"),
        ("spec", "selector", "matchLabels", "app"),
        (*CONTAINERS, APP, "image"),
        (*CONTAINERS, APP),
        (*CONTAINERS, APP, "ports", PORT, "containerPort"),
        ("metadata", "labels", "tier"),
        ("spec",),
    ],
    ids=["a field", "below an atomic value", "in a keyed item", "the item", "a defaulted key", "a label", "a part"],
)
def test_the_manager_that_owns_a_path_is_named(path: Path) -> None:
    assert blame(managed(("kubectl-edit", "2030-01-01T00:00:00Z", FIELDS)), path) == FieldManager(
        "kubectl-edit", "Update", "2030-01-01T00:00:00Z"
    )


@pytest.mark.parametrize(
    "path",
    [("spec", "paused"), (*CONTAINERS, ItemKey((("name", "other"),)), "image"), (*CONTAINERS, APP, "command")],
)
def test_nobody_is_blamed_for_a_path_that_nobody_owns(path: Path) -> None:
    assert blame(managed(("kubectl-edit", "2030-01-01T00:00:00Z", FIELDS)), path) is None


def test_a_set_is_owned_by_value() -> None:
    entries = managed(("holder", "2030-01-01T00:00:00Z", FIELDS))
    assert blame(entries, ("metadata", "finalizers", 0), "example.com/hold") is not None
    assert blame(entries, ("metadata", "finalizers", 0), "example.com/other") is None


def test_of_two_owners_the_later_writer_is_named() -> None:
    entries = managed(("argocd", "2030-01-01T00:00:00Z", FIELDS), ("kubectl", "2030-01-02T00:00:00Z", FIELDS))
    found = blame(list(reversed(entries)), ("spec", "replicas"))
    assert found is not None
    assert found.manager == "kubectl"


@pytest.mark.parametrize(
    "hostile",
    [None, "x", {}, [None, 3], [{"fieldsV1": []}], [{"fieldsV1": {"f:spec": "x"}}], [{"fieldsV1": {"k:{": {}}}]],
)
def test_entries_of_another_shape_are_passed_over(hostile: object) -> None:
    assert blame(hostile, ("spec", ItemKey((("a", 1),)))) is None
