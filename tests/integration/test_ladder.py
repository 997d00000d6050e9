"""Plays the pages of docs/operations beside emergency.md: certificate, disk, policy, Git, API server, state directory.

The commands are read from the pages: a page that is wrong fails here. Everything is real; the state directory is a file
system of its own, so that it can be full.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from reconciler.errors import ClusterError
from setscrew.demo.stage import Stage
from tests.chaos.trials import small_disk
from tests.support import small_shop
from tests.support.runbook import Page, play, typed
from webhook.tls.authority import issue, read_pair
from webhook.tls.files import ensure

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

NAMES = ("127.0.0.1", "localhost")
POLICY = {
    "apiVersion": "setscrew.dev/v1alpha1",
    "kind": "DriftPolicy",
    "metadata": {"name": "strict"},
    "spec": {"priority": 10, "match": [{"namespaces": ["shop"]}], "failurePolicy": "Fail"},
}


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    """The small shop, where calls that fail are refused."""
    with Stage(small_shop.SOURCES, small_shop.fill, scan_seconds=1) as one, small_disk(one.state_dir):
        one.configured()
        (one.directory / "config" / "strict.yaml").write_text(yaml.safe_dump(POLICY))
        yield small_shop.synced_stage(one)
        one.stop_setscrew()


def words(stage: Stage) -> dict[str, str]:
    return {"CONFIG": str(stage.directory / "config"), "SOURCE": "shop"}


def forbidden(stage: Stage) -> str:
    """What a write is answered that Git forbids: "" if it passes."""
    image = f"web=evil:{time.monotonic_ns()}"
    done = stage.plane.kubectl("set", "image", "deploy/web", image, "-n", "shop", check=False)
    return done.stderr if done.returncode else ""


def guarded(stage: Stage) -> bool:
    return "Git wants" in forbidden(stage)


def push(stage: Stage, size: int) -> str:
    commit, _ = small_shop.edit(stage, "cache/values.yaml", f"size: {size}\n", f"Size {size}")
    return commit


def processes(stage: Stage, word: bytes) -> list[int]:
    """Processes of the stage's Setscrew with that word in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            said, known = (process / "cmdline").read_bytes().split(b"\0"), (process / "environ").read_bytes()
            if word in said and str(stage.state_dir).encode() in known + b" ".join(said):
                found.append(int(process.name))
    return found


def test_a_full_disk_leaves_the_guard_and_is_well_once_there_is_room(stage: Stage) -> None:
    if not os.path.ismount(stage.state_dir):
        pytest.skip("no file system may be mounted here")
    with (stage.state_dir / "renders" / "ballast").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 65_536):
            pass
    commit = push(stage, 128)
    stage.wait("a line that says so", lambda: "No space left" in stage.log or "disk is full" in stage.log)
    assert guarded(stage)
    assert not stage.enforced(commit)
    page = Page("full-disk.md")
    for command in page.commands("Make room"):
        play(stage, command)
    for command in page.commands("Is it well again?"):
        play(stage, command)
    stage.wait("the push that came meanwhile", lambda: stage.enforced(commit))
    assert guarded(stage)


@pytest.mark.parametrize("ended", ["serving", "authority"])
def test_an_expired_certificate_is_seen_and_made_anew_by_a_restart(stage: Stage, ended: str) -> None:
    tls = stage.state_dir / "tls"
    hung = processes(stage, b"reconcile")
    for pid in hung:
        os.kill(pid, signal.SIGSTOP)
    if ended == "serving":
        authority = read_pair((tls / "ca.crt").read_bytes(), (tls / "ca.key").read_bytes())
        assert authority is not None
        pair = issue(authority, NAMES, datetime.now(UTC) - timedelta(days=8))
        (tls / "tls.crt").write_bytes(pair.certificate_pem)
        (tls / "tls.key").write_bytes(pair.key_pem)
    else:
        shutil.rmtree(tls)
        ensure(tls, NAMES, datetime.now(UTC) - timedelta(days=400))
    for pid in processes(stage, b"webhook.server"):
        os.kill(pid, signal.SIGKILL)
    stage.wait("writes to fail", lambda: "x509: certificate" in forbidden(stage))
    page = Page("expired-certificate.md")
    said = [play(stage, command) for command in page.commands("Which one, and since when")]
    assert "notAfter=" in said[0]
    assert "ended" in said[-1]
    for pid in hung:
        os.kill(pid, signal.SIGKILL)
    stage.stop_setscrew()
    if ended == "authority":
        play(stage, page.commands("Setscrew's own certificates")[0])
    stage.start_setscrew()
    stage.wait("the guard", lambda: guarded(stage))


