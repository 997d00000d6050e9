"""What is asked of a real cluster stands in the record of decisions, whatever dies meanwhile; the chain is whole."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from setscrew.demo.stage import Stage
from tests.support.command import setscrew_on

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]
SCALE = ("scale", "deploy/web", "-n", "shop")


def answered(stage: Stage, *args: str) -> tuple[int, Any]:
    """Status and JSON of a command on the state directory."""
    done = setscrew_on(stage, *args, "-o", "json")
    return done.returncode, json.loads(done.stdout)


def decisions(stage: Stage, **filters: str) -> list[dict[str, Any]]:
    options = [word for key, value in filters.items() for word in (f"--{key}", value)]
    items: list[dict[str, Any]] = answered(stage, "audit", "list", "--limit", "1000", *options)[1]["items"]
    return items


def test_a_refusal_says_who_what_and_from_what_to_what(stage: Stage) -> None:
    who = ("--as", "eve", "--as-uid", "u-7", "--as-group", "system:masters", "--as-user-extra", "example.com/desk=12")
    done = stage.plane.kubectl(*SCALE, "--replicas", "7", *who, check=False)
    assert "Git wants" in done.stderr
    stage.wait("the record", lambda: decisions(stage, user="eve"))
    found = decisions(stage, user="eve")[0]  # the API server may have sent it twice
    assert found["groups"] == ["system:masters", "system:authenticated"]
    assert (found["userUid"], found["extra"]) == ("u-7", {"example.com/desk": ["12"]})
    what = [found[key] for key in ("operation", "subresource", "kind", "name")]
    assert what == ["UPDATE", "scale", "Deployment", "web"]
    assert (found["code"], found["allowed"], found["would"], found["policy"]) == ("drift", False, "", "default")
    assert (found["source"], len(found["snapshot"])) == ("shop", 64)
    (path,) = found["paths"]
    assert (path["path"], path["was"], path["now"]) == ("/spec/replicas", path["want"], "7")
    assert answered(stage, "audit", "verify")[0] == 0


def test_line_37_a_dry_run_leaves_no_record(stage: Stage) -> None:
    stage.plane.kubectl(
        *SCALE, "--replicas", "7", "--as", "dry", "--as-group", "system:masters", "--dry-run=server", check=False
    )
    stage.plane.kubectl(*SCALE, "--replicas", "7", "--as", "wet", "--as-group", "system:masters", check=False)
    stage.wait("the record of the other", lambda: decisions(stage, user="wet"))
    assert decisions(stage, user="dry") == []


def test_what_was_refused_is_what_a_rehearsal_of_warn_lists(stage: Stage) -> None:
    status, found = answered(stage, "policy", "try", "--action", "Warn", "--source", "shop")
    refused = [one for one in decisions(stage, source="shop") if not one["allowed"]]
    assert (status, found["turned"]) == (1, len(refused))
    assert answered(stage, "policy", "try", "--action", "Deny", "--since", "0")[0] == 0


def test_a_killed_reconciler_costs_no_answer_and_no_loss_goes_unsaid(stage: Stage) -> None:
    asked = 30
    for number in range(asked):
        if number == 10:
            os.kill(reconciler(stage), signal.SIGKILL)
        done = stage.plane.kubectl(
            *SCALE, "--replicas", str(20 + number), "--as", "mallory", "--as-group", "system:masters", check=False
        )
        assert "Git wants" in done.stderr, done.stderr

    def counted() -> bool:
        return len(decisions(stage, user="mallory")) + answered(stage, "audit", "verify")[1]["lost"] >= asked

    stage.wait("every one to be recorded, or missed", counted)
    status, found = answered(stage, "audit", "verify")
    assert (status, found["whole"]) == (0, True)


def reconciler(stage: Stage) -> int:
    """Its process id, by the state directory in its arguments."""
    wanted = {b"reconcile", str(stage.state_dir).encode()}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if wanted <= set(path.read_bytes().split(b"\0")):
                return int(path.parent.name)
    raise AssertionError("no reconciler runs")


def test_a_restart_goes_on_with_the_chain(stage: Stage) -> None:
    before = answered(stage, "audit", "verify")[1]
    assert stage.stop_setscrew() == 0, stage.log
    stage.start_setscrew()
    stage.wait("the guard", lambda: refused(stage))
    stage.wait("its record", lambda: answered(stage, "audit", "verify")[1]["records"] > before["records"])
    status, after = answered(stage, "audit", "verify", "--head", before["head"])
    assert (status, after["whole"]) == (0, True)


def refused(stage: Stage) -> bool:
    return "Git wants" in stage.plane.kubectl(*SCALE, "--replicas", "9", check=False).stderr
