"""Owns what a denial looks like where cases cannot say it: length, values, the wire form."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.canonical.form import Confidence
from reconciler.limits import DENIAL_CAUSES, DENIAL_MESSAGE_CHARS, DENIAL_PATHS
from reconciler.model.tree import ABSENT
from tests.support.decisions import SOURCE, judged, snapshot
from webhook.decision import message
from webhook.decision.message import denial
from webhook.decision.types import Cause, Decision
from webhook.decision.verdict import Verdict


def test_long_paths_and_values_leave_the_end_of_the_message_whole() -> None:
    data = {f"{number:03}" + "k" * 190: "v" * 5_000 for number in range(40)}
    _, decision = judged({"object": "config", "patch": {"data": data}})
    assert len(decision.message) <= DENIAL_MESSAGE_CHARS
    assert decision.message.splitlines()[-1] == "More: setscrew explain configmap/config -n shop"
    shown = [line for line in decision.message.splitlines() if line.startswith("  data")]
    assert 0 < len(shown) <= DENIAL_PATHS
    assert f"  … and {40 - len(shown)} more" in decision.message


def test_ten_long_lines_leave_room_for_what_to_do() -> None:
    request, _ = judged({"object": "config"})
    held = snapshot(["config"])
    one = Cause("f" * 200, "/f", "held", "w" * 120, "n" * 120, "")
    shown = denial(Verdict(request, held, "config"), held.entries[0], (one,) * 12, more="More " * 40)
    assert len(shown) <= DENIAL_MESSAGE_CHARS
    assert shown.splitlines()[-1] == "More: setscrew explain configmap/config -n shop"
    assert "… and " in shown


@pytest.mark.parametrize(
    ("confidence", "words"), [("server", "that of before"), ("offline", "made without the API server")]
)
def test_why_the_server_has_not_confirmed_the_form_is_told(confidence: Confidence, words: str) -> None:
    request, _ = judged({"object": "config"})
    held = snapshot(["config"])
    (entry,) = held.entries
    waiting = replace(entry, object=replace(entry.object, confidence=confidence, reason="untrusted-mutator: injector"))
    one = Cause("f", "/f", "extra", "nothing", "x", "")
    line = f"Its form is {words}: untrusted-mutator: injector."
    assert line in denial(Verdict(request, held, "config"), waiting, (one,)).splitlines()
    assert "Its form is" not in denial(Verdict(request, held, "config"), entry, (one,))


def test_every_path_has_a_cause_also_where_the_message_has_no_room() -> None:
    _, decision = judged({"object": "config", "patch": {"data": {f"k{number}": "v" for number in range(40)}}})
    causes = decision.response("u")["response"]["status"]["details"]["causes"]
    assert [cause["field"] for cause in causes] == [f"/data/k{number}" for number in range(40)]
    assert {cause["reason"] for cause in causes} == {"Setscrew/extra"}


def test_a_refusal_of_thousands_of_paths_names_the_first_and_counts_all() -> None:
    """Answering each of them took half a minute, and a late answer admits the change where `Ignore` is the policy."""
    _, decision = judged({"object": "config", "patch": {"data": {f"k{number}": "v" for number in range(5_000)}}})
    assert (decision.allowed, len(decision.causes)) == (False, DENIAL_CAUSES)
    shown = [line for line in decision.message.splitlines() if line.startswith("  data")]
    assert f"  … and {5_000 - len(shown)} more" in decision.message


def test_the_gravest_violation_names_the_decision_also_behind_the_ones_that_are_shown() -> None:
    many = {f"k{number}": 1 for number in range(DENIAL_CAUSES)}
    _, decision = judged({"object": "web", "patch": {"spec": many, "metadata": {"labels": {"tier": "back"}}}})
    assert {cause.verdict for cause in decision.causes} == {"extra"}
    assert decision.code == "drift"


def test_audit_annotations_name_paths_and_no_values() -> None:
    _, decision = judged({"object": "config", "patch": {"data": {"mode": "hidden value"}}})
    assert decision.audit == {
        "code": "drift",
        "snapshot": "d" * 16,
        "policy": "default",
        "source": "shop",
        "revision": "main@sha1:" + "ab" * 20,
        "paths": "/data/mode",
    }


def test_the_wire_form_of_a_refusal_is_what_the_api_server_shows() -> None:
    response = Decision(allowed=False, code="drift", message="no").response("u-1")
    status = response["response"]["status"]
    assert response["response"]["uid"] == "u-1"
    assert (status["code"], status["reason"], status["message"]) == (403, "Forbidden", "no")


@pytest.mark.parametrize("action", ["Warn", "Deny"])
def test_only_a_warning_policy_warns(action: str) -> None:
    _, decision = judged({"object": "web", "policy": {"action": action}, "patch": {"spec": {"replicas": 5}}})
    assert bool(decision.warnings) is (action == "Warn")
    assert all(len(warning) < 512 for warning in decision.warnings)


def test_a_removed_value_points_into_the_desired_object() -> None:
    patch = [{"op": "remove", "path": "/spec/template/spec/containers/0/env/0"}]
    _, decision = judged({"object": "web", "patch": patch})
    (cause,) = decision.causes
    assert (cause.pointer, cause.now) == ("/spec/template/spec/containers/0/env/0", "nothing")
    assert cause.field == "spec.template.spec.containers[name=app].env[name=MODE]"
    assert ABSENT not in (cause.want, cause.now)


def test_a_denial_says_that_its_source_is_stale_and_since_when() -> None:
    said = message._at(replace(SOURCE, stale="2026-01-01T12:00:00Z"))
    assert said.startswith(message._at(SOURCE))
    assert "stale: it could not be followed since 2026-01-01T12:00:00Z" in said
    assert "stale" not in message._at(SOURCE)
