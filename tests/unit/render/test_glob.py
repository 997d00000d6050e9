"""Owns Argo CD's globs over file names."""

from __future__ import annotations

import pytest

from reconciler.errors import UsageError
from reconciler.render.glob import compiled


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("*.yaml", "a/b.yaml", "a.yml"),
        ("config/*", "config/a/b", "other/config/a"),
        ("**/x", "a/b/x", "x"),
        ("{*.yml,config/*.yaml}", "config/a/b.yaml", "b.yaml"),
        ("{a,{b,c}/*}.y", "c/x.y", "c.y"),
        ("{,pre-}web", "web", "other-web"),
        ("[!a]x", "bx", "ax"),
        ("[a-c]?", "bz", "dz"),
        (r"\*.y", "*.y", "a.y"),
        (r"a\{b", "a{b", "ab"),
        ("a[{]b", "a{b", "ab"),
    ],
)
def test_a_pattern_fits_what_it_fits_for_argo_cd(pattern: str, fits: str, fits_not: str) -> None:
    found = compiled(pattern, "include")
    assert found.fullmatch(fits)
    assert not found.fullmatch(fits_not)


@pytest.mark.parametrize("pattern", ["{a", "a}", "{a,b}" * 7, "a" * 1025, "{a" * 300])
def test_a_pattern_that_is_none_or_stands_for_too_many_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError) as caught:
        compiled(pattern, "include")
    assert caught.value.where == "include"


def test_stars_cost_no_more_than_the_length_of_a_name() -> None:
    assert not compiled("*a" * 200 + "b", "include").fullmatch("a" * 1000)
