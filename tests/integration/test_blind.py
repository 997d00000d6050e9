"""When the guard sees nothing it is told: by the canary, by the API server's counters, by its audit log. Real parts."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from reconciler.cluster.api import ApiClient
from reconciler.errors import ApiError
from reconciler.model.own import CANARY
from setscrew.api_files import read_address, read_token
from setscrew.demo.stage import Stage
from tests.support import audit, small_shop
from tests.support.command import setscrew_on
from tests.support.small_shop import ask

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

CONFIGURATION = ("validatingwebhookconfiguration", "setscrew")
CORE = "core-v1.guard.setscrew.dev"
MERGE = "application/merge-patch+json"


@pytest.fixture(scope="module")
def stage(alone: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    policy = audit.policy_file(tmp_path_factory.mktemp("audit"))
    made = Stage(small_shop.SOURCES, small_shop.fill, canary_seconds=2.0, audit_policy=policy)
    with made as running:
        yield small_shop.synced_stage(running)


def watches(stage: Stage) -> dict[str, Any]:
    return ask(stage, "/api/v1/blind")["watches"]


def spans(stage: Stage, cause: str) -> list[dict[str, Any]]:
    return [one for one in ask(stage, "/api/v1/blind")["items"] if one["cause"] == cause]


def canary_is(stage: Stage, state: str) -> bool:
    return watches(stage).get("canary", {}).get("state") == state


def sees(stage: Stage) -> None:
    """Wait until every entry that can be tried refuses."""

    def proved() -> bool:
        entries = watches(stage).get("canary", {}).get("entries", {}).values()
        return canary_is(stage, "sees") and {one["state"] for one in entries} == {"sees"}

    stage.wait("a canary that sees", proved)


def edit(stage: Stage, value: str, *options: str) -> Any:
    """What a person does to a guarded ConfigMap."""
    patch = json.dumps({"data": {"mode": value}})
    command = ("patch", "configmap", "settings", "-n", "shop", "--type=merge", "-p", patch, *options)
    return stage.plane.kubectl(*command, kubeconfig=stage.person, check=False)


def servers(stage: Stage) -> list[int]:
    """The processes of the admission server."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, settings = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue
        if b"webhook.server" in words and str(stage.state_dir).encode() in settings:
            found.append(int(process.name))
    return sorted(found)


@contextmanager
def hanging(stage: Stage) -> Iterator[None]:
    """The admission server takes connections and answers nothing."""
    stopped = servers(stage)
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(stopped):  # the master last, which would end workers that have been silent
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def restart(stage: Stage, **options: Any) -> None:
    stage.stop_setscrew()
    stage.start_setscrew(**options)
    stage.wait("the guard", stage.guarded)


def metric(stage: Stage, name: str) -> str:
    """The value of the one sample whose name and labels begin so, "" without one."""
    address = read_address(stage.state_dir)
    bearer = f"Bearer {read_token(address.token_file).decode()}"
    request = urllib.request.Request(f"{address.url}/metrics", headers={"Authorization": bearer})  # noqa: S310
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        lines = answer.read().decode().splitlines()
    found = [line.rpartition(" ")[2] for line in lines if line.startswith(name)]
    assert len(found) <= 1, found
    return found[0] if found else ""


def test_a_good_guard_is_proved_entry_by_entry_and_nothing_is_left_behind(stage: Stage) -> None:
    before = stage.plane.kubectl("get", "deploy,cm,svc,ns", "-n", "shop", "-o", "yaml").stdout
    sees(stage)
    proved = watches(stage)["canary"]["entries"]
    assert {"apps-v1.guard.setscrew.dev", CORE, "resource.k8s.io-v1-fail.guard.setscrew.dev"} <= set(proved)
    assert "setscrew.dev/canary" not in stage.plane.kubectl("get", "deploy,cm,svc,ns", "-A", "-o", "yaml").stdout
    assert "setscrew.dev/canary" not in before
    assert ask(stage, f"/api/v1/decisions?user={CANARY}")["items"] == []
    assert metric(stage, 'setscrew_canary_state{cluster="default",state="sees"}') == "1.0"
    assert float(metric(stage, "setscrew_canary_last_success_timestamp_seconds")) > 1.7e9
    assert metric(stage, 'setscrew_blind{cause="canary",cluster="default"}') == "0.0"
    assert spans(stage, "canary") == []


def test_its_identity_may_really_change_nothing(stage: Stage) -> None:
    canary = stage.account("setscrew-canary")
    client = ApiClient.load(str(canary))
    path, body = "/api/v1/namespaces/default/configmaps/kube-root-ca.crt", {"metadata": {"labels": {"a": "b"}}}
    client.send("PATCH", path, body, {"dryRun": "All"}, content_type=MERGE)
    with pytest.raises(ApiError, match="setscrew-canary may only dry-run updates"):
        client.send("PATCH", path, body, content_type=MERGE)
    for verb in ("create", "delete", "deletecollection", "get", "list"):
        allowed = stage.plane.kubectl("auth", "can-i", verb, "secrets", "-A", kubeconfig=canary, check=False)
        assert allowed.stdout.strip() == "no", verb


