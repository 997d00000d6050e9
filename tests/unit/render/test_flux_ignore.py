"""Owns which files Flux does not see; the cases are answers of Flux's own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.render.flux_ignore import Ignore

GIVEN = yaml.safe_load((Path(__file__).parents[2] / "cases" / "adopt" / "flux" / "ignore.yaml").read_text())


@pytest.mark.parametrize("case", GIVEN["cases"], ids=lambda case: case["case"])
def test_what_flux_leaves_out_is_left_out(case: dict[str, Any], tmp_path: Path) -> None:
    for name, text in case["files"].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    ignore = Ignore(tmp_path, case["ignore"])
    found = [
        place
        for place in GIVEN["places"]
        if ignore.leaves_out(tuple(place.rstrip("/").split("/")), directory=place.endswith("/"))
    ]
    assert found == case["left_out"]
