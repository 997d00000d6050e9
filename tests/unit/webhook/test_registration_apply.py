"""Holds how the registration is written: no write without need, nothing of others lost, conflicts tried again."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import ApiError, ClusterError
from reconciler.model.own import ENTRY_SUFFIX, OFF
from tests.support.fake_registration import FakeApi, wanted
from webhook.registration.apply import current, register, switch_off, switch_on, switched_off, whoami

WANTED = wanted("a")
APPLY, MERGE = "PATCH apply-patch+yaml", "PATCH merge-patch+json"


def touch(fake: FakeApi) -> None:
    fake.edit(lambda live: live)


def registered() -> FakeApi:
    api = FakeApi()
    register(api, WANTED)
    api.calls.clear()
    return api


def names(api: FakeApi) -> list[str]:
    assert api.live is not None
    return [entry["name"] for entry in api.live.get("webhooks", [])]


def test_it_is_created_once_and_then_left_alone() -> None:
    api = FakeApi()
    assert register(api, WANTED) == "created"
    assert register(api, WANTED) == "unchanged"
    assert api.calls == ["GET", APPLY, "GET"]


def test_what_others_have_put_on_it_stays() -> None:
    api = registered()
    api.edit(lambda live: live["metadata"].update(labels={"app": "setscrew", "team": "x"}, annotations={"note": "y"}))
    api.edit(lambda live: live["webhooks"].append({"name": "theirs.example.com"}))
    assert register(api, WANTED) == "unchanged"
    assert register(api, wanted()) == "changed"
    assert names(api) == ["theirs.example.com"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda live: live.update(webhooks=[]),
        lambda live: live["webhooks"][0].update(rules=[{"apiGroups": [""]}]),
        lambda live: live["webhooks"][0].update(matchConditions=[{"name": "x", "expression": "false"}]),
        lambda live: live["webhooks"].append({"name": f"old{ENTRY_SUFFIX}"}),
        lambda live: live["metadata"].update(labels={}),
    ],
    ids=["entries", "rules", "conditions", "an entry of ours", "labels"],
)
def test_a_foreign_change_of_what_is_ours_is_put_back(edit: Any) -> None:
    api = registered()
    api.edit(edit)
    assert register(api, WANTED) == "changed"
    assert names(api) == [f"a{ENTRY_SUFFIX}"]
    assert register(api, WANTED) == "unchanged"


def test_a_conflict_is_tried_again_on_the_newer_object() -> None:
    api = registered()
    api.before = [touch]
    assert switch_off(api, "2026-11-22T12:00:00Z", "dana") == "changed"
    assert api.calls.count(MERGE) == 2


def test_losing_the_race_of_creation_is_no_error() -> None:
    api = FakeApi()
    api.before = [lambda fake: FakeApi._apply(fake, WANTED)]
    assert switch_off(api, "2026-11-22T12:00:00Z", "dana") == "changed"
    assert names(api) == []


def test_endless_conflicts_end_in_one_line() -> None:
    api = registered()
    api.before = [touch] * 100
    with pytest.raises(ClusterError, match="keeps being changed"):
        switch_off(api, "2026-11-22T12:00:00Z", "dana")


def test_a_refusal_is_passed_on() -> None:
    api = FakeApi()
    api.fails = ApiError("no", status=403)
    for work in (lambda: register(api, WANTED), lambda: switch_off(api, "now", "dana"), lambda: current(api)):
        with pytest.raises(ApiError):
            work()


# The off-switch


def test_switching_off_leaves_the_object_with_a_note_and_what_is_not_ours() -> None:
    api = registered()
    api.edit(lambda live: live["webhooks"].append({"name": "theirs.example.com"}))
    assert switch_off(api, "2026-11-22T12:00:00Z", "dana") == "changed"
    assert names(api) == ["theirs.example.com"]
    assert switched_off(api.live) == "2026-11-22T12:00:00Z dana"
    assert switch_off(api, "2026-11-22T13:00:00Z", "lena") == "unchanged"
    assert switched_off(api.live) == "2026-11-22T12:00:00Z dana"


def test_without_a_registration_a_note_is_made_all_the_same() -> None:
    api = FakeApi()
    assert switch_off(api, "2026-11-22T12:00:00Z", "dana") == "created"
    assert switched_off(api.live) == "2026-11-22T12:00:00Z dana"


def test_a_note_beside_entries_of_ours_does_not_count_as_off() -> None:
    api = registered()
    api.edit(lambda live: live["metadata"].update(annotations={OFF: ""}))
    assert switched_off(api.live) == "at an unknown time"
    assert switch_off(api, "2026-11-22T12:00:00Z", "dana") == "changed"
    assert names(api) == []


def test_registering_takes_the_off_switch_back() -> None:
    api = registered()
    switch_off(api, "2026-11-22T12:00:00Z", "dana")
    assert register(api, WANTED) == "changed"
    assert (names(api), switched_off(api.live)) == ([f"a{ENTRY_SUFFIX}"], "")


def test_who_somebody_is_the_api_server_says_or_nobody() -> None:
    api = FakeApi()
    assert whoami(api) == "dana"
    api.fails = ApiError("an old API server", status=404)
    assert whoami(api) == "unknown"


def test_who_keeps_it_is_told_by_the_note_alone_that_it_is_switched_on() -> None:
    api = registered()
    switch_off(api, "2026-11-22T12:00:00Z", "dana")
    api.edit(lambda live: live["metadata"]["annotations"].update(note="y"))
    api.before = [touch]
    assert switch_on(api) == "2026-11-22T12:00:00Z dana"
    assert api.live is not None
    assert api.live["metadata"]["annotations"] == {"note": "y"}
    assert names(api) == []
    assert register(api, WANTED) == "changed"


def test_what_is_not_switched_off_is_not_touched_by_switching_on() -> None:
    api = registered()
    assert (switch_on(api), switch_on(FakeApi())) == ("", "")
    assert api.calls == ["GET"]


def test_switching_on_gives_up_where_others_keep_changing_it() -> None:
    api = registered()
    switch_off(api, "2026-11-22T12:00:00Z", "dana")
    api.before = [touch] * 50
    with pytest.raises(ClusterError, match="keeps being changed"):
        switch_on(api)
