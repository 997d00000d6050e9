"""Owns what `${...}` means in a text; the cases are answers of Flux's own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.errors import RenderError
from reconciler.render.flux import Substitution
from reconciler.render.flux_text import substituted
from reconciler.render.varsub import SubstitutionError, check_names, substitute

GIVEN = yaml.safe_load((Path(__file__).parents[2] / "cases" / "adopt" / "flux" / "variables.yaml").read_text())
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\ndata:\n  a: {}\n"


@pytest.mark.parametrize("case", GIVEN["cases"], ids=lambda case: case["text"])
def test_a_text_becomes_what_flux_makes_of_it(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(SubstitutionError):
            substitute(case["text"], GIVEN["variables"])
    else:
        assert substitute(case["text"], GIVEN["variables"]) == case["gives"]


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a.b", "ä", "a b"])
def test_a_variable_has_the_name_of_one(name: str) -> None:
    with pytest.raises(SubstitutionError):
        check_names({"good_1": "", name: ""})


def test_an_error_names_the_object_and_no_value() -> None:
    text = "---\n".join([MAP.format("fine", "${secret}"), MAP.format("wrong", "${secret")]).encode()
    with pytest.raises(RenderError) as error:
        substituted(text, Substitution({"secret": "hunter22"}))
    assert error.value.where == "ConfigMap/wrong"
    assert error.value.code == "SS3050"
    assert "hunter22" not in str(error.value)


def test_each_object_is_replaced_by_itself() -> None:
    off = MAP.format("off\n  annotations:\n    kustomize.toolkit.fluxcd.io/substitute: disabled", "${x}")
    text = f"{MAP.format('on', '${x}')}---\n{off}".encode()
    assert substituted(text, Substitution({"x": "3"})).decode().count("a: 3\n") == 1
    assert substituted(text, Substitution()) == text
    assert b"${x}" in substituted(text, Substitution(always=True))
