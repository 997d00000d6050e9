"""Ranges of versions read as Flux reads them: which tags they take, and which is the highest."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from reconciler.errors import UsageError
from reconciler.source.semver import parse_constraint, parse_version

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases/semver.yaml").read_text())


@pytest.mark.parametrize("case", CASES["ranges"], ids=lambda case: case["range"])
def test_a_range_takes_these_tags_and_no_others(case: dict[str, str]) -> None:
    found = parse_constraint(case["range"])
    taken = [tag for tag in CASES["tags"] if (version := parse_version(tag)) and found.holds(version)]
    assert taken == case["takes"].split()
    assert found.highest(CASES["tags"]) == case["highest"]


@pytest.mark.parametrize("text", CASES["wrong"])
def test_what_is_no_range_is_refused_and_the_field_named(text: object) -> None:
    with pytest.raises(UsageError) as caught:
        parse_constraint(text, "spec.ref.semver")
    assert caught.value.where == "spec.ref.semver"


def test_versions_sort_as_semver_says() -> None:
    order = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
    ]
    versions = [version for text in order if (version := parse_version(text))]
    mixed = [versions[place] for place in (5, 2, 7, 0, 3, 6, 1, 4)]
    assert sorted(mixed, key=lambda one: one.order) == versions
    assert len(versions) == len(order)


@pytest.mark.parametrize("tag", ["latest", "v1.2.3.4", "1.02.0", "release-1.0.0", "v1..2", "", "1.0.0-"])
def test_other_tags_are_no_versions(tag: str) -> None:
    assert parse_version(tag) is None
