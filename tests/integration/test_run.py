"""`setscrew run` as an operator meets it: pushes, signals, killed parts, Git gone, the off-switch. Real parts only."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from setscrew.cli.drift_out import FORMATS
from setscrew.demo.stage import Stage
from tests.support import small_shop
from tests.support.command import setscrew_on

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

PARTS = {"reconciler": "reconcile", "admission server": "webhook.server", "API server": "setscrew.serve_api"}
REGISTRATION = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/setscrew"


def refused(stage: Stage) -> bool:
    """Whether a person's change is refused: to an image that was never there, so that it is a change in any case."""
    image = f"web=evil:{time.monotonic_ns()}"
    done = stage.plane.kubectl("set", "image", "deploy/web", image, "-n", "shop", check=False)
    return "Git wants" in done.stderr


def push_size(stage: Stage, size: int, *, wait: bool = True) -> str:
    commit, talk = small_shop.edit(stage, "cache/values.yaml", f"size: {size}\n", f"Size {size}")
    if wait:
        stage.wait("the pushed revision", lambda: stage.enforced(commit))
    return talk


def main_pid(stage: Stage) -> int:
    assert stage._process is not None
    return stage._process.pid


def children(pid: int) -> dict[str, int]:
    """Pid of each part of a running `setscrew run`."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == pid:
            found |= {name: int(process.name) for name, word in PARTS.items() if word in words}
    return found


def processes_of(stage: Stage) -> list[int]:
    """Whoever names the state directory, in arguments or environment: all parts and their workers do."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            known = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(stage.state_dir).encode() in known:
            found.append(int(process.name))
    return found


def registration(stage: Stage) -> dict[str, Any]:
    answer = stage.plane.request("GET", REGISTRATION)
    assert answer.status == 200
    return dict(answer.body)


# Pushes


def test_a_push_is_enforced_at_once_and_repairs_the_registration(stage: Stage) -> None:
    patch = json.dumps([{"op": "replace", "path": "/webhooks/0/matchPolicy", "value": "Exact"}])
    stage.plane.kubectl("patch", "validatingwebhookconfiguration", "setscrew", "--type=json", "-p", patch)
    began = time.monotonic()
    talk = push_size(stage, 128)
    assert "202" in talk
    assert time.monotonic() - began < 30
    stage.wait(
        "the repair", lambda: {entry["matchPolicy"] for entry in registration(stage)["webhooks"]} == {"Equivalent"}
    )
    done = stage.plane.kubectl(
        "patch", "cm", "cache", "-n", "shop", "--type=merge", "-p", '{"data":{"size":"64"}}', check=False
    )
    # 64 was right until the push, and no write at all now.
    assert done.returncode == 0
    small_shop.sync(stage)
    done = stage.plane.kubectl(
        "patch", "cm", "cache", "-n", "shop", "--type=merge", "-p", '{"data":{"size":"64"}}', check=False
    )
    assert 'Git wants "128", the request has "64"' in done.stderr


def test_a_push_with_a_wrong_signature_is_401_and_changes_nothing(stage: Stage) -> None:
    hook = stage.repository.remote / "hooks" / "post-receive"
    script = hook.read_text()
    hook.unlink()
    digest = stage.snapshot().digest
    try:
        small_shop.edit(stage, "cache/values.yaml", "size: 1\n", "Nobody is told")
        body = json.dumps({"ref": "refs/heads/main", "repository": {"clone_url": stage.repository.url}}).encode()
        headers = {"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": "1"}
        for proof in ({}, {"X-Hub-Signature-256": "sha256=" + "0" * 64}):
            url = urlsplit(stage.hook_url)
            with closing(http.client.HTTPConnection(url.netloc, timeout=20)) as connection:
                connection.request("POST", url.path, body, {**headers, **proof})
                assert connection.getresponse().status == 401
        time.sleep(2)
        assert stage.snapshot().digest == digest
    finally:
        hook.write_text(script)
        hook.chmod(0o755)
    push_size(stage, 64)
    small_shop.sync(stage)


# Explain and diff


