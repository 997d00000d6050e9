"""A push is proven before it is read, is only a hint, and never ends in a trace."""

from __future__ import annotations

import hmac
import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reconciler.errors import StoreError
from reconciler.store.sources import SourceStatus, save_source
from reconciler.store.state import State, hurried, open_state, sqlite_url
from setscrew import delivering
from setscrew.delivering import delivery
from setscrew.serve_api import make_app
from setscrew.stored_state import StoredState
from tests.unit.api.conftest import NOW, PUSH, SECRET, Asked
from webhook.api.app import create_api_app
from webhook.api.bucket import Bucket
from webhook.api.configuration import Receiver, Secret, parse_receivers
from webhook.api.ports import ApiSettings
from webhook.api.providers import PROVIDERS

Push = Callable[..., TestResponse]
MAIN = delivering.Push("https://git.example.com/Shop.git", "refs/heads/main", "a" * 40, "d1", int(NOW.timestamp()))
REPO = PUSH["repository"]


def test_a_push_to_a_watched_ref_refreshes_its_source(filled: State, push: Push, asked: Asked) -> None:
    answer = push()
    assert answer.status_code == 202
    assert answer.json == {"status": "accepted", "delivery": "d1", "sources": ["shop"]}
    assert asked.sources == ["shop"]


def test_the_form_content_type_of_github_is_taken(filled: State, push: Push, asked: Asked) -> None:
    body = urlencode({"payload": json.dumps(PUSH)}).encode()
    assert push(body, Content_Type="application/x-www-form-urlencoded").status_code == 202
    assert asked.sources == ["shop"]


def test_a_repeated_delivery_is_a_duplicate_and_asks_nothing(filled: State, push: Push, asked: Asked) -> None:
    push()
    again = push()
    assert (again.status_code, again.json["status"]) == (200, "duplicate")
    assert asked.sources == ["shop"]
    assert push(X_GitHub_Delivery="d2").status_code == 202


def test_a_delivery_that_could_not_be_passed_on_is_no_duplicate_later(filled: State, push: Push, asked: Asked) -> None:
    asked.error = ConnectionRefusedError()
    answer = push()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    asked.error = None
    assert push().status_code == 202


