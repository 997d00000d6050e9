"""Holds which way each object is tried, in which order, and what is tried again."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.cluster.dryrun import CopyRefusedError, DryRunner
from reconciler.cluster.pace import Pace
from reconciler.errors import ApiError, UnreachableError
from reconciler.limits import DRY_RUN_TRIES
from reconciler.model.ref import KindInfo
from tests.support.fake_api import Call, FakeApi, refused

DEPLOYMENT = KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True)
SERVICE = KindInfo("", "v1", "Service", "services", namespaced=True)
NAMESPACE = KindInfo("", "v1", "Namespace", "namespaces", namespaced=False)
BODY = {"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"a": 1}}
LIVE = {"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "7"}, "spec": {"a": 2}}


class Rests(list[float]):
    """Waits that were asked for; time stands still."""

    def pace(self) -> Pace:
        return Pace(1e9, clock=lambda: 0.0, sleep=self.append)


def runner(api: FakeApi, rests: Rests | None = None) -> DryRunner:
    return DryRunner(api, (rests if rests is not None else Rests()).pace(), token=lambda: "s12345")  # type: ignore[arg-type]


def echo(call: Call) -> Any:
    return call.body


def test_an_absent_object_is_posted_under_its_own_name() -> None:
    api = FakeApi(echo)
    answer = runner(api).run(DEPLOYMENT, BODY, None)
    assert (answer.via, answer.tree["metadata"]["name"]) == ("post", "web")
    assert [call.path for call in api.calls] == ["/apis/apps/v1/namespaces/shop/deployments"]


def test_an_object_that_a_sync_makes_at_this_very_moment_is_put_at_once() -> None:
    def answer(call: Call) -> Any:
        if call.method == "POST":
            raise refused(409, 'deployments.apps "web" already exists')
        return LIVE if call.method == "GET" else call.body

    api = FakeApi(answer)
    assert runner(api).run(DEPLOYMENT, BODY, None).via == "put"
    assert [call.method for call in api.calls] == ["POST", "GET", "PUT"]


def test_every_write_is_a_dry_run_that_tells_of_unknown_fields() -> None:
    api = FakeApi(echo)
    runner(api).run(DEPLOYMENT, BODY, None)
    runner(api).run(DEPLOYMENT, BODY, LIVE)
    wanted = {"dryRun": "All", "fieldValidation": "Warn", "fieldManager": "setscrew-canon"}
    assert [call.query for call in api.calls] == [wanted, wanted]


def test_a_live_object_is_put_with_its_resource_version_and_nothing_else_of_it() -> None:
    api = FakeApi(echo)
    answer = runner(api).run(DEPLOYMENT, BODY, LIVE)
    assert answer.via == "put"
    assert api.calls[0].body["metadata"]["resourceVersion"] == "7"
    assert api.calls[0].body["spec"] == {"a": 1}


def test_a_put_that_lost_a_race_is_repeated_with_the_fresh_version() -> None:
    def handler(call: Call) -> Any:
        if call.method == "GET":
            return {"metadata": {"resourceVersion": "8"}}
        if call.body["metadata"]["resourceVersion"] == "7":
            raise refused(409, reason="Conflict")
        return call.body

    api = FakeApi(handler)
    assert runner(api).run(DEPLOYMENT, BODY, LIVE).via == "put"
    assert api.sent == ["PUT web", "GET web", "PUT web"]


@pytest.mark.parametrize("status", [403, 405, 422])
def test_a_refused_put_is_followed_by_a_copy_with_the_name_put_back(status: int) -> None:
    def handler(call: Call) -> Any:
        if call.method == "PUT":
            raise refused(status)
        return {**call.body, "labels": {"job": call.body["metadata"]["name"]}}

    api = FakeApi(handler)
    answer = runner(api).run(DEPLOYMENT, BODY, LIVE)
    assert answer.via == "scratch"
    assert api.calls[1].body["metadata"]["name"] == "web-s12345"
    assert (answer.tree["metadata"]["name"], answer.tree["labels"]) == ("web", {"job": "web"})


def test_a_put_that_no_copy_could_mend_is_not_followed_by_one() -> None:
    def handler(_: Call) -> Any:
        raise refused(400)

    api = FakeApi(handler)
    with pytest.raises(ApiError):
        runner(api).run(DEPLOYMENT, BODY, LIVE)
    assert api.sent == ["PUT web"]


def test_where_a_rule_forbids_the_copys_name_the_puts_own_refusal_is_told() -> None:
    def handler(call: Call) -> Any:
        fields = ("spec.selector",) if call.method == "PUT" else ("metadata.name",)
        raise refused(422, call.method, "Invalid", fields)

    with pytest.raises(ApiError, match="PUT"):
        runner(FakeApi(handler)).run(DEPLOYMENT, BODY, LIVE)


def test_otherwise_the_copys_refusal_is_told_because_it_says_more() -> None:
    def handler(call: Call) -> Any:
        raise refused(422 if call.method == "PUT" else 403, call.method)

    with pytest.raises(CopyRefusedError, match="POST"):
        runner(FakeApi(handler)).run(DEPLOYMENT, BODY, LIVE)


def test_a_refused_copy_is_told_under_the_objects_own_name() -> None:
    def handler(call: Call) -> Any:
        raise refused(422 if call.method == "PUT" else 403, f"no {call.body['metadata']['name']}")

    with pytest.raises(CopyRefusedError, match=r"^no web \["):
        runner(FakeApi(handler)).run(DEPLOYMENT, BODY, LIVE)


def test_a_service_is_copied_at_once_and_its_pins_come_back() -> None:
    body = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": [{"port": 80, "nodePort": 30080}]}}
    api = FakeApi(echo)
    answer = runner(api).run(SERVICE, body, LIVE)
    assert api.sent == ["POST services"]
    assert api.calls[0].body["spec"] == {"ports": [{"port": 80}]}
    assert answer.tree["spec"] == body["spec"]


def test_a_pin_that_another_service_holds_does_not_cost_the_form() -> None:
    body = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"clusterIP": "10.0.0.9"}}

    def handler(call: Call) -> Any:
        if "clusterIP" in call.body["spec"]:
            raise refused(422, "provided IP is already allocated")
        return {**call.body, "spec": {"clusterIP": "10.0.0.1"}}

    answer = runner(FakeApi(handler)).run(SERVICE, body, None)
    assert (answer.via, answer.tree["spec"]["clusterIP"]) == ("post", "10.0.0.9")


def test_a_kind_whose_name_is_its_meaning_is_never_copied() -> None:
    def handler(_: Call) -> Any:
        raise refused(422)

    api = FakeApi(handler)
    with pytest.raises(ApiError):
        runner(api).run(NAMESPACE, {"metadata": {"name": "shop"}}, {"metadata": {"resourceVersion": "1"}})
    assert api.sent == ["PUT shop"]


def test_an_object_that_is_being_deleted_is_copied() -> None:
    api = FakeApi(echo)
    going = {"metadata": {**LIVE["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert runner(api).run(DEPLOYMENT, BODY, going).via == "scratch"


def test_a_busy_server_is_asked_again_after_growing_waits() -> None:
    answers = iter([refused(503), refused(500), UnreachableError("gone"), BODY])

    def handler(_: Call) -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    rests = Rests()
    runner(FakeApi(handler), rests).run(DEPLOYMENT, BODY, None)
    assert [round(rest, 3) for rest in rests if rest > 0.1] == [0.25, 0.5, 1.0]


def test_a_webhook_that_fails_is_not_asked_again() -> None:
    def handler(_: Call) -> Any:
        raise refused(500, 'failed calling webhook "w"')

    api = FakeApi(handler)
    with pytest.raises(ApiError):
        runner(api).run(DEPLOYMENT, BODY, None)
    assert len(api.calls) == 1


def test_a_server_that_stays_away_ends_in_an_error() -> None:
    def handler(_: Call) -> Any:
        raise UnreachableError("gone")

    api = FakeApi(handler)
    with pytest.raises(UnreachableError):
        runner(api).run(DEPLOYMENT, BODY, None)
    assert len(api.calls) == DRY_RUN_TRIES


def test_names_cannot_leave_their_place_in_the_url() -> None:
    api = FakeApi(lambda _: {})
    runner(api).live(DEPLOYMENT, "shop", "../../secrets/x?a=b")
    runner(api).live(NAMESPACE, "", "..")
    assert [call.path for call in api.calls] == [
        "/apis/apps/v1/namespaces/shop/deployments/..%2F..%2Fsecrets%2Fx%3Fa%3Db",
        "/api/v1/namespaces/%2E%2E",
    ]