@pytest.mark.parametrize(
    ("target", "field", "declared", "allowed", "said"),
    [
        ("deployment/web", "spec.template.spec.containers[name=web].image", True, False, 'Git wants "registry'),
        ("deployment/web", "/spec/template/spec/containers/0/image", True, False, 'Git wants "registry'),
        ("deployment/web", "spec.progressDeadlineSeconds", True, False, "Git wants 600"),
        ("deployment/web", "spec.template.spec.hostNetwork", False, False, "is not in Git"),
        ("deployment/web", "metadata.labels.mine", False, True, ""),
        ("deployment/worker", "spec.replicas", False, False, ""),
        ("secret/db", "data.password", True, False, '"***"'),
    ],
)
def test_explain_tells_of_a_field_what_a_change_would_be_answered(
    stage: Stage, target: str, field: str, declared: bool, allowed: bool, said: str
) -> None:
    done = setscrew_on(stage, "explain", target, "-n", "shop", "--field", field, "-o", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["field"]["declared"], found["field"]["change"]["allowed"]) == (declared, allowed)
    assert said in found["field"]["change"]["message"]
    assert found["file"].startswith("shop/shop.yaml:")
    text = setscrew_on(stage, "explain", target, "-n", "shop", "--field", field)
    assert f"would be {'allowed' if allowed else 'refused'}" in text.stdout


IMAGE = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "evil:1"}]}}}}
OTHER = base64.b64encode(small_shop.OTHER_SECRET.encode()).decode()


