"""Every case of tests/cases/receivers is judged alike by the pure rules, the route and `setscrew receiver verify`."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from setscrew.cli import main
from tests.support.receiver_cases import SIGNED, Delivery, deliveries
from tests.support.tools import tool
from webhook.api.app import create_api_app
from webhook.api.configuration import Receiver, Secret
from webhook.api.ports import ApiSettings
from webhook.api.providers import PROVIDERS, judge

ROOT = Path(__file__).parents[3]
DELIVERIES = deliveries()
each = pytest.mark.parametrize("one", DELIVERIES, ids=lambda one: one.key)


def as_json(one: Delivery) -> dict[str, Any]:
    """What must be printed of an accepted or ignored delivery."""
    wanted = one.expected
    refs = [{"ref": ref, "sha": sha} for ref, sha in wanted.refs]
    return {"result": wanted.result, "event": wanted.event, "refs": refs, "repo": wanted.repo}


def test_every_provider_has_cases_of_all_kinds() -> None:
    found = {(one.provider, one.expected.fault or one.expected.result) for one in DELIVERIES}
    kinds = {"accept", "proof", "shape"} | {"ignore"}
    wanted = {(provider, kind) for provider in PROVIDERS for kind in kinds} - {("generic-hmac", "ignore")}
    assert wanted - found == set()
    assert len({one.key for one in DELIVERIES}) == len(DELIVERIES) > 200


@each
def test_a_delivery_is_judged_as_its_case_says(one: Delivery) -> None:
    verdict = judge(one.provider, (one.secret,), one.headers, one.body, one.now)
    assert (verdict.result, verdict.fault) == (one.expected.result, one.expected.fault)
    if verdict.result == "reject":
        assert verdict.reason
        assert verdict.refs == verdict.repos == ()
    else:
        assert {**verdict.as_json(), "reason": ""} == {**as_json(one), "reason": ""}


@each
def test_an_old_secret_that_still_counts_proves_as_well(one: Delivery) -> None:
    newer = b"whsec_" + b"bmV3ZXIu" * 4 if one.secret.startswith(b"whsec_") else b"newer:" + b"n" * 20
    verdict = judge(one.provider, (newer, one.secret), one.headers, one.body, one.now)
    assert (verdict.result, verdict.fault) == (one.expected.result, one.expected.fault)


@dataclass
class Followed:
    """The part of the state that a push needs: three sources of one repository, and no delivery taken before."""

    url: str

    def sources(self) -> list[dict[str, Any]]:
        refs = {"elsewhere": "refs/heads/elsewhere", "main": "refs/heads/main", "releases": "refs/tags/*"}
        return [{"name": name, "url": self.url, "ref": ref} for name, ref in refs.items()]

    def seen(self, *_: object) -> bool:
        return False

    def note(self, *_: object) -> None:
        """Nothing is remembered."""


STATUS = {"accept": 202, "ignore": 200, "proof": 401, "shape": 400}


@each
def test_the_route_answers_with_the_status_of_the_verdict(one: Delivery) -> None:
    receivers = {"one": Receiver("one", one.provider, ("*",), (Secret(one.secret),))}
    asked: list[str] = []
    now = datetime.fromtimestamp(one.now, UTC)
    settings = ApiSettings(token=b"swordfish", now=lambda: now, receivers=lambda: receivers)
    state = Followed(one.expected.repo)
    client = create_api_app(state, settings, asked.append).test_client()  # type: ignore[arg-type] # as much as is asked
    sent = {name: value.encode().decode("latin-1") for name, value in one.headers.items()}
    answer = client.post("/hooks/v1/one", data=one.body, headers=sent)

    followed = follow(one)
    if one.expected.status:
        assert answer.status_code == one.expected.status
    elif one.expected.result == "accept" and not followed:
        assert (answer.status_code, answer.json["status"]) == (200, "ignored")
    else:
        assert answer.status_code == STATUS[one.expected.fault or one.expected.result]
    assert asked == followed


def follow(one: Delivery) -> list[str]:
    """The sources of the test that an accepted delivery is about, known without the code under test."""
    if one.expected.result != "accept" or one.provider == "harbor":
        return []
    refs = [ref for ref, _ in one.expected.refs]
    if not refs:
        return ["elsewhere", "main", "releases"]
    found = ["main"] if "refs/heads/main" in refs else []
    return found + (["releases"] if any(ref.startswith("refs/tags/") for ref in refs) else [])


@each
def test_the_command_prints_the_verdict_as_json_and_nothing_else(one: Delivery, tmp_path: Path) -> None:
    headers = tmp_path / "headers.json"
    headers.write_text(json.dumps(dict(one.headers)))
    arguments = ["receiver", "verify", "--provider", one.provider, "--secret", one.secret.decode()]
    arguments += ["--headers", str(headers), "--now", str(one.now)]
    done = CliRunner().invoke(main, arguments, input=one.body)
    printed = json.loads(done.stdout)
    assert done.exit_code == (1 if one.expected.result == "reject" else 0)
    assert set(printed) == {"result", "event", "refs", "repo", "reason"}
    assert printed["result"] == one.expected.result
    if one.expected.result != "reject":
        assert {**printed, "reason": ""} == {**as_json(one), "reason": ""}
    assert done.stderr == ""


@pytest.mark.skipif(not shutil.which("openssl"), reason="proofs are computed by openssl")
def test_the_recorded_proofs_are_those_of_openssl() -> None:
    made = tool("sign_receiver_cases")
    assert SIGNED.read_text() == made.computed(), "run: .venv/bin/python tools/sign_receiver_cases.py"