def test_line_43_every_write_that_slipped_through_is_known_afterwards(stage: Stage) -> None:
    sees(stage)
    with hanging(stage):
        assert edit(stage, "debug").returncode == 0
        assert edit(stage, "trace", "--dry-run=server").returncode == 0
        assert edit(stage, "trace").returncode == 0
        stage.wait("the canary finds the guard blind", lambda: spans(stage, "canary"))
        assert not spans(stage, "canary")[0]["until"]
        assert metric(stage, 'setscrew_blind{cause="canary",cluster="default"}') == "1.0"
        assert "BLIND: entry " in stage.log
    sees(stage)
    stage.wait("the canary's span ends", lambda: all(one["until"] for one in spans(stage, "canary")))
    slipped = ask(stage, "/api/v1/blind")["slipped"]
    assert [(one["user"], one["verb"], one["name"], one["entry"], one["status"]) for one in slipped] == [
        ("dana", "patch", "settings", CORE, 200)
    ] * 2
    stage.wait("the span of failed calls ends", lambda: spans(stage, "fail-open")[0]["until"])
    (span,) = spans(stage, "fail-open")
    assert (span["writes"], span["entries"]) == (2, [CORE])
    assert span["since"][:19] == slipped[1]["time"][:19]  # to the second
    told = setscrew_on(stage, "drift")
    assert (
        f"Blind from {span['since']} to {span['until']}: 2 writes passed unjudged (fail-open; entry core-v1)"
        in told.stdout
    )
    drifted = [item["name"] for item in ask(stage, "/api/v1/drift")["items"]]
    assert "settings" in drifted
    assert edit(stage, "production").returncode == 0  # back to what Git says


def test_line_43_without_an_audit_log_they_are_counted(stage: Stage) -> None:
    known = len(spans(stage, "fail-open"))
    stage.audit_policy = None
    restart(stage)
    sees(stage)
    counter = f'setscrew_fail_open_writes_total{{cluster="default",entry="{CORE}"}}'
    before = float(metric(stage, counter) or 0)
    with hanging(stage):
        for value in ("one", "two", "three"):
            assert edit(stage, value).returncode == 0
        stage.wait("a span of failed calls", lambda: len(spans(stage, "fail-open")) > known)
    sees(stage)
    stage.wait("the span ends", lambda: all(one["until"] for one in spans(stage, "fail-open")))
    found = spans(stage, "fail-open")[: len(spans(stage, "fail-open")) - known]
    assert sum(one["writes"] for one in found) == 3
    assert {name for one in found for name in one["entries"]} == {CORE}
    assert float(metric(stage, counter)) == before + 3
    assert edit(stage, "production").returncode == 0


def test_line_42_a_condition_that_lets_nothing_through_is_found_in_one_round(stage: Stage) -> None:
    restart(stage, register=False)
    sees(stage)
    known = len(spans(stage, "canary"))
    live = json.loads(stage.plane.kubectl("get", *CONFIGURATION, "-o", "json").stdout)
    never = {"name": "never", "expression": "false"}
    entries = [{**one, "matchConditions": [*one.get("matchConditions", ()), never]} for one in live["webhooks"]]
    put(stage, entries)
    stage.wait("a blind canary", lambda: canary_is(stage, "blind"))
    assert len(spans(stage, "canary")) == known + 1
    assert (spans(stage, "canary")[0]["until"], spans(stage, "canary")[0]["writes"]) == ("", None)
    assert metric(stage, 'setscrew_canary_state{cluster="default",state="blind"}') == "1.0"
    put(stage, live["webhooks"])
    sees(stage)
    assert all(one["until"] for one in spans(stage, "canary"))


def test_while_the_guard_is_switched_off_nothing_is_proved(stage: Stage) -> None:
    stage.plane.kubectl("annotate", *CONFIGURATION, "setscrew.dev/off=2030-01-02T12:00:00Z dana")
    stage.wait("the canary rests", lambda: canary_is(stage, "off"))
    assert "dana" in watches(stage)["canary"]["detail"]
    stage.plane.kubectl("annotate", *CONFIGURATION, "setscrew.dev/off-")
    sees(stage)


def put(stage: Stage, entries: list[dict[str, Any]]) -> None:
    patch = json.dumps({"webhooks": entries})
    stage.plane.kubectl("patch", *CONFIGURATION, "--type=merge", "-p", patch)
