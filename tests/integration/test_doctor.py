"""`setscrew doctor` on a real installation: all is well, then one thing after the other is broken and told."""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.demo.stage import Stage
from tests.support import small_shop
from tests.support.command import setscrew
from tests.support.waiting import eventually
from webhook.tls.authority import issue, new_authority, read_pair

pytestmark = [pytest.mark.integration, pytest.mark.timeout(580)]

REGISTRATION = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/setscrew"
MERGE = "application/merge-patch+json"
RBAC = Path(__file__).parents[2] / "manifests" / "base" / "rbac.yaml"


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    """The small shop, guarded."""
    with Stage(small_shop.SOURCES, small_shop.fill, scan_seconds=1, canary_seconds=3600) as one:
        yield small_shop.synced_stage(one)


def doctor(stage: Stage, *options: str) -> tuple[int, dict[str, Any]]:
    """Its status and JSON; nothing secret is in it, and nothing on stderr."""
    where = ["--state", str(stage.state_dir), "--kubeconfig", str(stage.account("setscrew-reconciler"))]
    done = setscrew("doctor", *where, *options, "-o", "json")
    assert done.stderr == ""
    assert not [secret for secret in small_shop.SECRETS if secret in done.stdout]
    assert "BEGIN" not in done.stdout
    return done.returncode, json.loads(done.stdout)


def proved(stage: Stage) -> tuple[int, dict[str, Any]]:
    """The same with the canary's identity."""
    return doctor(stage, "--canary-kubeconfig", str(stage.account("setscrew-canary")))


def told(found: Mapping[str, Any], state: str) -> dict[str, str]:
    """What is in that state: each check with what it found and the fix."""
    return {
        one["check"]: f"{one['what']} → {one['fix']}" for one in reversed(found["findings"]) if one["state"] == state
    }


def broken(stage: Stage, look: Callable[[Stage], tuple[int, dict[str, Any]]], *checks: str) -> dict[str, str]:
    """The problems once they are just those of `checks`: what was broken shows at different moments."""
    last: list[Any] = []

    def is_told() -> dict[str, str] | None:
        status, found = look(stage)
        problems = told(found, "problem")
        last[:] = [status, problems]
        return problems if status == 1 and set(problems) == set(checks) else None

    try:
        return eventually(is_told, f"problems of {checks}")
    except AssertionError as error:
        raise AssertionError(f"{error}; last: {last}") from None


def well(stage: Stage) -> None:
    """Everything was put right again."""
    last: list[Any] = []

    def is_well() -> bool:
        status, found = proved(stage)
        last[:] = [status, told(found, "problem")]
        return status == 0

    try:
        eventually(is_well, "no problem", 180)
    except AssertionError as error:
        raise AssertionError(f"{error}; last: {last}") from None


