"""Readers as documents: what is wrong is named, and the server that runs keeps each to its namespaces."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from reconciler.errors import UsageError
from reconciler.limits import API_STREAMS
from reconciler.store.findings import Pass, replace_findings
from setscrew.readers import load_readers
from setscrew.store import open_store
from tests.unit.api.conftest import finding
from tests.unit.api.test_drift_command import GITHUB, Served, start
from webhook.api.readers import parse_readers

TOKEN = "0123456789abcdef"


def reader(name: str = "team", **spec: Any) -> dict[str, Any]:
    return {"kind": "Reader", "metadata": {"name": name}, "spec": {"tokenEnv": "T", "namespaces": ["pay"]} | spec}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (reader("Team"), "metadata.name"),
        ({"kind": "Reader", "metadata": {"name": "x"}}, "spec is missing"),
        (reader(token="plain"), "spec.token is not known"),
        (reader(tokenFile="/x"), "exactly one"),
        (reader(tokenEnv=""), "exactly one"),
        (reader(namespaces=[]), "spec.namespaces"),
        (reader(namespaces=["*"]), "spec.namespaces"),
        (reader(namespaces="pay"), "spec.namespaces"),
    ],
)
def test_a_wrong_document_is_named(document: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_readers([document])
    assert said in caught.value.message


def test_two_readers_of_one_name_are_one_too_many_and_other_kinds_are_passed_over() -> None:
    assert [one.name for one in parse_readers([{"kind": "Receiver"}, reader("a"), reader("b")])] == ["a", "b"]
    with pytest.raises(UsageError, match="two readers"):
        parse_readers([reader(), reader()])


@pytest.mark.parametrize("token", ["short", "", "sixteen bytes of it", "sechzehn-zeichen-ü"])
def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    (tmp_path / "reader.yaml").write_text(json.dumps(reader()))
    monkeypatch.setenv("T", token)
    with pytest.raises(UsageError) as caught:
        load_readers(tmp_path)
    assert token not in str(caught.value) or not token


def test_two_readers_with_one_token_cannot_be_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(reader(name)))
    monkeypatch.setenv("T", TOKEN)
    with pytest.raises(UsageError, match="the same token"):
        load_readers(tmp_path)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("state")
    (directory / "token").write_text(TOKEN + "\n")
    state = open_store(directory)
    replace_findings(state, [finding(name=f"w{number}") for number in range(2_000)], Pass())
    state.close()
    document = reader(tokenFile=str(directory / "token"), namespaces=["pay"])
    del document["spec"]["tokenEnv"]
    running = start(directory, f"{GITHUB}---\n{json.dumps(document)}\n")
    yield running
    running.process.terminate()
    running.process.wait(20)


def test_a_running_server_keeps_a_reader_to_its_namespaces(served: Served) -> None:
    status, found = served.ask("GET", "/api/v1/drift", Authorization=f"Bearer {TOKEN}")
    assert (status, found["items"], found["summary"]["total"]) == (200, [], 0)
    assert served.ask("GET", "/api/v1/sources", Authorization=f"Bearer {TOKEN}")[0] == 403
    assert served.ask("GET", "/api/v1/drift", Authorization=f"Bearer {TOKEN}0")[0] == 401


@pytest.mark.parametrize("name", ["json", "csv", "yaml"])
def test_a_long_report_is_sent_while_it_is_made(served: Served, name: str) -> None:
    with contextlib.closing(http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=30)) as connection:
        headers = {"Authorization": f"Bearer {served.token}"}
        connection.request("GET", f"/api/v1/drift?limit=all&format={name}", headers=headers)
        answer = connection.getresponse()
        assert (answer.getheader("Transfer-Encoding"), answer.getheader("Content-Length")) == ("chunked", None)
        text = answer.read().decode()
    assert all(f"w{number}" in text for number in (0, 999, 1_999))


def test_streams_that_are_open_leave_the_server_to_others(served: Served) -> None:
    mine = {"Authorization": f"Bearer {served.token}"}
    with contextlib.ExitStack() as stack:
        for _ in range(API_STREAMS):
            connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=60)
            stack.enter_context(contextlib.closing(connection))
            connection.request("GET", "/api/v1/events", headers=mine)
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("Transfer-Encoding")) == (200, "chunked")
            assert answer.readline() + answer.readline() + answer.readline() == b"retry: 3000\n\nevent: ready\n"
        assert served.ask("GET", "/api/v1/events", **mine)[0] == 503
        assert served.ask("GET", "/api/v1/drift?limit=1", **mine)[0] == 200
