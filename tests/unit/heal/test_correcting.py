"""One try at one object: what is written for each kind of drift, and what never is."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from reconciler.errors import UnreachableError
from reconciler.loop.correcting import Healer, Outcome
from tests.support.fake_api import refused
from tests.support.fake_objects import FakeObjects
from tests.unit.heal.conftest import Declare, Declared

APPLY, PATCH = "application/apply-patch+yaml", "application/json-patch+json"
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "web:1", env: [{name: MODE, value: production}]}
"""
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: shop}
stringData: {password: planted-5e1f}
data: {user: ZGI=}
"""
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, namespace: shop}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "a:1"}]}}}
"""
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\ndata: {mode: a, size: '1'}\n"


def cluster(one: Declared, live: dict[str, Any] | None, **options: Any) -> FakeObjects:
    return FakeObjects(live, one.entry.object.types, **options)


def tried(one: Declared, api: FakeObjects, *, rendered: bool = True) -> Outcome:
    return Healer(api, api).correct(one.entry, one.rendered if rendered else None, one.snapshot)  # type: ignore[arg-type]


def container(tree: Any) -> dict[str, Any]:
    found: dict[str, Any] = tree["spec"]["template"]["spec"]["containers"][0]
    return found


# What is written


def test_a_changed_field_is_applied_alone_so_that_other_managers_keep_theirs(declare: Declare) -> None:
    one = declare(WEB)
    live = one.live
    container(live)["image"] = "evil:1"
    api = cluster(one, live)
    assert tried(one, api).done
    asked, real = api.written
    assert (asked.dry, asked.body) == (True, real.body)
    assert real.content_type == APPLY
    assert real.query == {"fieldManager": "setscrew", "force": True}
    assert real.body["spec"] == {"template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}}
    assert container(api.live) == container(one.live)


def test_an_extra_goes_whole_and_only_from_the_object_that_was_read(declare: Declare) -> None:
    one = declare(WEB)
    live = one.live
    live["spec"]["template"]["spec"]["containers"].append({"name": "spy", "image": "spy:1", "args": ["a"]})
    api = cluster(one, live)
    read = api.live and api.live["metadata"]["resourceVersion"]
    assert tried(one, api).done
    (real,) = api.real
    assert real.content_type == PATCH
    assert real.body == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": read},
        {"op": "remove", "path": "/spec/template/spec/containers/1"},
    ]


def test_what_goes_and_what_comes_are_one_write(declare: Declare) -> None:
    """One rollout instead of two; and of a union with two members either half is refused."""
    one = declare(WEB)
    live = one.live
    container(live)["env"] = [{"name": "MODE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    api = cluster(one, live)
    assert tried(one, api).done
    assert [write.content_type for write in api.real] == [PATCH]
    assert container(api.live)["env"] == [{"name": "MODE", "value": "production"}]


def test_what_an_earlier_correction_holds_is_said_again_with_the_value_that_is_there(declare: Declare) -> None:
    """Left out, the API server would drop it; with Git's value, an autoscaler of today would be undone."""
    one = declare(WEB)
    live = one.live
    live["spec"]["replicas"] = 7
    container(live)["image"] = "evil:1"
    ours: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    live["metadata"]["managedFields"] = [
        {"manager": "setscrew", "operation": "Apply", "fieldsV1": ours},
        {"manager": "setscrew", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {}}}},
        {"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:metadata": {}}},
    ]
    api = cluster(one, live)
    assert tried(one, api).done
    assert api.real[0].body["spec"]["replicas"] == 7
    assert "labels" not in api.real[0].body["metadata"]


def test_an_object_that_is_gone_is_made_as_a_client_makes_it(declare: Declare) -> None:
    one = declare(WEB, form={"confidence": "offline"})
    api = cluster(one, None)
    assert tried(one, api).done
    assert [(write.method, write.dry) for write in api.written] == [("POST", True), ("POST", False)]
    assert api.real[0].body == one.rendered.tree