@pytest.mark.parametrize(
    ("target", "field", "to", "patch"),
    [
        ("deployment/web", "spec.template.spec.containers[name=web].image", "evil:1", IMAGE),
        ("deployment/web", "spec.replicas", "7", {"spec": {"replicas": 7}}),
        ("deployment/web", "spec.paused", "true", {"spec": {"paused": True}}),
        ("deployment/web", "spec.progressDeadlineSeconds", "5", {"spec": {"progressDeadlineSeconds": 5}}),
        ("deployment/web", "metadata.labels.app", "null", {"metadata": {"labels": {"app": None}}}),
        ("configmap/settings", "data.mode", "'12'", {"data": {"mode": "12"}}),
        ("configmap/settings", "data", "{mode: a, more: b}", {"data": {"mode": "a", "more": "b"}}),
        (
            "configmap/settings",
            "metadata.annotations[setscrew.dev/x]",
            "y",
            {"metadata": {"annotations": {"setscrew.dev/x": "y"}}},
        ),
        ("secret/db", "data.password", OTHER, {"data": {"password": OTHER}}),
        ("service/web", "", "", None),
        ("namespace/shop", "", "", None),
    ],
)
def test_explain_answers_before_the_change_with_the_very_words_of_the_denial(
    stage: Stage, target: str, field: str, to: str, patch: dict[str, Any] | None
) -> None:
    me = json.loads(stage.plane.kubectl("auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]
    question = ["--field", field, "--to", to] if field else ["--delete"]
    groups = [word for group in me["groups"] for word in ("--group", group)]
    asked = setscrew_on(
        stage, "explain", target, "-n", "shop", *question, "--as", me["username"], *groups, "-o", "json"
    )
    assert asked.returncode == 0, asked.stderr
    found = json.loads(asked.stdout)
    answer = found["field"]["change"] if field else found["delete"]
    change = ["patch", target, "--type=strategic", "-p", json.dumps(patch)] if patch else ["delete", target]
    real = stage.plane.kubectl(*change, "-n", "shop", check=False)
    assert (answer["allowed"], real.returncode) == (False, 1)
    assert answer["message"] == real.stderr.partition("denied the request: ")[2].rstrip("\n")


def test_explain_says_that_what_controllers_derive_is_not_guarded(stage: Stage) -> None:
    done = setscrew_on(stage, "explain", "pod/web-5c7", "-n", "shop")
    assert done.returncode == 2
    assert "Pods, ReplicaSets and Jobs that controllers derive are not guarded in this version" in done.stderr
    assert "not guarded   Pods" in setscrew_on(stage, "explain", "deployment/web", "-n", "shop").stdout


def test_explain_tells_of_a_grant_and_that_the_change_would_pass_under_it(stage: Stage) -> None:
    scope = ("--ref", "ConfigMap shop/settings", "--path", "/data/mode")
    why = ("--for", "10m", "--reason", "a test", "--approver", "lena")
    made = setscrew_on(stage, "grant", "create", "--user", "dana", *scope, *why)
    assert made.returncode == 0, made.stderr
    asked = ("explain", "configmap/settings", "-n", "shop", "--field", "data.mode", "--to", "x")
    found = json.loads(setscrew_on(stage, *asked, "--as", "dana", "-o", "json").stdout)
    assert found["grants"][0]["metadata"]["name"] == made.stdout.strip()
    assert (found["field"]["change"]["code"], found["field"]["change"]["would"]) == ("granted", "drift")
    refusal = setscrew_on(stage, *asked, "--as", "somebody").stdout
    assert "would be refused (drift)\nsomebody may not change ConfigMap shop/settings away from Git.\n" in refusal
    assert "Warning: Setscrew: away from Git under grant" in setscrew_on(stage, *asked, "--as", "dana").stdout
    assert setscrew_on(stage, "grant", "revoke", made.stdout.strip(), "--reason", "done").returncode == 0


def test_explain_names_the_rule_that_leaves_replicas_to_the_autoscaler(stage: Stage) -> None:
    done = setscrew_on(stage, "explain", "deployment/worker", "-n", "shop")
    assert "/spec/replicas" in done.stdout
    assert "confirmed by the API server" in done.stdout
    assert "deleting it would be refused" in done.stdout


def test_explain_of_an_unguarded_object_is_one_line(stage: Stage) -> None:
    done = setscrew_on(stage, "explain", "configmap/kube-root-ca.crt", "-n", "shop")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "is not guarded: no source declares it" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--source", "shop"], ["--source", "cache"]])
def test_diff_finds_nothing_where_nothing_differs(stage: Stage, arguments: list[str]) -> None:
    done = setscrew_on(stage, "diff", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "No drift" in done.stdout


def test_diff_of_a_changed_directory_shows_the_field_and_ends_with_1(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(small_shop.SHOP.replace("web:1", "web:2"))
    done = setscrew_on(stage, "diff", tmp_path, "-o", "json")
    assert done.returncode == 1, done.stderr
    items = {item["name"]: item for item in json.loads(done.stdout)["items"] if item["state"] == "drifted"}
    assert [change["field"] for change in items["web"]["changes"]] == ["spec.template.spec.containers[name=web].image"]
    assert set(items) == {"web"}
    shown = setscrew_on(stage, "diff", tmp_path, "-o", "diff")
    assert '+"registry.example.com/web:1"' in shown.stdout.replace(
        "+registry.example.com/web:1", '+"registry.example.com/web:1"'
    )


# One state directory, one run


def test_a_second_run_on_the_same_state_is_refused_in_one_line(stage: Stage) -> None:
    done = setscrew_on(stage, "run", "--config", stage.directory / "config", "--allow-local-sources")
    assert done.returncode == 5
    assert "another `setscrew run` uses this state directory" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert refused(stage)


# Parts that die


@pytest.mark.parametrize("part", list(PARTS))
def test_a_killed_part_is_started_again(stage: Stage, part: str) -> None:
    before = children(main_pid(stage))
    assert set(before) == set(PARTS)
    os.kill(before[part], signal.SIGKILL)
    stage.wait("another one", lambda: children(main_pid(stage)).get(part, before[part]) != before[part])
    assert f"the {part} ended with status -9: starting it again" in stage.log
    stage.wait("the guard", lambda: refused(stage))
    stage.wait("the report", lambda: stage.drift() is not None)
    push_size(stage, 500 + len(part))
    push_size(stage, 64)
    small_shop.sync(stage)


# Stopping and starting


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_of_it_with_status_0(stage: Stage, number: signal.Signals) -> None:
    process = stage._process
    assert process is not None
    process.send_signal(number)
    assert process.wait(60) == 0
    assert processes_of(stage) == []
    assert "Traceback" not in stage.log
    stage._process = None
    stage.start_setscrew()
    stage.wait("the guard", lambda: refused(stage))


def test_a_restart_while_git_is_gone_keeps_guarding_and_reporting(stage: Stage) -> None:
    commit = next(iter(stage.snapshot().sources.values())).commit
    answered = small_shop.ask(stage, "/api/v1/decisions")["items"]
    assert answered
    assert stage.stop_setscrew() == 0
    head = stage.repository.remote / "HEAD"
    away = head.rename(head.with_name("HEAD.away"))
    try:
        stage.start_setscrew()
        stage.wait("the guard", lambda: refused(stage))
        assert stage.enforced(commit)
        assert stage.unconfirmed() == []
        stage.wait("the failure", lambda: small_shop.source(stage, "shop")["state"] == "FetchFailed")
        stage.plane.kubectl("label", "deploy/web", "-n", "shop", "seen=yes", "--overwrite")
        assert (stage.drift() or {})["summary"]["managed"] == len(list(stage.snapshot().entries()))
        assert (stage.drift() or {})["metadata"]["stale"] is True
        # What was decided before is not forgotten.
        assert answered[0] in small_shop.ask(stage, "/api/v1/decisions")["items"]
    finally:
        away.rename(head)
    stage.wait("Git again", lambda: small_shop.source(stage, "shop")["state"] == "Ready")
    stage.wait("server forms", lambda: not stage.unconfirmed())


# The off-switch, and what slipped in meanwhile


def test_the_off_switch_stays_off_and_no_secret_is_shown_anywhere(stage: Stage) -> None:
    done = setscrew_on(stage, "register", "--remove")
    assert (done.returncode, done.stdout) == (0, "")
    assert "nothing is refused any more" in done.stderr
    stage.wait("the API server to notice", lambda: not refused(stage))
    push_size(stage, 96)
    assert "webhooks" not in registration(stage)
    before = children(main_pid(stage))
    os.kill(before["reconciler"], signal.SIGKILL)
    stage.wait(
        "another reconciler", lambda: children(main_pid(stage)).get("reconciler", 0) not in (0, before["reconciler"])
    )
    push_size(stage, 64)
    assert "webhooks" not in registration(stage)

    other = base64.b64encode(small_shop.OTHER_SECRET.encode()).decode()
    patch = json.dumps({"data": {"password": other}})
    stage.plane.kubectl("patch", "secret", "db", "-n", "shop", "--type=merge", "-p", patch)
    stage.wait("the finding", lambda: "db" in {item["name"] for item in (stage.drift() or {})["items"]})
    shown = [
        setscrew_on(stage, *command)
        for command in (
            ["drift", "-o", "json"], *(["drift", "-o", form] for form in FORMATS),
            ["drift", "--by", "namespace"],
            ["diff", "--source", "shop"], ["diff", "--source", "shop", "-o", "diff"],
            ["explain", "secret/db", "-n", "shop"], ["explain", "secret/db", "-n", "shop", "--field", "data.password"],
        )
    ]  # fmt: skip
    assert [done.returncode for done in shown] == [*[1] * (len(shown) - 2), 0, 0]
    assert "data.password" in shown[0].stdout

    done = setscrew_on(stage, "register")
    assert done.returncode == 0, done.stderr
    stage.wait("the guard", lambda: refused(stage))
    small_shop.sync(stage)
    text = change_secret(stage)
    assert "data.password" in text
    written = [path for path in stage.state_dir.rglob("*") if path.is_file() and "mirrors" not in path.parts]
    assert {"state.db", "run.json"} <= {path.name for path in written}
    said = {str(path): content(path) for path in written} | {
        "log": stage.log.encode(),
        "denial": text.encode(),
        **{" ".join(done.args[2:]): (done.stdout + done.stderr).encode() for done in shown},
    }
    assert [name for name, content in said.items() for secret in small_shop.SECRETS if secret.encode() in content] == []


def content(path: Path) -> bytes:
    """What a file holds; of one that was renamed meanwhile nothing: it is there by its other name."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def change_secret(stage: Stage) -> str:
    patch = json.dumps({"stringData": {"password": small_shop.OTHER_SECRET}})
    return stage.plane.kubectl("patch", "secret", "db", "-n", "shop", "--type=merge", "-p", patch, check=False).stderr
