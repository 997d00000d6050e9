"""Holds each step of the demo on the real API server's own record: what was refused has its 403 in the audit log.

The demo judges its steps by kubectl's words; here the audit log is the witness, which kubectl cannot colour.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from setscrew.controlplane import Tools
from setscrew.demo import story
from setscrew.demo.player import USERNAMES, Player
from setscrew.demo.show import Show, typed
from setscrew.demo.stage import Stage
from setscrew.demo.step import Outcome

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

_POLICY = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata", "omitStages": []}]}
_WRITES = {"create", "update", "patch", "delete", "deletecollection"}
_STEPS = story.steps()


@dataclass(slots=True)
class Played:
    """The whole story, played once: outcomes, what the audit log says of each, what was printed."""

    outcomes: list[Outcome] = field(default_factory=list)
    events: list[list[dict[str, Any]]] = field(default_factory=list)
    printed: str = ""

    def writes(self, index: int) -> list[dict[str, Any]]:
        """The write requests of a step's own identity while it ran, dry-runs left out."""
        who = USERNAMES[_STEPS[index].who]
        return [
            event
            for event in self.events[index]
            if event["user"]["username"] == who and event["verb"] in _WRITES and "dryRun" not in event["requestURI"]
        ]


@pytest.fixture(scope="module")
def played(alone: None, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Played:
    policy = tmp_path_factory.mktemp("audit") / "policy.json"
    policy.write_text(json.dumps(_POLICY))
    out, result = io.StringIO(), Played()
    show = Show(Console(file=out, width=100), len(_STEPS))
    with Stage(story.SOURCES, story.fill, tools=tools, audit_policy=policy) as stage:
        story.sync(stage)
        player = Player(stage)
        for chapter in story.CHAPTERS:
            for _, act in chapter.before:
                act(stage)
            for step in chapter.steps:
                seen = stage.plane.audit_log.stat().st_size
                show.announce(step, player.argv(step))
                result.outcomes.append(player.play(step))
                show.outcome(result.outcomes[-1])
                result.events.append(list(_events(stage.plane.audit_log, seen)))
    result.printed = out.getvalue()
    return result


def _events(log: Path, start: int) -> Iterator[dict[str, Any]]:
    """Finished requests, from a byte of the log on; the last line may be half written."""
    with log.open("rb") as file:
        file.seek(start)
        for line in file.read().splitlines(keepends=True):
            if line.endswith(b"\n") and (event := json.loads(line))["stage"] == "ResponseComplete":
                yield event


def _numbered() -> list[Any]:
    return [pytest.param(index, id=f"{index + 1} {step.title}") for index, step in enumerate(_STEPS)]


@pytest.mark.parametrize("index", _numbered())
def test_the_step_is_answered_as_announced(played: Played, index: int) -> None:
    outcome = played.outcomes[index]
    assert outcome.answer == outcome.step.expect, outcome.output
    assert not outcome.missing, outcome.output
    for held in outcome.held:
        assert held.seen == held.check.wants, held.check.says


@pytest.mark.parametrize("index", [i for i, step in enumerate(_STEPS) if step.expect == "refused"])
def test_a_refused_step_has_nothing_but_403_and_its_reason_in_the_audit_log(played: Played, index: int) -> None:
    writes = played.writes(index)
    assert writes, "the API server was never asked"
    for event in writes:
        assert event["responseStatus"]["code"] == 403, event
        assert event["responseStatus"]["reason"] == "Forbidden"
        assert any("guard.setscrew.dev/code" in key for key in event["annotations"]), event["annotations"]
        assert event["responseStatus"]["message"].splitlines()[-1] in played.outcomes[index].output


@pytest.mark.parametrize(
    "index", [i for i, step in enumerate(_STEPS) if step.expect == "allowed" and step.argv[0] == "kubectl"]
)
def test_an_allowed_step_has_success_and_no_denial_in_the_audit_log(played: Played, index: int) -> None:
    codes = [event["responseStatus"]["code"] for event in played.writes(index)]
    assert codes, "the API server was never asked"
    assert set(codes) <= {200, 201}


def test_the_twin_is_deleted_by_the_garbage_collector_and_by_nobody_else(played: Played) -> None:
    index = next(i for i, step in enumerate(_STEPS) if step.title == "The same forgery on the twin")
    deletions = [
        event["user"]["username"]
        for events in played.events[index:]
        for event in events
        if event["verb"] == "delete"
        and event["requestURI"].startswith("/apis/apps/v1/namespaces/sandbox/deployments/web")
    ]
    assert set(deletions) == {"system:serviceaccount:kube-system:generic-garbage-collector"}


def test_controllers_wrote_status_under_guard_and_none_was_refused(played: Played) -> None:
    controllers = [
        event
        for events in played.events
        for event in events
        if event["user"]["username"].startswith("system:serviceaccount:kube-system:") and event["verb"] in _WRITES
    ]
    assert any(event["objectRef"].get("subresource") == "status" for event in controllers)
    denied = [event for event in controllers if "setscrew" in event["responseStatus"].get("message", "")]
    assert denied == []


def test_what_kubectl_printed_reaches_the_reader_byte_for_byte(played: Played) -> None:
    for outcome in played.outcomes:
        assert outcome.output in played.printed
    lines = played.printed.splitlines()
    assert max(len(line) for line in lines) > 200, "a denial has long lines, and the console is 100 wide"


def test_every_change_that_the_readme_promises_is_there(played: Played) -> None:
    commands = [typed(outcome.step.argv) for outcome in played.outcomes if outcome.step.expect == "refused"]
    for part in (
        "set image",
        "scale deployment/web",
        '"containers":',
        "set env",
        "label deployment",
        "patch deviceclass",
        "create -f -",
        "mig-layouts",
        "device-plugin-configs",
        "delete deployment",
        "delete namespace",
        "delete configmaps",
        "--subresource=status",
    ):
        assert any(part in command for command in commands), part


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory of its own with a short path: sockets lie below it."""
    with tempfile.TemporaryDirectory(prefix="demo-") as directory:
        yield Path(directory)


def _demo(directory: Path, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "setscrew", "demo"],
        env={**os.environ, "TMPDIR": str(directory), **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _left_behind(directory: Path) -> list[str]:
    """Files in the directory, and processes that were started with it."""
    found = [path.name for path in directory.iterdir()]
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(directory) in command.read_text().replace("\0", " "):
                found.append(command.read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def test_the_command_ends_by_itself_in_plain_text_and_leaves_nothing_behind(tools: Tools, short_path: Path) -> None:
    process = _demo(short_path)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert f"{len(_STEPS)} of {len(_STEPS)} steps were answered as announced" in output
    assert "\x1b" not in output
    assert re.search(r"the new commit is enforced  \d+\.\d+ s after", output)
    assert _left_behind(short_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_leaves_nothing_behind(tools: Tools, short_path: Path, number: signal.Signals) -> None:
    process = _demo(short_path)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("[3/"):
            break
    process.send_signal(number)
    time.sleep(0.05)
    process.send_signal(number)  # the impatient press twice
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number, rest
    assert "Traceback" not in rest
    assert rest.splitlines()[-1] == "setscrew: stopped; nothing is left behind"
    assert _left_behind(short_path) == []
