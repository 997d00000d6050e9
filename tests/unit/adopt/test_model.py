"""Holds what a source of a definition is called: readable, a DNS label, and no other's."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.adopt.model import source_name
from reconciler.snapshot.model import Adopter

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@pytest.mark.parametrize(
    ("by", "part", "name"),
    [
        (Adopter("Application", "shop", "argocd"), 0, "application-argocd-shop"),
        (Adopter("Application", "shop", "argocd"), 2, "application-argocd-shop-2"),
        (Adopter("HelmRelease", "shop", "a"), 0, "helmrelease-a-shop"),
    ],
)
def test_a_name_says_whose_it_is(by: Adopter, part: int, name: str) -> None:
    assert source_name(by, part) == name


@given(st.text(min_size=1, max_size=300), st.text(max_size=300), st.integers(0, 20))
def test_any_name_becomes_a_label(name: str, namespace: str, part: int) -> None:
    assert LABEL.fullmatch(source_name(Adopter("Application", name, namespace), part))


def test_names_that_look_alike_are_told_apart() -> None:
    alike = [
        Adopter("Application", "shop.web", "argocd"),
        Adopter("Application", "shop-web", "argocd"),
        Adopter("Application", "shop_web", "argocd"),
        Adopter("Application", "x" * 80, "argocd"),
        Adopter("Application", "x" * 81, "argocd"),
        Adopter("Application", "SHOP-WEB", "argocd"),
    ]
    assert all(source_name(one) != source_name(other) for one, other in combinations(alike, 2))


def test_nobody_can_take_the_name_of_a_source_by_how_namespace_and_name_are_divided() -> None:
    """Of two sources of one name only the first is followed: whoever may choose a namespace could replace another's."""
    taken = source_name(Adopter("Application", "shop.web", "argocd"))
    alike = [
        (Adopter("Kustomization", "apps", "flux-system"), 0),
        (Adopter("Kustomization", "system-apps", "flux"), 0),
        (Adopter("Kustomization", "c", "a-b"), 0),
        (Adopter("Kustomization", "b-c", "a"), 0),
        (Adopter("Application", "shop", "argocd"), 1),
        (Adopter("Application", "shop-1", "argocd"), 0),
        (Adopter("Application", "shop.web", "argocd"), 0),
        (Adopter("Application", taken.removeprefix("application-argocd-"), "argocd"), 0),
        (Adopter("Application", "shop", ""), 0),
        (Adopter("Application", "-shop", ""), 0),
    ]
    assert all(source_name(*one) != source_name(*other) for one, other in combinations(alike, 2))