def test_a_policy_that_cannot_be_read_is_taken_away_and_mended(stage: Stage) -> None:
    strict = stage.directory / "config" / "strict.yaml"
    stage.stop_setscrew()
    strict.write_text(yaml.safe_dump({**POLICY, "spec": {**POLICY["spec"], "action": "Maybe"}}))  # type: ignore[dict-item]
    with pytest.raises(ClusterError, match=r"(?s)strict\.yaml.*action.*SS1000"):
        stage.start_setscrew()
    stage._process = None
    page = Page("bad-policy.md")
    away, look = page.commands("It does not start")
    assert "strict.yaml" in typed(stage, look, words(stage)).stdout
    play(stage, away, words(stage))
    stage.start_setscrew()
    stage.wait("the guard", lambda: guarded(stage))
    strict.write_text(yaml.safe_dump(POLICY))
    assert "strict.yaml" not in typed(stage, look, words(stage)).stdout


def test_a_policy_that_refuses_too_much_is_switched_off_at_once(stage: Stage) -> None:
    remove, away, on, rehearse = Page("bad-policy.md").commands("It refuses everybody")
    play(stage, remove)
    stage.wait("writes to pass", lambda: not forbidden(stage))
    play(stage, away, words(stage))
    stage.stop_setscrew()
    stage.start_setscrew()
    play(stage, on)
    small_shop.sync(stage)
    stage.wait("the guard", lambda: guarded(stage))
    assert play(stage, rehearse)


def test_while_git_is_down_the_guard_stands_and_a_grant_lets_one_change_pass(stage: Stage) -> None:
    head = stage.repository.remote / "HEAD"
    away = head.rename(head.with_name("HEAD.away"))
    page = Page("git-away.md")
    try:
        (listed,) = page.commands("You see")
        typed(stage, "setscrew source refresh --state STATE")
        stage.wait("the failure", lambda: "FetchFailed" in play(stage, listed))
        assert guarded(stage)
        (grant,) = page.commands("A change that cannot wait")
        play(stage, grant)
        patch = '{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"registry.example.com/web:0"}]}}}}'
        stage.plane.kubectl("patch", "deploy/web", "-n", "shop", "-p", patch, kubeconfig=stage.person)
    finally:
        away.rename(head)
    (again,) = page.commands("Git is back")
    play(stage, again)
    assert "FetchFailed" not in play(stage, listed)
    small_shop.sync(stage)


def test_it_comes_back_by_itself_after_the_api_server(stage: Stage) -> None:
    stage.plane.stop_component("kube-apiserver")
    try:
        stage.wait("a line that says so", lambda: "cannot be reached: Connection refused" in stage.log)
    finally:
        stage.plane.start_component("kube-apiserver")
    stage.wait("the guard", lambda: guarded(stage))
    for command in Page("api-server-away.md").commands("Is it well again?"):
        assert play(stage, command)


def drift_under_a_grant(stage: Stage) -> None:
    """Something that differs from Git, made by right."""
    (grant,) = Page("git-away.md").commands("A change that cannot wait")
    play(stage, grant)
    stage.plane.kubectl("set", "image", "deploy/web", "web=drifted:1", "-n", "shop", kubeconfig=stage.person)


def test_without_a_state_directory_it_guards_again_from_git_and_the_cluster(stage: Stage) -> None:
    drift_under_a_grant(stage)
    stage.stop_setscrew()
    for path in stage.state_dir.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    stage._feed, stage.enforce = None, False
    stage.start_setscrew()
    page = Page("restore.md")
    (listed,) = page.commands("Start it")
    assert "shop" in play(stage, listed)
    drift, enforce = page.commands("Enforce again")
    stage.wait("the source to be watched", lambda: "Source shop is watched" in typed(stage, drift).stdout)
    # Whom the registration names is known anew as well: until then writes fail.
    stage.wait("writes to pass", lambda: not forbidden(stage))
    play(stage, enforce, words(stage))
    small_shop.sync(stage)
    stage.wait("the guard", lambda: guarded(stage))
