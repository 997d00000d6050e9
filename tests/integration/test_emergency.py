"""Plays docs/operations/emergency.md against a real API server: the admission server is dead, everything fails closed.

The commands are read from the page: a page that is wrong fails here.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from setscrew.demo.stage import Stage
from tests.support import small_shop
from tests.support.command import setscrew_on
from tests.support.runbook import Page, play
from tests.support.waiting import eventually
from webhook.registration.ownership import is_ours

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

REGISTRATION = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/setscrew"
STRICT = {
    "apiVersion": "setscrew.dev/v1alpha1",
    "kind": "DriftPolicy",
    "metadata": {"name": "strict"},
    "spec": {"priority": 10, "match": [{"namespaces": ["shop"]}], "failurePolicy": "Fail"},
}


def commands(section: str) -> list[str]:
    """The commands of one section of the page."""
    return Page("emergency.md").commands(section)


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    """The small shop, and calls for it that fail are refused."""
    with Stage(small_shop.SOURCES, small_shop.fill, scan_seconds=1) as one:
        config = one.directory / "config"
        config.mkdir()
        (config / "strict.yaml").write_text(yaml.safe_dump(STRICT))
        yield small_shop.synced_stage(one)


def write(stage: Stage) -> str:
    """What an allowed write is answered: "" if it passes. An undeclared label is anybody's."""
    label = f"seen=at-{time.monotonic_ns()}"
    done = stage.plane.kubectl("label", "deploy/web", "-n", "shop", label, "--overwrite", check=False)
    return done.stderr if done.returncode else ""


def forbidden(stage: Stage) -> str:
    """The same of a write that Git forbids."""
    image = f"web=evil:{time.monotonic_ns()}"
    done = stage.plane.kubectl("set", "image", "deploy/web", image, "-n", "shop", check=False)
    return done.stderr if done.returncode else ""


def entries(stage: Stage) -> int:
    """How many entries of ours the API server holds."""
    body = stage.plane.request("GET", REGISTRATION).body
    return sum(is_ours(one["name"]) for one in body.get("webhooks") or [])


def supervisor(stage: Stage) -> int:
    assert stage._process is not None
    return stage._process.pid


def servers(stage: Stage) -> list[int]:
    """All processes of the admission server."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, known = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue
        if b"webhook.server" in words and str(stage.state_dir).encode() in known:
            found.append(int(process.name))
    return found


def guarded(stage: Stage) -> bool:
    return "Git wants" in forbidden(stage) and not write(stage)


@pytest.fixture
def dead(stage: Stage) -> Iterator[None]:
    """All admission processes are killed, and who would start them again is held; the reconciler lives."""
    stage.wait("the guard", lambda: guarded(stage))
    os.kill(supervisor(stage), signal.SIGSTOP)
    try:
        for pid in servers(stage):
            os.kill(pid, signal.SIGKILL)
        stage.wait("writes to fail", lambda: "failed calling webhook" in write(stage))
        yield
    finally:
        os.kill(supervisor(stage), signal.SIGCONT)


def test_the_recovery_drill(stage: Stage, dead: None) -> None:
    assert "failed calling webhook" in forbidden(stage)
    (delete,) = commands("The admission server does not answer")
    play(stage, delete)
    stage.wait("writes to pass", lambda: not write(stage))
    stage.wait("a line that says why", lambda: "the registration stays away: the admission server" in stage.log)
    time.sleep(3)
    assert entries(stage) == 0
    assert write(stage) == ""
    os.kill(supervisor(stage), signal.SIGCONT)
    stage.wait("the guard again", lambda: guarded(stage))
    assert "the registration stands again" in stage.log
    report = json.loads(setscrew_on(stage, "drift", "-o", "json").stdout)
    assert "registration" in json.dumps(report)


def test_the_off_switch_holds_while_the_server_is_dead_and_when_it_is_back(stage: Stage, dead: None) -> None:
    remove, look, by_kubectl = commands("Off, until you say so")
    assert "nothing is refused any more: off since 20" in play(stage, remove)
    stage.wait("writes to pass", lambda: not write(stage))
    assert "setscrew.dev/off: " in play(stage, look)
    os.kill(supervisor(stage), signal.SIGCONT)
    stage.wait("the server", lambda: servers(stage))
    stage.wait("a line that says so", lambda: "the guard was switched off at" in stage.log)
    play(stage, by_kubectl)
    assert stage.stop_setscrew() == 0
    stage.start_setscrew()
    time.sleep(3)
    assert entries(stage) == 0
    (on,) = commands("On again")
    play(stage, on)
    stage.wait("the guard again", lambda: guarded(stage))
    assert "setscrew.dev/off" not in play(stage, look)


def test_failing_calls_pass_by_the_choice_of_an_admin_and_the_guard_stays(stage: Stage, dead: None) -> None:
    (ignore,) = commands("Let failing calls pass, and keep the guard")
    play(stage, ignore)
    stage.wait("writes to pass", lambda: not write(stage))
    stage.wait("a line that says so", lambda: "failurePolicy Ignore stays, as kubectl" in stage.log)
    assert entries(stage)
    os.kill(supervisor(stage), signal.SIGCONT)
    stage.wait("the guard again", lambda: guarded(stage))
    (delete,) = commands("The admission server does not answer")
    play(stage, delete)
    stage.wait("the policy's own choice", lambda: "Fail" in json.dumps(stage.plane.request("GET", REGISTRATION).body))


def test_a_grant_lets_the_registration_be_away_until_it_ends(stage: Stage) -> None:
    stage.wait("the guard", lambda: guarded(stage))
    grant, delete = commands("One change, for a time")
    name = play(stage, grant).split()[0]
    play(stage, delete)
    stage.wait("a line that names it", lambda: f"the registration stays away: grant {name} covers it" in stage.log)
    stage.wait("forbidden writes to pass", lambda: not forbidden(stage))
    time.sleep(2)
    assert entries(stage) == 0
    assert setscrew_on(stage, "grant", "revoke", name, "--reason", "done").returncode == 0
    stage.wait("the registration", lambda: entries(stage))
    small_shop.sync(stage)
    stage.wait("the guard again", lambda: guarded(stage))


def test_the_report_is_there_meanwhile(stage: Stage) -> None:
    (drift,) = commands("What you see meanwhile")
    assert eventually(lambda: play(stage, drift), "a report")
