"""The line of a finding: what lists go by, and a digest that only moves with what the finding says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from reconciler.report.drift import Attribution, DriftChange, DriftItem, DriftSource, Owner
from reconciler.report.line import Line, Listed, line_of

WEB = DriftItem(
    *("web", "one", "apps/v1", "Deployment", "shop", "web", "drifted"),
    source=DriftSource("deploy"),
    attribution=Attribution("kubectl", user="dana"),
    first_seen="2030-01-01T00:00:00Z",
    last_seen="2030-01-01T00:00:09Z",
    severity="high",
    owner=Owner("vision", "c-7"),
    live_resource_version="7",
)


def text(item: DriftItem = WEB) -> str:
    return json.dumps(item.as_json())


def test_it_has_what_the_finding_says() -> None:
    assert line_of(text()) == Line(
        *("default", "web", "drifted", "apps", "Deployment", "shop", "web", "deploy"),
        *("2030-01-01T00:00:00Z", "2030-01-01T00:00:09Z", "high", "vision", "c-7", "dana"),
        adopted=True,
        digest=line_of(text()).digest,
        size=len(text()),
    )


def test_a_finding_that_names_no_user_goes_by_its_manager_and_one_of_the_core_by_no_group() -> None:
    found = line_of(text(replace(WEB, attribution=Attribution("kubectl"), api_version="v1")))
    assert (found.who, found.api_group) == ("kubectl", "")


def test_a_finding_that_an_earlier_version_stored_has_a_line_too() -> None:
    short = {name: WEB.as_json()[name] for name in ("id", "kind", "namespace", "name", "state", "apiVersion")}
    found = line_of(json.dumps(short))
    assert (found.severity, found.team, found.who, found.source, found.adopted) == ("medium", "", "", "", True)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), "\ud800"])
def test_a_value_that_a_strict_decoder_refuses_does_not_cost_the_finding_its_line(value: object) -> None:
    change = DriftChange("/spec/x", "replace", 1, value)  # type: ignore[arg-type] # no tree of the API server
    assert line_of(text(replace(WEB, changes=(change,)))).name == "web"


def test_a_list_takes_its_members_from_the_line() -> None:
    line = line_of(text())
    assert Listed.of(line)._asdict().items() <= line._asdict().items()


@pytest.mark.parametrize(
    ("more", "same"),
    [
        ({"last_seen": "2030-01-02T00:00:00Z"}, True),
        ({"live_resource_version": "8"}, True),
        ({"first_seen": "2030-01-02T00:00:00Z"}, False),
        ({"state": "missing"}, False),
        ({"severity": "low"}, False),
        ({"attribution": Attribution("kubectl", user="eve")}, False),
        ({"gpu": {"classes": []}}, False),
    ],
)
def test_the_digest_stays_while_only_what_moves_has_moved(more: dict[str, Any], same: bool) -> None:
    assert (line_of(text(replace(WEB, **more))).digest == line_of(text()).digest) is same


def test_the_digest_does_not_move_with_when_users_of_a_class_were_counted_but_with_their_number() -> None:
    def counted(running: int, at: str) -> str:
        gpu = {"classes": [{"running": running}], "seenAt": at, "lines": [f"{running} at {at}"]}
        return line_of(text(replace(WEB, gpu=gpu))).digest

    assert counted(3, "x") == counted(3, "y") != counted(4, "x")