def test_a_delivery_that_the_store_has_no_time_for_is_accepted_all_the_same(
    filled: State, push: Push, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise StoreError("the state store failed: database is locked")

    monkeypatch.setattr(StoredState, "note", busy)
    assert push().status_code == 202
    assert asked.sources == ["shop"]


def test_a_write_of_another_process_does_not_make_an_answer_late(filled: State, tmp_path: Path, asked: Asked) -> None:
    state = hurried(open_state(sqlite_url(tmp_path / "state.db")), 0.05)
    receivers = {"gh": Receiver("gh", "github", ("shop",), (Secret(SECRET),))}
    settings = ApiSettings(token=b"swordfish", now=lambda: NOW, receivers=lambda: receivers)
    client = create_api_app(StoredState(state), settings, asked).test_client()
    headers, body = delivery("github", SECRET, MAIN)
    with filled.write():
        assert client.post("/hooks/v1/gh", data=body, headers=headers).status_code == 202
    assert client.post("/hooks/v1/gh", data=body, headers=headers).status_code == 202
    assert client.post("/hooks/v1/gh", data=body, headers=headers).json["status"] == "duplicate"
    state.close()


@pytest.mark.parametrize(
    ("events", "ref", "after", "status"),
    [
        (["push"], "refs/heads/main", "a" * 40, "accepted"),
        (["tag"], "refs/heads/main", "a" * 40, "ignored"),
        (["push"], "refs/heads/main", "0" * 40, "ignored"),
        (["delete"], "refs/heads/main", "0" * 40, "accepted"),
        (["tag"], "refs/tags/v1", "a" * 40, "accepted"),
        (["push", "delete", "ping"], "refs/tags/v1", "a" * 40, "ignored"),
    ],
)
def test_a_receiver_takes_the_events_that_it_names(
    filled: State, asked: Asked, events: list[str], ref: str, after: str, status: str
) -> None:
    save_source(filled, SourceStatus("tags", "Ready", "https://git.example.com/Shop", "refs/tags/*"), "t")
    receivers = {"gh": Receiver("gh", "github", ("*",), (Secret(SECRET),), tuple(events))}
    settings = ApiSettings(token=b"swordfish", now=lambda: NOW, receivers=lambda: receivers)
    headers, body = delivery("github", SECRET, replace(MAIN, ref=ref, after=after))
    answer = (
        create_api_app(StoredState(filled), settings, asked)
        .test_client()
        .post("/hooks/v1/gh", data=body, headers=headers)
    )
    assert answer.json["status"] == status
    assert bool(asked.sources) is (status == "accepted")


def test_an_unknown_name_costs_as_many_digests_as_a_known_one(
    filled: State, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests: list[int] = []
    digest = hmac.digest
    monkeypatch.setattr(hmac, "digest", lambda key, text, kind: digests.append(len(text)) or digest(key, text, kind))
    for provider in PROVIDERS:
        receivers = {"one": Receiver("one", provider, ("*",), (Secret(SECRET), Secret(b"hooks:" + SECRET)))}
        settings = ApiSettings(token=b"swordfish", now=lambda: NOW, receivers=lambda: receivers)  # noqa: B023
        client = create_api_app(StoredState(filled), settings, asked).test_client()
        counted = []
        for name in ("one", "other"):
            digests.clear()
            assert client.post(f"/hooks/v1/{name}", json={"ref": 1}).status_code in {401, 404}
            counted.append(list(digests))
        assert counted[0] == counted[1] != []


def test_many_sources_are_asked_for_within_the_time_of_an_answer(filled: State, asked: Asked) -> None:
    for number in range(200):
        save_source(filled, SourceStatus(f"s{number}", "Ready", "https://git.example.com/Shop", "HEAD"), "t")
    slow: list[str] = []

    def refresh(name: str) -> None:
        slow.append(name)
        time.sleep(0.02)

    receivers = {"gh": Receiver("gh", "github", ("*",), (Secret(SECRET),))}
    settings = ApiSettings(token=b"swordfish", now=lambda: NOW, receivers=lambda: receivers)
    headers, body = delivery("github", SECRET, MAIN)
    client = create_api_app(StoredState(filled), settings, refresh).test_client()
    assert client.post("/hooks/v1/gh", data=body, headers=headers).status_code == 503
    assert len(slow) < 200


@pytest.mark.parametrize(
    ("ref", "status"),
    [("refs/heads/main", "accepted"), ("refs/heads/other", "ignored"), ("refs/tags/main", "ignored")],
)
def test_only_the_full_name_of_the_watched_ref_counts(filled: State, push: Push, ref: str, status: str) -> None:
    assert push(PUSH | {"ref": ref}).json["status"] == status


def test_a_push_to_another_repository_is_ignored(filled: State, push: Push, asked: Asked) -> None:
    answer = push(PUSH | {"repository": {"clone_url": "https://git.example.com/shop.git"}})
    assert (answer.status_code, answer.json["status"]) == (200, "ignored")
    assert asked.sources == []


def test_a_push_to_a_repository_that_a_source_reads_beside_its_own_refreshes_it(
    filled: State, push: Push, asked: Asked
) -> None:
    values = ("https://git.example.com/values", "refs/heads/main")
    save_source(filled, SourceStatus("shop", "Ready", "https://git.example.com/charts", beside=(values,)), "t")
    pushed = PUSH | {"repository": {"clone_url": "https://git.example.com/values.git"}}
    assert push(pushed).json["sources"] == ["shop"]
    assert push(pushed | {"ref": "refs/heads/next"}, X_GitHub_Delivery="d2").json["status"] == "ignored"
    assert asked.sources == ["shop"]


def test_a_receiver_refreshes_only_its_own_sources(filled: State, push: Push, asked: Asked) -> None:
    save_source(filled, SourceStatus("twin", "Ready", "https://git.example.com/Shop", "refs/heads/main"), "t")
    assert push().json["sources"] == ["shop"]


@pytest.mark.parametrize("deleted", [{"after": "0" * 40}, {"after": "0" * 64}, {"deleted": True}])
def test_a_deleted_ref_is_looked_at_like_any_push(filled: State, push: Push, asked: Asked, deleted: Any) -> None:
    assert push(PUSH | deleted).status_code == 202
    assert asked.sources == ["shop"]


def test_ping_and_other_events_are_fine_and_do_nothing(filled: State, push: Push, asked: Asked) -> None:
    assert push({}, X_GitHub_Event="ping").json["status"] == "pong"
    answer = push({"anything": 1}, X_GitHub_Event="issues")
    assert (answer.status_code, answer.json["status"]) == (200, "ignored")
    assert asked.sources == []


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Hub_Signature_256": ""},
        {"X_Hub_Signature_256": "sha256="},
        {"X_Hub_Signature_256": "sha256=" + "0" * 64},
        {"X_Hub_Signature_256": "0" * 64},
        {"X_Hub_Signature_256": "ünïcödé"},
        {"X_Hub_Signature_256": "", "X_Hub_Signature": "sha1=" + "0" * 40},
        {"X_Hub_Signature_256": "", "X_Gitlab_Token": "0123456789abcdef0123"},
        {"X_Hub_Signature_256": "", "X_Gitea_Signature": "0" * 64},
    ],
)
def test_a_missing_or_wrong_proof_is_401_whatever_else_is_there(
    filled: State, push: Push, asked: Asked, headers: dict[str, str]
) -> None:
    assert push(**headers).status_code == 401
    assert asked.sources == []


@pytest.mark.parametrize("secret", [b"", b"0123456789abcdef0124", b"0123456789abcdef0123\n"])
def test_another_secret_proves_nothing(filled: State, push: Push, secret: bytes) -> None:
    assert push(secret=secret).status_code == 401


