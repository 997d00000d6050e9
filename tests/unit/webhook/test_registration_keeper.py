"""Holds what the keeper does and says about each thing that can happen to the registration; time is the test's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.errors import ApiError
from reconciler.limits import (
    REGISTRATION_FIGHT_SECONDS,
    REGISTRATION_FIGHTS,
    REGISTRATION_LOOK_SECONDS,
    REGISTRATION_PATIENCE_SECONDS,
    REGISTRATION_RETRY_SECONDS,
    REGISTRATION_TOLD_SECONDS,
)
from reconciler.model.blind import Blind
from reconciler.model.own import ENTRY_SUFFIX, OFF
from reconciler.policy.grant import Grant, Scope
from tests.support.fake_registration import FakeApi, wanted
from webhook.registration.apply import register, switch_off, switched_off
from webhook.registration.keeper import Keeper

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
A = f"a{ENTRY_SUFFIX}"
REF = "ValidatingWebhookConfiguration.admissionregistration.k8s.io setscrew"


class Site:
    """A keeper that has registered entry `a` already; `said` and `spans` are empty again."""

    def __init__(self, *, registered: bool = True) -> None:
        self.api = FakeApi()
        self.tick = 0.0
        self.down, self.user = "", ""
        self.grants: list[Grant] = []
        self.said: list[str] = []
        self.spans: list[Blind | datetime] = []
        self.done: list[Any] = []
        self.keeper = Keeper(
            self.api,
            bell=lambda: iter(()),
            probe=lambda: self.down,
            grants=lambda: self.grants,
            say=self.said.append,
            now=self.now,
            blind=self,
            done=self.done.append,
            user=lambda _: self.user,
            clock=lambda: self.tick,
        )
        self.keeper.want(wanted("a"))
        if registered:
            self.keeper.look()
            self.said.clear()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.tick)

    def begin(self, blind: Blind) -> None:
        self.spans.append(blind)

    def end(self, cause: str, until: datetime) -> None:
        assert cause == "registration"
        self.spans.append(until)

    def delete(self) -> None:
        self.api.live = None

    def look(self, seconds: float = 0) -> float:
        self.tick += seconds
        return self.keeper.look()

    @property
    def names(self) -> list[str]:
        return [one["name"] for one in (self.api.live or {}).get("webhooks", [])]


def grant(*, ends: float = 3_600, **scope: Any) -> Grant:
    return Grant("night", (), Scope(**scope), "an outage", not_after=START.timestamp() + ends)


def test_what_is_right_is_looked_at_and_left_alone() -> None:
    site = Site()
    site.api.calls.clear()
    assert site.look() == REGISTRATION_LOOK_SECONDS
    assert (site.api.calls, site.said, site.spans) == (["GET"], [], [])


def test_what_is_wanted_otherwise_now_is_written_as_no_edit_of_anybody() -> None:
    site = Site()
    site.keeper.want(wanted("a", "b"))
    site.look()
    assert (site.said, site.spans) == (["registration changed: 2 entries"], [])
    assert [len(one["webhooks"]) for one in site.done] == [1, 2]


def test_a_deletion_is_undone_with_its_span_and_what_is_known() -> None:
    site = Site()
    site.delete()
    site.look(7)
    assert site.names == [A]
    assert site.said == ["registration put back (it was deleted, seen at 2026-11-22T12:00:07Z): 1 entries"]
    begun, ended = site.spans
    assert isinstance(begun, Blind)
    assert (begun.since, begun.entries, ended) == (site.now(), (A,), site.now())


def test_an_edit_is_undone_with_its_program_and_time_and_the_user_only_if_known() -> None:
    site = Site()
    site.user = "dana"

    def edit(live: dict[str, Any]) -> None:
        live["webhooks"][0]["rules"] = ["other"]
        fields = {"f:webhooks": {f'k:{{"name":"{A}"}}': {"f:rules": {}}}}
        live["metadata"]["managedFields"] = [
            {"manager": "kubectl-edit", "operation": "Update", "time": "2026-11-22T12:00:03Z", "fieldsV1": fields}
        ]

    site.api.edit(edit)
    site.look(7)
    assert "kubectl-edit has edited it at 2026-11-22T12:00:03Z, by dana" in site.said[0]
    begun = site.spans[0]
    assert isinstance(begun, Blind)
    assert begun.since == START + timedelta(seconds=3)


def test_a_label_that_is_gone_is_put_back_and_blinds_nobody() -> None:
    site = Site()
    site.api.edit(lambda live: live["metadata"].update(labels={}))
    site.look()
    assert (site.api.live or {})["metadata"]["labels"] == {"app": "setscrew"}
    assert site.spans == []


@pytest.mark.parametrize("reason", ["down", "grant"])
def test_it_stays_away_for_a_reason_says_so_once_a_minute_and_returns_without_it(reason: str) -> None:
    site = Site()
    site.delete()
    site.down = "it does not answer" if reason == "down" else ""
    site.grants = [grant(refs=(REF,))] if reason == "grant" else []
    for _ in range(int(REGISTRATION_TOLD_SECONDS) + 1):
        assert site.look(1) == REGISTRATION_RETRY_SECONDS
    assert len(site.said) == 2
    assert all("it was deleted, seen at 2026-11-22T12:00:01Z" in line for line in site.said)
    assert site.names == []
    site.down, site.grants = "", []
    site.look(1)
    assert site.names == [A]
    assert site.said[-1] == "the registration stands again"
    assert site.spans[-1] == site.now()


@pytest.mark.parametrize(
    ("scope", "covers"),
    [
        ({"refs": (REF,)}, True),
        ({"refs": ("ValidatingWebhookConfiguration setscrew",)}, True),
        ({"kinds": ("admissionregistration.k8s.io/ValidatingWebhookConfiguration",)}, True),
        ({"namespaces": ("shop",)}, False),
        ({"refs": ("Deployment.apps shop/web",)}, False),
        ({"refs": (REF,), "paths": ("/webhooks",)}, False),
    ],
)
def test_only_a_grant_that_takes_in_the_whole_registration_covers_it(scope: dict[str, Any], covers: bool) -> None:
    site = Site()
    site.grants = [grant(**scope)]
    site.delete()
    site.look(1)
    assert (site.names == []) is covers


def test_a_grant_that_has_ended_covers_nothing() -> None:
    site = Site()
    site.grants = [grant(ends=5, refs=(REF,))]
    site.delete()
    site.look(4)
    assert site.names == []
    site.look(1)
    assert site.names == [A]


def test_a_grant_does_not_hold_up_what_a_new_snapshot_needs() -> None:
    site = Site()
    site.grants = [grant(refs=(REF,))]
    site.keeper.want(wanted("a", "b"))
    site.look()
    assert len(site.names) == 2


def test_a_server_that_is_starting_gets_a_moment_before_anything_is_said() -> None:
    site = Site(registered=False)
    site.down = "it is not ready"
    site.look()
    assert (site.names, site.said, site.spans) == ([], [], [])
    site.look(REGISTRATION_PATIENCE_SECONDS)
    assert site.said == ["the registration stays away: it is not ready"]
    site.down = ""
    site.look()
    assert site.said[1:] == ["registration created: 1 entries", "the registration stands again"]


def test_the_off_switch_is_obeyed_until_somebody_takes_it_back() -> None:
    site = Site()
    switch_off(site.api, "2026-11-22T12:00:05Z", "dana")
    site.keeper.want(wanted("a", "b"))
    for _ in range(3):
        site.look(10)
    assert site.names == []
    assert site.said == [
        "the guard was switched off at 2026-11-22T12:00:05Z dana: only `setscrew register` switches it on"
    ]
    begun = site.spans[0]
    assert isinstance(begun, Blind)
    assert (begun.since, begun.entries) == (START + timedelta(seconds=5), ())
    register(site.api, wanted("a"))
    site.look(1)
    assert len(site.names) == 2
    assert isinstance(site.spans[-1], datetime)


def test_the_off_switch_wins_when_it_is_thrown_while_the_registration_is_put_back() -> None:
    site = Site()
    site.api.edit(lambda live: live["webhooks"][0].update(rules=["other"]))
    site.api.before = [lambda api: switch_off(api, "2026-11-22T12:00:05Z", "dana")]
    site.look()
    assert site.names == []
    site.look()
    assert site.names == []
    assert site.said == [
        "the guard was switched off at 2026-11-22T12:00:05Z dana: only `setscrew register` switches it on"
    ]


def test_the_off_switch_wins_when_it_is_thrown_while_the_registration_is_created() -> None:
    site = Site()
    site.delete()
    site.api.before = [lambda api: switch_off(api, "2026-11-22T12:00:05Z", "dana")]
    site.look()
    site.look()
    assert site.names == []
    assert switched_off(site.api.live) == "2026-11-22T12:00:05Z dana"


def test_a_note_that_somebody_has_put_beside_the_entries_switches_off_what_it_says_is_off() -> None:
    site = Site()
    site.api.edit(lambda live: live["webhooks"].append({"name": "theirs.example.com"}))
    site.api.edit(lambda live: live["metadata"].update(annotations={OFF: "2026-11-22T12:00:05Z dana"}))
    site.look()
    assert site.names == ["theirs.example.com"]
    assert switched_off(site.api.live) == "2026-11-22T12:00:05Z dana"
    register(site.api, wanted("a"))
    assert site.names == ["theirs.example.com", A]


def test_what_cannot_be_written_is_told_and_tried_again_soon_and_holds_nothing_up() -> None:
    site = Site()
    site.keeper.want(wanted("a", "b"))
    site.api.fails = ApiError("etcd is full", status=500)
    assert [site.look(1) for _ in range(3)] == [REGISTRATION_RETRY_SECONDS] * 3
    (line,) = site.said
    assert line.startswith("registration failed, what is registered goes on: etcd is full")
    site.api.fails = None
    site.look(1)
    assert len(site.names) == 2


def test_a_defect_of_ours_ends_no_keeping() -> None:
    site = Site()

    def broken() -> str:
        raise ValueError("secret")

    site.keeper.probe = broken
    site.delete()
    assert site.look() == REGISTRATION_RETRY_SECONDS
    assert "secret" not in site.said[0]


def test_who_removes_it_again_and_again_is_told_and_answered_every_few_seconds() -> None:
    site = Site()
    for _ in range(REGISTRATION_FIGHTS):
        site.delete()
        assert site.look(0.1) == REGISTRATION_LOOK_SECONDS
    site.delete()
    wait = site.look(0.1)
    assert 0 < wait <= REGISTRATION_FIGHT_SECONDS
    assert "again and again" in site.said[-1]
    site.look(wait)
    assert site.names == [A]


def test_a_choice_of_an_admin_is_told_once() -> None:
    site = Site()

    def choose(live: dict[str, Any]) -> None:
        live["webhooks"][0]["failurePolicy"] = "Fail"
        fields = {"f:webhooks": {f'k:{{"name":"{A}"}}': {"f:failurePolicy": {}}}}
        live["metadata"]["managedFields"] = [{"manager": "kubectl-edit", "operation": "Update", "fieldsV1": fields}]

    site.api.edit(choose)
    for _ in range(3):
        site.look(10)
    assert site.said == [f"{A}: failurePolicy Fail stays, as kubectl-edit has set it"]
    assert site.spans == []


# Threads


def started(site: Site) -> Callable[[], None]:
    """Start the keeper; what it returns rings its bell."""
    rung = threading.Semaphore(0)

    def bell() -> Iterator[None]:
        while True:
            rung.acquire()
            yield

    site.keeper.bell = bell
    site.keeper.start()
    return rung.release


def test_wanting_waits_until_it_stands() -> None:
    site = Site(registered=False)
    ring = started(site)
    site.keeper.want(wanted("a", "b"), seconds=60)
    assert len(site.names) == 2
    ring()
    site.keeper.stop()


def test_wanting_waits_no_longer_than_it_is_told() -> None:
    site = Site()
    held = threading.Event()

    def slow() -> str:
        held.wait(60)
        return ""

    site.keeper.probe = slow
    ring = started(site)
    site.keeper.want(wanted("a", "b"), seconds=0.01)
    assert site.names == [A]
    held.set()
    ring()
    site.keeper.stop()


def test_a_bell_makes_it_look_at_once() -> None:
    site = Site()
    ring = started(site)
    back = threading.Event()
    site.keeper.say = lambda _: back.set()
    site.delete()
    ring()
    assert back.wait(60)
    ring()
    site.keeper.stop()
