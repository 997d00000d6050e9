"""Holds what the client makes of answers, errors and silence, against a server on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from reconciler.cluster.api import ApiClient
from reconciler.errors import ApiError, ClusterError, UnreachableError
from reconciler.limits import API_MESSAGE_CHARS

TOKEN = "tokenofexample"
Answer = tuple[int, dict[str, str], bytes] | None
Serve = Callable[..., ApiClient]


class Handler(BaseHTTPRequestHandler):
    """Gives the prepared answers in turn and keeps what was asked."""

    answers: list[Answer]
    asked: list[tuple[str, str, dict[str, str], bytes]]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer, or drop the connection."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.asked.append((self.command, self.path, headers, body))
        answer = self.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        status, headers, content = answer
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def kubeconfig(path: Path, server: str) -> Path:
    document = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    clients = []

    def start(*answers: Answer, **options: str) -> ApiClient:
        Handler.answers, Handler.asked = list(answers), []
        config = kubeconfig(tmp_path / "config", f"http://127.0.0.1:{server.server_port}")
        clients.append(ApiClient.load(str(config), **options))
        return clients[-1]

    yield start
    for client in clients:
        client.close()
    server.shutdown()
    server.server_close()


def test_an_answer_is_the_parsed_tree_with_exact_integers(serve: Serve) -> None:
    client = serve((200, {}, b'{"a":9007199254740993,"b":123456789012345678901234567890}'))
    assert client.request("GET", "/x") == {"a": 9007199254740993, "b": 123456789012345678901234567890}


def test_body_query_and_credentials_are_sent(serve: Serve) -> None:
    client = serve((201, {}, b"{}"), impersonate="jane")
    client.send("POST", "/x", {"a": "\ud800é"}, {"dryRun": "All", "limit": 5, "watch": True}, content_type="a/b")
    method, path, headers, body = Handler.asked[0]
    assert (method, path) == ("POST", "/x?dryRun=All&limit=5&watch=true")
    assert (headers["authorization"], headers["impersonate-user"]) == (f"Bearer {TOKEN}", "jane")
    assert headers["content-type"] == "a/b"
    assert json.loads(body) == {"a": "\ud800é"}


def test_a_request_does_not_look_for_a_proxy_anew(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve((200, {}, b"{}"))

    def looked() -> None:
        raise AssertionError("the environment was looked through")

    monkeypatch.setattr("kubernetes.client.configuration.getproxies", looked)
    assert client.request("GET", "/x") == {}


def test_warning_headers_come_with_the_answer_each_once(serve: Serve) -> None:
    text = '299 - "unknown field \\"spec.x\\"", 299 - "old, deprecated", 299 - "old, deprecated"'
    answer = serve((200, {"Warning": text}, b"{}")).send("GET", "/x")
    assert answer.warnings == ('unknown field "spec.x"', "old, deprecated")


def test_a_refusal_carries_status_reason_message_and_causes(serve: Serve) -> None:
    cause = {"field": "spec.x", "reason": "FieldValueInvalid", "message": "too\nlong"}
    status = {"kind": "Status", "message": "no\nway", "reason": "Invalid", "details": {"causes": [cause, None]}}
    client = serve((422, {"Retry-After": "3"}, json.dumps(status).encode()))
    with pytest.raises(ApiError) as caught:
        client.request("GET", "/x")
    error = caught.value
    assert (error.status, error.reason, error.message, error.retry_after) == (422, "Invalid", "no way", 3.0)
    assert error.causes == (("spec.x", "FieldValueInvalid", "too long"),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"404 page not found\nmore", "404 page not found"),
        (b"", "HTTP 404"),
        (b"[" * 100_000, "[" * 50),
        (b"\xff", "\ufffd"),
    ],
)
def test_an_error_without_a_status_object_tells_its_first_line(serve: Serve, content: bytes, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        serve((404, {}, content)).request("GET", "/x")
    assert caught.value.message.startswith(message)
    assert len(caught.value.message) <= API_MESSAGE_CHARS


@pytest.mark.parametrize("content", [b"<html>", b"[" * 100_000, b'{"a":'])
def test_an_answer_that_is_not_json_is_one_clear_error(serve: Serve, content: bytes) -> None:
    with pytest.raises(ClusterError, match="something else than JSON"):
        serve((200, {}, content)).request("GET", "/x")


def test_an_answer_that_is_no_object_is_one_clear_error(serve: Serve) -> None:
    with pytest.raises(ClusterError, match="JSON object"):
        serve((200, {}, b"[]")).request("GET", "/x")


def test_a_redirect_is_not_followed_with_the_token(serve: Serve) -> None:
    with pytest.raises(ApiError) as caught:
        serve((307, {"Location": "/other"}, b"")).request("GET", "/x")
    assert caught.value.status == 307
    assert len(Handler.asked) == 1


def test_a_read_on_a_dropped_connection_is_tried_again(serve: Serve) -> None:
    assert serve(None, (200, {}, b'{"a":1}')).request("GET", "/x") == {"a": 1}


def test_a_write_on_a_dropped_connection_is_not(serve: Serve) -> None:
    client = serve(None, (200, {}, b"{}"))
    with pytest.raises(UnreachableError):
        client.request("POST", "/x", {})
    assert len(Handler.asked) == 1


def test_a_server_that_is_not_there_is_one_line_without_secrets(tmp_path: Path) -> None:
    client = ApiClient.load(str(kubeconfig(tmp_path / "config", "http://127.0.0.1:1")))
    with pytest.raises(UnreachableError) as caught:
        client.request("GET", "/x")
    assert str(caught.value) == (
        "http://127.0.0.1:1: the API server cannot be reached: Connection refused "
        "(check the address and that the cluster runs) [SS4001]"
    )


@pytest.mark.parametrize("more", [{"Content-Length": "100"}, {"Transfer-Encoding": "chunked"}])
def test_an_answer_that_breaks_off_is_a_connection_that_broke(serve: Serve, more: dict[str, str]) -> None:
    client = serve((200, {"Connection": "close", **more}, b"not a chunk"))
    with pytest.raises(UnreachableError, match="cannot be reached: the connection broke") as caught:
        list(client.lines("/x"))
    assert "Error" not in caught.value.message


@pytest.mark.parametrize(
    "content", ["token: &x [", "", "[]", "clusters: 5", "a: !!python/object:x {token: secretword}"]
)
def test_a_damaged_kubeconfig_is_one_clear_line_that_quotes_none_of_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(ClusterError) as caught:
        ApiClient.load(str(path))
    assert "secretword" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_unknown_context_is_named(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    with pytest.raises(ClusterError, match="prod-eu"):
        ApiClient.load(str(path), "prod-eu")


def test_a_kubeconfig_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="--kubeconfig"):
        ApiClient.load(str(tmp_path / "none"))