def processes(stage: Stage, word: bytes) -> list[int]:
    """Processes of the stage's Setscrew with that word in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, known = (process / "cmdline").read_bytes().split(b"\0"), (process / "environ").read_bytes()
        except OSError:
            continue
        if word in words and str(stage.state_dir).encode() in known + b" ".join(words):
            found.append(int(process.name))
    return found


@contextmanager
def held(*pids: int) -> Iterator[None]:
    """These processes stand still."""
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def without_reconciler(stage: Stage) -> Iterator[None]:
    """Nobody repairs anything meanwhile."""
    with held(*processes(stage, b"reconcile")):
        yield


def registered(stage: Stage) -> dict[str, Any]:
    body = stage.plane.request("GET", REGISTRATION).body
    assert isinstance(body, dict)
    return body


def patch(stage: Stage, body: Mapping[str, Any]) -> None:
    """Change the registration as an administrator."""
    stage.plane.request("PATCH", REGISTRATION, body, content_type=MERGE)


def test_a_healthy_installation_has_no_problem(stage: Stage) -> None:
    well(stage)
    _, found = proved(stage)
    assert told(found, "problem") == {}
    assert set(told(found, "unknown")) == set()
    assert "a dry-run that must be refused was, by core-v1" in told(found, "ok")["calls"]
    assert "setscrew-reconciler has every right" in told(found, "ok")["rights"]


def test_without_the_canary_the_metrics_of_the_api_server_tell(stage: Stage) -> None:
    status, found = doctor(stage)
    words = {**told(found, "ok"), **told(found, "warning")}["calls"]
    assert (status, "by its metrics" in words) == (0, True)


def test_an_edited_registration_names_entry_field_and_writer(stage: Stage) -> None:
    with without_reconciler(stage):
        entries = registered(stage)["webhooks"]
        entries[0]["rules"][0]["operations"] = ["DELETE"]
        entries.append({**entries[0], "name": "other.example.org"})
        patch(stage, {"webhooks": entries})
        problems = broken(stage, doctor, "registration", "coverage")
        assert f"{entries[0]['name'].removesuffix('.guard.setscrew.dev')} (rules)" in problems["registration"]
        assert "setscrew register --state" in problems["registration"]
        assert "other.example.org" in told(doctor(stage)[1], "warning")["registration"]
    patch(stage, {"webhooks": [one for one in registered(stage)["webhooks"] if "setscrew" in one["name"]]})
    well(stage)


def test_a_bundle_of_another_authority_vouches_for_nothing(stage: Stage) -> None:
    foreign = base64.b64encode(new_authority(datetime.now(UTC)).certificate_pem).decode()
    with without_reconciler(stage):
        entries = registered(stage)["webhooks"]
        for entry in entries:
            entry["clientConfig"]["caBundle"] = foreign
        patch(stage, {"webhooks": entries})
        problems = broken(stage, proved, "ca-bundle", "calls")
        assert "does not vouch for what is served" in problems["ca-bundle"]
        assert "refuses nothing, shown by a dry-run on" in problems["calls"]
    well(stage)


def test_a_right_that_is_missing_is_named_with_its_purpose(stage: Stage) -> None:
    documents = [one for one in yaml.safe_load_all(RBAC.read_text()) if one]
    role = next(one for one in documents if one["metadata"]["name"] == "setscrew-registration")
    role["rules"] = [rule for rule in role["rules"] if "patch" not in rule["verbs"] or "setscrew" not in str(rule)]
    stage.plane.kubectl("apply", "-f", "-", input=json.dumps(role))
    problems = broken(stage, doctor, "rights")
    assert "may not patch validatingwebhookconfigurations" in problems["rights"]
    assert "manifests/base/rbac.yaml" in problems["rights"]
    stage.plane.kubectl("apply", "-f", RBAC)
    well(stage)


def test_a_policy_that_is_not_bound_holds_nobody(stage: Stage) -> None:
    stage.plane.kubectl("delete", "validatingadmissionpolicybinding", "setscrew-canary")
    problems = broken(stage, doctor, "identities")
    assert "kubectl apply -f manifests/base/canary-policy.yaml" in problems["identities"]
    stage.plane.kubectl("apply", "-f", RBAC.parent / "canary-policy.yaml")
    well(stage)


def test_a_server_that_is_gone_is_a_problem_here_and_at_the_api_server(stage: Stage) -> None:
    assert stage._process is not None
    with held(stage._process.pid), without_reconciler(stage):
        for pid in processes(stage, b"webhook.server"):
            os.kill(pid, signal.SIGKILL)
        problems = broken(stage, proved, "server", "calls")
        assert "does not answer: Connection refused" in problems["server"]
        assert "docs/operations/emergency.md" in problems["server"]
    well(stage)


def test_a_registration_that_is_gone_or_switched_off(stage: Stage) -> None:
    with without_reconciler(stage):
        stage.plane.kubectl("delete", "validatingwebhookconfiguration", "setscrew")
        assert "there is none: nothing is refused" in broken(stage, proved, "registration")["registration"]
        done = setscrew("register", "--remove", "--kubeconfig", str(stage.plane.admin_kubeconfig))
        assert done.returncode == 0
        off = broken(stage, proved, "registration")["registration"]
        assert "the guard was switched off at 20" in off
        assert "`setscrew register --state STATE` switches it on again" in off
        on = setscrew("register", "--state", stage.state_dir, "--kubeconfig", stage.plane.admin_kubeconfig)
        assert on.returncode == 0, on.stderr
    well(stage)


def test_at_rest_an_expired_certificate_is_told_of_the_file(stage: Stage) -> None:
    assert stage.stop_setscrew() == 0
    tls = stage.state_dir / "tls"
    authority = read_pair((tls / "ca.crt").read_bytes(), (tls / "ca.key").read_bytes())
    assert authority is not None
    ended = issue(authority, ["127.0.0.1", "localhost"], datetime.now(UTC) - timedelta(days=8))
    (tls / "tls.crt").write_bytes(ended.certificate_pem)
    (tls / "tls.key").write_bytes(ended.key_pem)
    problems = broken(stage, doctor, "server", "reconciler", "certificate-files")
    assert "tls.crt ended 1 day ago" in problems["certificate-files"]
    assert "start `setscrew run`" in problems["reconciler"]
