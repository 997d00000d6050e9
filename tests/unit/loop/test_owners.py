"""Holds who keeps an object that two sources declare."""

from __future__ import annotations

import pytest

from reconciler.loop.owners import Owners
from reconciler.model.ref import ObjectRef

REF = ObjectRef("", "ConfigMap", "shop", "one")
OF = {"app": "Application/argocd/shop", "app-1": "Application/argocd/shop", "tenant": "Kustomization/tenant/shop"}


@pytest.mark.parametrize(
    ("had", "first", "other", "kept"),
    [
        ("", "app", "tenant", "app"),
        (OF["app"], "app", "tenant", "app"),
        (OF["tenant"], "app", "tenant", "tenant"),
        (OF["app"], "tenant", "app", "app"),
        ("gone", "app", "tenant", "app"),
        (OF["app"], "app-1", "app", "app-1"),
        ("by hand", "app", "by hand", "by hand"),
    ],
)
def test_whoever_had_it_keeps_it_and_else_the_earlier(had: str, first: str, other: str, kept: str) -> None:
    assert (other if Owners({REF: had}, OF).prefer(REF, first, other) else first) == kept
