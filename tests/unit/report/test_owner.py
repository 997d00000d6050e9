"""An object is whose its namespace, its manifest or the owners of its file say it is, in this order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.limits import OWNER_CHARS, OWNER_LABELS
from reconciler.report.owner import naming, owner_of

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "findings" / "owners.yaml").read_text())


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_the_first_that_names_an_owner_counts(case: dict[str, Any]) -> None:
    declared = {field: case[field] for field in ("labels", "annotations") if field in case}
    found = owner_of(case.get("namespace", {}), declared, case.get("files", ())).as_json()
    wanted = {key: case.get(key, "") for key in ("team", "costCenter", "contact", "from")}
    assert {key: found[key] for key in wanted} == wanted


def test_all_labels_of_the_namespace_are_kept_but_its_name() -> None:
    found = owner_of({"team": "pay", "stage": "prod", "kubernetes.io/metadata.name": "shop"}, {}, ())
    assert found.labels == {"team": "pay", "stage": "prod"}


def test_labels_are_bounded_in_number_and_length() -> None:
    found = owner_of({f"label-{number:03}": "x" * 9_999 for number in range(999)}, {}, ())
    assert (len(found.labels), {len(value) for value in found.labels.values()}) == (OWNER_LABELS, {OWNER_CHARS})


def test_of_what_git_drops_only_what_names_an_owner_is_remembered() -> None:
    said = {"annotations": {"acme.example/team": "pay", "note": "hunter2"}, "labels": {"app": "web"}, "name": "web"}
    assert naming(said) == {"annotations": {"acme.example/team": "pay"}, "labels": {}}
