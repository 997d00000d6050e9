"""Holds what the status of our own objects says, word by word where programs read it."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.snapshot.model import SourceState
from reconciler.source.spec import GitRef, GitSource, Verification
from setscrew.incluster.objects import Fault
from setscrew.incluster.statuses import Condition, Facts, Status, policy_status, reason_of, source_status, whole
from tests.support.tools import tool

COMMIT = "ab" * 20
ENFORCED = SourceState("shop", "https://git.example.com/a.git", "prod", f"main@sha1:{COMMIT}", COMMIT, signer="Lena")
SHOP = GitSource("shop", "https://git.example.com/a.git", GitRef("branch", "main"))
ROW = {
    "name": "shop",
    "state": "Ready",
    "mode": "enforced",
    "attempted": ENFORCED.revision,
    "enforced": ENFORCED.revision,
    "message": "",
    "stale": False,
    "lastSuccess": "2026-11-22T04:00:00Z",
}
NOW = 1_795_000_000.0


def said(snapshot: SourceState | None = ENFORCED, source: GitSource | None = SHOP, **row: Any) -> Status:
    """The whole status of a source whose row differs in these."""
    return whole({}, 3, *source_status(Facts(source, {**ROW, **row}, snapshot, 7), None), NOW)


def condition(status: Status, kind: str) -> tuple[str, str]:
    (found,) = (one for one in status["conditions"] if one["type"] == kind)
    return found["status"], found["reason"]


def test_a_source_that_is_enforced_says_at_what() -> None:
    status = said()
    assert {key: value for key, value in status.items() if key != "conditions"} == {
        "observedGeneration": 3,
        "mode": "Enforced",
        "ref": "main",
        "revision": f"main@sha1:{COMMIT}",
        "commit": COMMIT,
        "lastFetched": "2026-11-22T04:00:00Z",
        "objects": 7,
        "signer": "Lena",
    }
    assert condition(status, "Ready") == ("True", "Enforced")
    assert condition(status, "Stale") == ("False", "Followed")
    assert [one["type"] for one in status["conditions"]] == ["Ready", "Stale"]


@pytest.mark.parametrize(
    ("row", "mode", "ready"),
    [
        ({"mode": "watched"}, "Watched", ("True", "Watched")),
        ({"mode": "new"}, "New", ("True", "Watched")),
        ({"state": "Suspended"}, "Suspended", ("False", "Suspended")),
        ({"state": "Held", "message": "it would let go of 5 of 6 objects"}, "Held", ("False", "Held")),
        ({"state": "FetchFailed", "message": "no answer"}, "Enforced", ("False", "FetchFailed")),
        ({"state": "RenderFailed", "message": "no"}, "Enforced", ("False", "RenderFailed")),
        ({"state": "Pending"}, "Enforced", ("Unknown", "Pending")),
        ({"enforced": "main@sha1:cd"}, "Enforced", ("Unknown", "Publishing")),
    ],
)
def test_each_state_has_its_mode_and_its_reason(row: dict[str, Any], mode: str, ready: tuple[str, str]) -> None:
    status = said(**row)
    assert (status["mode"], condition(status, "Ready")) == (mode, ready)


def test_what_nobody_has_looked_at_is_unknown() -> None:
    status = whole({}, 1, *source_status(Facts(SHOP), None), NOW)
    assert (status["mode"], condition(status, "Ready"), "revision" in status) == ("New", ("Unknown", "Pending"), False)


def test_what_a_renderer_quotes_stays_out_and_its_code_stays_in() -> None:
    status = said(state="RenderFailed", message="a.yaml:3: found 's3cret' [SS3001]", attempted="main@sha1:cd")
    (ready,) = (one for one in status["conditions"] if one["type"] == "Ready")
    assert ready["message"] == "main@sha1:cd cannot be rendered; `setscrew source list` says why [SS3001]"
    assert "s3cret" not in str(status)


def test_a_signature_is_a_condition_where_one_is_asked_for() -> None:
    signed = GitSource("shop", SHOP.url, verify=Verification("HEAD"))
    assert condition(said(source=signed), "Verified") == ("True", "Signed")
    assert condition(said(source=signed, state="VerifyFailed", message="no key"), "Verified") == (
        "False",
        "VerifyFailed",
    )
    assert condition(said(source=signed, snapshot=None), "Verified") == ("Unknown", "Pending")


def test_a_source_that_cannot_be_followed_for_long_is_stale() -> None:
    assert condition(said(state="Stale", stale=True, staleSince="2026-11-22T03:00:00Z"), "Stale") == ("True", "Stale")


def test_an_object_that_cannot_be_used_says_so_and_still_what_is_enforced() -> None:
    fault = Fault("Invalid", "spec.url: must be a URL [SS1000]")
    status = whole({}, 4, *source_status(Facts(SHOP, ROW, ENFORCED, 7), fault), NOW)
    assert (condition(status, "Ready"), status["commit"]) == (("False", "Invalid"), COMMIT)
    assert reason_of(status) == "Invalid"
    policy = whole({}, 4, *policy_status(0, fault), NOW)
    assert condition(policy, "Ready") == ("False", "Invalid")


def test_a_condition_keeps_the_time_since_when_it_has_its_status() -> None:
    ready, failed = Condition("Ready", "True", "Enforced", "a"), Condition("Ready", "False", "FetchFailed", "b")
    first = whole({}, 1, {}, [ready], NOW)
    same = whole(first, 2, {}, [Condition("Ready", "True", "Watched", "c")], NOW + 60)
    other = whole(same, 2, {}, [failed], NOW + 120)
    times = [one["conditions"][0]["lastTransitionTime"] for one in (first, same, other)]
    assert times[0] == times[1] != times[2]
    assert same["conditions"][0]["observedGeneration"] == 2


@pytest.mark.parametrize("before", [{"conditions": None}, {"conditions": [5]}, {"conditions": [{"type": "Ready"}]}])
def test_a_status_that_somebody_else_wrote_is_no_trouble(before: dict[str, Any]) -> None:
    assert whole(before, 1, {}, [Condition("Ready", "True", "Enforced", "a")], NOW)["conditions"][0][
        "lastTransitionTime"
    ]
    assert reason_of(before) == ""


def test_what_is_said_fits_into_its_definition() -> None:
    status = said(
        source=GitSource("shop", SHOP.url, verify=Verification("HEAD")), message="x" * 5000, state="FetchFailed"
    )
    made = tool("generate_crds")
    schema = made.definition("GitSource")["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    assert set(status) <= set(schema["properties"])
    assert {status["mode"]} | {"Enforced", "Watched", "New", "Held", "Suspended"} == set(
        schema["properties"]["mode"]["enum"]
    )
    assert all(len(one["message"]) <= 1024 for one in status["conditions"])