def test_an_unknown_receiver_says_the_same_as_a_wrong_proof(push: Push) -> None:
    unknown, wrong = push(name="nope"), push(X_Hub_Signature_256="sha256=" + "0" * 64)
    assert (unknown.status_code, wrong.status_code) == (404, 401)
    assert unknown.data == wrong.data
    assert dict(unknown.headers) == dict(wrong.headers)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 9_000,
        b'{"a":' * 1_800,
        {},
        PUSH | {"repository": None},
        PUSH | {"repository": []},
        PUSH | {"repository": {}},
        PUSH | {"repository": {"clone_url": None, "ssh_url": 3}},
        PUSH | {"ref": None},
        PUSH | {"ref": "main"},
        PUSH | {"ref": "refs/heads/a b"},
        PUSH | {"ref": "refs/heads/../../etc"},
        PUSH | {"ref": "refs/heads/x.lock"},
        PUSH | {"ref": "refs/heads/" + "x" * 300},
        PUSH | {"ref": "refs/heads/\ud800"},
        PUSH | {"after": None},
        PUSH | {"after": "a" * 39},
        PUSH | {"after": "A" * 40},
        PUSH | {"after": ["a" * 40]},
        {"repository": REPO, "ref": "refs/heads/main"},
    ],
)
def test_a_proven_push_of_another_shape_is_400(filled: State, push: Push, asked: Asked, payload: Any) -> None:
    answer = push(payload)
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert asked.sources == []


@pytest.mark.parametrize("body", [b"payload=", b"other=1", b"payload=%7B", b"payload", b"&".join([b"a=1"] * 20)])
def test_a_proven_form_of_another_shape_is_400(filled: State, push: Push, body: bytes) -> None:
    assert push(body, Content_Type="application/x-www-form-urlencoded").status_code == 400


@pytest.mark.parametrize("content_type", ["text/plain", "", "multipart/form-data; boundary=x", "application/jsonx"])
def test_other_content_types_are_415(push: Push, content_type: str) -> None:
    assert push(Content_Type=content_type).status_code == 415


def test_a_compressed_body_is_415(push: Push) -> None:
    assert push(Content_Encoding="gzip").status_code == 415


def test_a_body_is_refused_by_its_announced_length_before_it_is_read(client: FlaskClient) -> None:
    class Untouchable(io.BytesIO):
        def read(self, *_sizes: Any) -> bytes:
            raise AssertionError("the body was read")

    answer = client.post(
        "/hooks/v1/gh",
        environ_overrides={"wsgi.input": Untouchable(), "CONTENT_LENGTH": str(10**9)},
        content_type="application/json",
    )
    assert answer.status_code == 413


def test_a_body_without_a_length_is_counted_while_it_is_read(client: FlaskClient) -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            self.given += max(size, 1)
            assert self.given < 40_000_000
            return b"x" * max(size, 1)

    answer = client.post(
        "/hooks/v1/gh",
        environ_overrides={"wsgi.input": Endless(), "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True},
        content_type="application/json",
    )
    assert answer.status_code == 413


def test_the_largest_body_that_a_receiver_asks_for_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", SECRET.decode())
    spec = {"provider": "github", "secretEnv": "HOOK", "sources": ["*"]}
    listed = [
        {"kind": "Receiver", "metadata": {"name": name}, "spec": spec | more}
        for name, more in (("small", {}), ("large", {"bodyMiB": 6}))
    ]
    client = make_app(tmp_path, b"swordfish", parse_receivers(listed)).test_client()
    for size, status in ((6, 401), (7, 413)):
        body = b" " * (size * 1024 * 1024)
        assert client.post("/hooks/v1/small", data=body, content_type="application/json").status_code == status


def test_a_body_that_ends_early_is_400(client: FlaskClient) -> None:
    answer = client.post(
        "/hooks/v1/gh",
        environ_overrides={"wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": "50"},
        content_type="application/json",
    )
    assert answer.status_code == 400


def test_only_post_is_taken(client: FlaskClient) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = client.open("/hooks/v1/gh", method=method)
        assert (answer.status_code, "POST" in answer.headers["Allow"]) == (405, True)


def test_proven_pushes_beyond_the_rate_are_429_and_unproven_ones_cost_nothing(filled: State, push: Push) -> None:
    for _ in range(70):
        assert push(X_Hub_Signature_256="sha256=" + "0" * 64).status_code == 401
    statuses = [push({}, X_GitHub_Event="ping").status_code for _ in range(70)]
    assert statuses[:50] == [200] * 50
    assert statuses[-1] == 429


def test_a_bucket_fills_again_with_time() -> None:
    now = 100.0
    bucket = Bucket(50, 10, clock=lambda: now)
    assert [bucket.take() for _ in range(50)] == [0.0] * 50
    assert bucket.take() == pytest.approx(0.1)
    now += 0.11
    assert bucket.take() == 0.0


def test_deliveries_are_counted_by_result(filled: State, push: Push, get: Callable[..., TestResponse]) -> None:
    push()
    push(X_Hub_Signature_256="")
    push(name="nope-" + "x" * 100)
    text = get("/metrics").text
    assert 'setscrew_webhook_deliveries_total{provider="github",receiver="gh",result="accepted"} 1.0' in text
    assert 'setscrew_webhook_deliveries_total{provider="github",receiver="gh",result="unproven"} 1.0' in text
    assert "nope" not in text
