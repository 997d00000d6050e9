"""Tokens of causes: they change when what a dry-run waits for changes, and not by what the server writes meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.cluster.causes import read_causes
from reconciler.model.ref import KindInfo
from tests.support.fake_api import Call, FakeApi, refused

WIDGET = KindInfo("example.com", "v1", "Widget", "widgets", namespaced=True)


def token(cause: str, *answers: Any, kinds: Any = None) -> str | None:
    """The token where every request is answered with the last of `answers`, the first of them first."""
    rest = list(answers)

    def handler(_: Call) -> Any:
        answer = rest.pop(0) if len(rest) > 1 else rest[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return read_causes(FakeApi(handler), kinds or {}, [cause]).get(cause)  # type: ignore[arg-type]


def item(name: str, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "uid": "1", "resourceVersion": "1", "generation": 1} | more.pop("metadata", {})
    return {"metadata": metadata, **more}


NAMESPACE = item("shop")
FULL, WIDER = (
    {"items": [item("full", spec={"hard": {"pods": n}}, status={"used": {"pods": "1"}})]} for n in ("1", "2")
)
FREED = {"items": [item("full", spec={"hard": {"pods": "1"}}, status={"used": {"pods": "0"}})]}
ROLE, WIDER_ROLE = ({"items": [item("role", metadata={"resourceVersion": n})]} for n in ("1", "2"))
HOOK, OTHER_HOOK = ({"items": [item("hook", metadata={"generation": n})]} for n in (1, 2))

CASES = [
    ("namespace:shop", refused(404), NAMESPACE),
    ("namespace:shop", item("shop", metadata={"deletionTimestamp": "now"}), NAMESPACE),
    ("quota:shop", FULL, WIDER),
    ("quota:shop", FULL, FREED),
    ("limits:shop", FULL, WIDER),
    ("right", ROLE, WIDER_ROLE),
    ("policy", HOOK, OTHER_HOOK),
    ("webhook", HOOK, {"items": []}),
    ("name", HOOK, {"items": []}),
]


@pytest.mark.parametrize(("cause", "before", "after"), CASES, ids=[f"{n} {case[0]}" for n, case in enumerate(CASES)])
def test_a_token_changes_with_its_cause(cause: str, before: Any, after: Any) -> None:
    assert token(cause, before) == token(cause, before)
    assert token(cause, before) != token(cause, after)


def test_a_kind_that_is_served_now_changes_its_token() -> None:
    served = {("example.com", "v1", "Widget"): WIDGET}
    assert token("kind:example.com/Widget", {}) != token("kind:example.com/Widget", {}, kinds=served)


def test_the_status_that_the_server_writes_into_a_policy_is_no_change() -> None:
    later = {"items": [item("hook", metadata={"resourceVersion": "9"})]}
    assert token("policy", HOOK) == token("policy", later)


def test_what_only_time_ends_and_what_cannot_be_read_has_no_token() -> None:
    assert token("server", {}) is None
    assert token("conflict", {}) is None
    assert token("quota:shop", refused(403)) is None


def test_a_namespace_from_git_stays_one_segment_of_the_path() -> None:
    api = FakeApi(lambda _: NAMESPACE)
    read_causes(api, {}, ["namespace:../secrets"])  # type: ignore[arg-type]
    assert [call.path for call in api.calls] == ["/api/v1/namespaces/..%2Fsecrets"]