@pytest.mark.parametrize("more", [{}, {"more": "eA=="}], ids=["a-value", "a-value-and-an-extra"])
def test_a_secret_gets_what_was_rendered_and_nothing_that_is_kept_of_it(declare: Declare, more: dict[str, str]) -> None:
    """By a patch: what an apply says again would be values that nobody has rendered."""
    one = declare(SECRET)
    live = {**one.live, "data": {"user": "ZGI=", "password": "d3Jvbmc=", **more}}
    del live["stringData"]
    api = cluster(one, live)
    outcome = tried(one, api)
    assert outcome.done
    password = base64.b64encode(b"planted-5e1f").decode()
    assert api.live
    assert api.live["data"] == {"user": "ZGI=", "password": password}
    assert [write.content_type for write in api.real] == [PATCH]
    assert password not in repr(outcome)
    assert "hmac" not in str(api.written)


def test_what_is_as_git_says_by_now_is_not_written(declare: Declare) -> None:
    one = declare(WEB)
    api = cluster(one, one.live)
    assert tried(one, api) == Outcome()
    assert api.written == []


# What is never written


def test_an_immutable_field_fails_with_where_and_why(declare: Declare) -> None:
    one = declare(WEB)
    live = one.live
    live["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    no = refused(422, 'spec.selector: Invalid value: {"app":"web"}: field is immutable', "Invalid", ("spec.selector",))
    api = cluster(one, live, judge=lambda _was, _now: no)
    assert tried(one, api) == Outcome(failed="Invalid at spec.selector: field is immutable")
    assert api.real == []
    assert api.live is not None


def test_a_refused_secret_is_told_without_its_values(declare: Declare) -> None:
    one = declare(SECRET)
    live = {**one.live, "data": {"user": "ZGI=", "password": "d3Jvbmc="}}
    del live["stringData"]
    no = refused(422, 'data: Invalid value: "planted-5e1f"', "Invalid", ("data[password]",))
    outcome = tried(one, cluster(one, live, judge=lambda _was, _now: no))
    assert outcome == Outcome(failed="Invalid at data[password]: Invalid value")


def test_what_the_api_server_quotes_of_an_object_is_not_repeated(declare: Declare) -> None:
    """Of what is immutable it prints the whole, environment included."""
    one = declare(JOB)
    live = one.live
    container(live)["image"] = "a:2"
    quoted = 'core.PodTemplateSpec{Spec:core.PodSpec{Env:[]core.EnvVar{Name:"PASSWORD", Value:"planted-5e1f"}}}'
    message = f'Job.batch "migrate" is invalid: spec.template: Invalid value: {quoted}: field is immutable'
    no = refused(422, message, "Invalid", ("spec.template",))
    outcome = tried(one, cluster(one, live, judge=lambda _was, _now: no))
    assert outcome == Outcome(failed="Invalid at spec.template: field is immutable")


def test_what_would_still_differ_afterwards_is_not_written(declare: Declare) -> None:
    """A mutator that puts its value back would else be fought for ever."""
    one = declare(MAP)

    class Mutating(FakeObjects):
        def request(self, method: str, path: str, body: Any = None, query: Any = None, **more: Any) -> Any:
            answer = super().request(method, path, body, query, **more)
            return {**answer, "data": {**answer["data"], "mode": "mutated"}}

    api = Mutating({**one.live, "data": {"mode": "b", "size": "1"}}, one.entry.object.types)
    assert tried(one, api) == Outcome(failed="it would still differ from Git: data.mode")
    assert api.real == []


def test_a_write_in_between_is_read_and_what_was_planned_is_dropped(declare: Declare) -> None:
    one = declare(MAP)
    others = iter([{**one.live, "data": {"mode": "b", "size": "2"}}])

    def meanwhile(api: FakeObjects) -> None:
        if (other := next(others, None)) is not None:
            api.put(other)

    api = cluster(one, {**one.live, "data": {"mode": "b", "size": "1"}}, meanwhile=meanwhile)
    assert tried(one, api).done
    assert api.live
    assert api.live["data"] == {"mode": "a", "size": "1"}
    assert len(api.real) == 1


def test_what_is_deleted_between_question_and_write_is_made_whole_and_never_a_part_of_it(declare: Declare) -> None:
    """Apply makes what is not there: of its body, which is only what differed."""
    one = declare(MAP)

    class Deleted(FakeObjects):
        def request(self, method: str, path: str, body: Any = None, query: Any = None, **more: Any) -> Any:
            answer = super().request(method, path, body, query, **more)
            if len(self.written) == 1 and self.written[0].dry:
                self.put(None)
            return answer

    api = Deleted({**one.live, "data": {"mode": "b", "size": "1"}}, one.entry.object.types)
    assert tried(one, api).done
    assert [(write.method, write.dry) for write in api.written] == [("PATCH", True), ("POST", True), ("POST", False)]
    assert api.live
    assert api.live["data"] == {"mode": "a", "size": "1"}


def test_whoever_writes_all_the_time_is_not_chased(declare: Declare) -> None:
    one = declare(MAP)
    drifted = {**one.live, "data": {"mode": "b", "size": "1"}}
    api = cluster(one, drifted, meanwhile=lambda api: api.put(drifted))
    assert "faster" in tried(one, api).failed
    assert api.real == []


@pytest.mark.parametrize(
    ("text", "options", "live", "why"),
    [
        pytest.param(JOB, {}, None, "it runs once", id="a-finished-job-is-not-run-again"),
        pytest.param(MAP, {"fragment": True}, None, "only a part", id="a-fragment-is-not-made"),
        pytest.param(
            MAP, {"form": {"confidence": "offline", "reason": "Value: x"}}, {"mode": "b"}, "confirmed", id="offline"
        ),
    ],
)
def test_what_nobody_may_put_back_is_left_alone(
    declare: Declare, text: str, options: dict[str, Any], live: dict[str, str] | None, why: str
) -> None:
    one = declare(text, **options)
    api = cluster(one, None if live is None else {**one.live, "data": live})
    assert why in tried(one, api).barred
    assert api.written == []


def test_an_object_that_is_being_deleted_is_left_alone(declare: Declare) -> None:
    one = declare(MAP)
    live = {**one.live, "data": {"mode": "b"}}
    live["metadata"]["deletionTimestamp"] = "2026-11-22T04:30:00Z"
    api = cluster(one, live)
    assert tried(one, api) == Outcome(barred="it is being deleted")


@pytest.mark.parametrize("live", [None, {"user": "ZGI="}], ids=["the-object", "the-value"])
def test_a_value_that_is_another_at_each_render_is_never_made(declare: Declare, live: dict[str, str] | None) -> None:
    one = declare(SECRET, generated=("/stringData/password",))
    tree = None if live is None else {**one.live, "data": live}
    if tree is not None:
        del tree["stringData"]
    api = cluster(one, tree)
    assert "makes anew each time" in tried(one, api).failed
    assert api.written == []


@pytest.mark.parametrize("live", [None, {"user": "ZGI="}], ids=["the-object", "the-value"])
def test_after_a_restart_a_value_waits_until_git_is_rendered(declare: Declare, live: dict[str, str] | None) -> None:
    one = declare(SECRET)
    tree = None if live is None else {**one.live, "data": live}
    if tree is not None:
        del tree["stringData"]
    assert "rendered" in tried(one, cluster(one, tree), rendered=False).failed


def test_what_a_policy_leaves_to_others_is_not_touched(declare: Declare) -> None:
    one = declare(MAP, undeclared="Allow")
    api = cluster(one, {**one.live, "data": {"mode": "a", "size": "1", "more": "x"}})
    assert tried(one, api) == Outcome()


def test_replicas_that_git_leaves_to_an_autoscaler_stay_when_something_else_is_put_back(declare: Declare) -> None:
    one = declare(WEB)
    live = one.live
    live["spec"]["replicas"] = 5
    container(live)["image"] = "evil:1"
    api = cluster(one, live)
    assert tried(one, api).done
    assert api.live
    assert api.live["spec"]["replicas"] == 5


def test_an_api_server_that_does_not_answer_is_an_error_and_no_outcome(declare: Declare) -> None:
    one = declare(MAP)

    def silent(_was: Any, _now: Any) -> Any:
        raise UnreachableError("no answer in time")

    with pytest.raises(UnreachableError):
        tried(one, cluster(one, None, judge=silent))


def test_a_list_that_is_one_value_is_put_back_whole(declare: Declare) -> None:
    one = declare(WEB.replace('image: "web:1"', 'image: "web:1", args: [a, b]'))
    live = one.live
    container(live)["args"] = ["a", "c"]
    api = cluster(one, live)
    assert tried(one, api).done
    assert container(api.live)["args"] == ["a", "b"]
