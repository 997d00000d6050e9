"""`setscrew receiver` as a person types it: a call that is wrong is one line, the verdict alone is JSON on stdout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.limits import PUSH_BODY_BYTES_MOST
from setscrew.delivering import Push, delivery
from tests.unit.cli.conftest import Run, Write

SECRET = "0123456789abcdef-of-the-hook"
PUSH = Push("https://git.example.com/shop.git", "refs/heads/main", "a" * 40, "d-1", 1_795_000_000)


@pytest.fixture
def headers(write: Write) -> Path:
    return write("headers.json", json.dumps(delivery("github", SECRET.encode(), PUSH)[0]))


@pytest.fixture
def body() -> bytes:
    return delivery("github", SECRET.encode(), PUSH)[1]


def test_a_right_delivery_is_printed_as_json_alone(run: Run, headers: Path, body: bytes) -> None:
    done = run("receiver", "verify", "--provider", "github", "--secret", SECRET, "--headers", headers, stdin=body)
    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "result": "accept",
        "event": "push",
        "refs": [{"ref": "refs/heads/main", "sha": "a" * 40}],
        "repo": "https://git.example.com/shop.git",
        "reason": "",
    }


def test_the_secret_may_stand_in_a_file(run: Run, write: Write, headers: Path, body: bytes) -> None:
    secret = write("secret", SECRET + "\n")
    done = run("receiver", "verify", "--provider", "github", "--secret-file", secret, "--headers", headers, stdin=body)
    assert (done.exit_code, json.loads(done.stdout)["result"]) == (0, "accept")


def test_a_missing_proof_is_a_reject_that_names_the_header(run: Run, write: Write, body: bytes) -> None:
    done = run(
        *("receiver", "verify", "--provider", "github", "--secret", SECRET, "--headers", write("h.json", "{}")),
        stdin=body,
    )
    assert done.exit_code == 1
    assert "X-Hub-Signature-256" in json.loads(done.stdout)["reason"]
    assert SECRET not in done.output


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"[]", b"[" * 50_000, b'{"ref": NaN}', b'{"ref": 1e999}'])
def test_a_signed_body_of_another_shape_is_a_reject_as_json(run: Run, write: Write, body: bytes) -> None:
    harbor = write("h.json", json.dumps({"authorization": SECRET}))
    done = run("receiver", "verify", "--provider", "harbor", "--secret", SECRET, "--headers", harbor, stdin=body)
    assert (done.exit_code, json.loads(done.stdout)["result"], done.stderr) == (1, "reject", "")


def test_a_body_that_no_receiver_takes_is_a_reject(run: Run, write: Write) -> None:
    harbor = write("h.json", json.dumps({"authorization": SECRET}))
    done = run(
        *("receiver", "verify", "--provider", "harbor", "--secret", SECRET, "--headers", harbor),
        stdin=b" " * (PUSH_BODY_BYTES_MOST + 1),
    )
    assert (done.exit_code, json.loads(done.stdout)["result"]) == (1, "reject")


@pytest.mark.parametrize(
    ("provider", "secret", "said"),
    [
        ("github", "short", "the secret has 5 bytes, at least 16 are needed"),
        ("gitlab", "whsec_c2hvcnQ=", "the secret has 5 bytes, at least 16 are needed"),
        ("gitlab", "whsec_***", "the signing token is not whsec_ and base64"),
        ("azure-devops", "user-without-password", "must be user:password"),
    ],
)
def test_a_secret_that_no_receiver_would_take_is_one_line_beside_the_verdict(
    run: Run, write: Write, provider: str, secret: str, said: str
) -> None:
    done = run(
        *("receiver", "verify", "--provider", provider, "--secret", secret, "--headers", write("h.json", "{}")),
        stdin=b"{}",
    )
    assert json.loads(done.stdout)["result"] == "reject"
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_short_secret_judges_all_the_same(run: Run, write: Write) -> None:
    headers, body = delivery("gitea", b"short", PUSH)
    done = run(
        *("receiver", "verify", "--provider", "gitea", "--secret", "short"),
        *("--headers", write("h.json", json.dumps(headers))),
        stdin=body,
    )
    assert (done.exit_code, json.loads(done.stdout)["result"]) == (0, "accept")


@pytest.mark.parametrize(
    ("arguments", "headers", "said"),
    [
        (("--secret", ""), "{}", "the secret is empty"),
        ((), "{}", "exactly one of --secret and --secret-file"),
        (("--secret", "a", "--secret-file", "."), "{}", "exactly one of --secret and --secret-file"),
        (("--secret", SECRET), "[]", "not an object of header to value"),
        (("--secret", SECRET), '{"a": ["b"]}', "not an object of header to value"),
        (("--secret", SECRET), "X-GitHub-Event: push", "not JSON"),
        (("--secret", SECRET), "[" * 100_000, "not JSON"),
        (("--secret-file", "."), "{}", "cannot be read"),
    ],
)
def test_a_call_that_cannot_be_judged_is_one_line_and_status_2(
    run: Run, write: Write, arguments: tuple[str, ...], headers: str, said: str
) -> None:
    file = write("h.json", headers)
    done = run("receiver", "verify", "--provider", "github", *arguments, "--headers", file, stdin=b"{}")
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_signed_time_is_judged_by_the_time_that_is_given(run: Run, write: Write) -> None:
    token = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    headers, body = delivery("gitlab", token.encode(), PUSH)
    file = write("h.json", json.dumps({**headers, "webhook-timestamp": PUSH.now}))
    verify = ("receiver", "verify", "--provider", "gitlab", "--secret", token, "--headers", file)
    assert run(*verify, "--now", PUSH.now + 300, stdin=body).exit_code == 0
    assert run(*verify, "--now", PUSH.now + 301, stdin=body).exit_code == 1
    assert run(*verify, stdin=body).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "there is no receiver 'nobody'"),
        (("gh",), "give --state or --server"),
        (("gh", "--server", "http://127.0.0.1:1", "--source", "nobody"), "there is no GitSource 'nobody'"),
        (("gh", "--server", "http://127.0.0.1:1"), "does not answer"),
    ],
)
def test_a_trial_that_cannot_be_sent_is_one_line(
    run: Run, write: Write, arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SETSCREW_STATE", raising=False)
    monkeypatch.setenv("HOOK", SECRET)
    spec = "spec: {provider: github, secretEnv: HOOK, sources: ['*']}\n"
    config = write("conf/a.yaml", "apiVersion: setscrew.dev/v1alpha1\nkind: Receiver\nmetadata: {name: gh}\n" + spec)
    done = run("receiver", "test", *arguments, "--config", config.parent)
    assert done.exit_code > 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
