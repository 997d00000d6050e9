"""Break-glass on a real API server: what a grant lets through, what it does not, when it ends, what is left of it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.policy.model import GrantRules
from reconciler.store.grants import read_grants
from setscrew.demo.stage import PERSON, Stage
from setscrew.grants import create, revoke
from setscrew.store import STATE_FILE, existing_store
from tests.support import small_shop
from tests.support.command import setscrew_on
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]
WARNING = re.compile(r"Warning: Setscrew: away from Git under grant (\S+) until (\S+); what stays is drift")
SETTINGS = ("--user", PERSON, "--ref", "ConfigMap shop/settings")
REST = ("--reason", "the shop is on fire", "--approver", "lena")


@pytest.fixture
def synced(stage: Stage) -> Iterator[Stage]:
    """No grant, and no drift, from the test before."""
    yield stage
    with existing_store(stage.state_dir) as store:
        for one in read_grants(store):
            revoke(store, stage.state_dir, one.id, time.time(), by="the test", reason="")
    small_shop.sync(stage)
    eventually(lambda: refused(stage), "no grant holds")
    small_shop.sync(stage)


def created(stage: Stage, *args: str) -> str:
    """The id of a new grant."""
    done = setscrew_on(stage, "grant", "create", *args, *REST)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def grants(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(setscrew_on(stage, "grant", "list", "-o", "json").stdout)["items"]
    return found


def patched(stage: Stage, target: str, patch: Any) -> Any:
    words = ("patch", target, "-n", "shop", "--type=merge", "-p", json.dumps(patch))
    return stage.plane.kubectl(*words, kubeconfig=stage.person, check=False)


def set_mode(stage: Stage) -> Any:
    """A value that was never there: the same once more would be no change."""
    return patched(stage, "configmap/settings", {"data": {"mode": f"debug-{time.monotonic_ns()}"}})


def add_key(stage: Stage) -> Any:
    return patched(stage, "configmap/settings", {"data": {f"more-{time.monotonic_ns()}": "x"}})


def wrote(done: Any) -> bool:
    """Admitted, or refused by Setscrew; any other failure is none of both."""
    if done.returncode == 0:
        return True
    assert "away from Git" in done.stderr or "may not delete" in done.stderr, done.stderr
    return False


def warned(done: Any) -> tuple[str, str]:
    """Id and end that kubectl was warned with."""
    found = WARNING.search(done.stderr)
    assert found, done.stderr
    return found[1], found[2]


def admitted(stage: Stage) -> Any:
    """The write of a person, as soon as it passes."""
    return eventually(lambda: found if wrote(found := set_mode(stage)) else None, "the grant holds")


def refused(stage: Stage) -> bool:
    return not wrote(set_mode(stage))


def finding(stage: Stage, name: str) -> dict[str, Any] | None:
    items = (stage.drift() or {"items": []})["items"]
    return next((item for item in items if item["name"] == name), None)


def check_access(stage: Stage, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit status and answer of the command."""
    done = setscrew_on(stage, "check-access", *words, "-o", "json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_what_a_write_would_be_answered_is_asked_as_anybody_and_changes_nothing(synced: Stage) -> None:
    target = ("configmap/settings", "-n", "shop")
    before = synced.plane.kubectl("get", *target, "-o", "json").stdout
    drift = ("patch", *target, "-p", "data: {mode: debug-by-hand}")
    asked = {
        "a person": check_access(synced, *drift, "--as", PERSON),
        "nobody": check_access(synced, *drift, "--as", "nobody"),
        "in groups": check_access(
            synced, *drift, "--as", "nobody", "--as-group", "on-call", "--as-group", "system:masters"
        ),
        "free": check_access(synced, "patch", *target, "--as", PERSON, "-p", '{"metadata":{"labels":{"note":"x"}}}'),
        "delete": check_access(synced, "delete", "ns/shop", "--as", PERSON),
    }
    told = {name: (status, found["allowed"], found["by"]) for name, (status, found) in asked.items()}
    assert told == {
        "a person": (1, False, "setscrew"),
        "nobody": (3, False, "rbac"),
        "in groups": (1, False, "setscrew"),
        "free": (0, True, ""),
        "delete": (1, False, "setscrew"),
    }
    assert "away from Git" in asked["a person"][1]["message"]
    created(synced, *SETTINGS, "--for", "10m")
    eventually(lambda: check_access(synced, *drift, "--as", PERSON)[0] == 0, "the grant holds")
    _, found = check_access(synced, *drift, "--as", PERSON)
    assert WARNING.search("".join(f"Warning: {one}" for one in found["warnings"]))
    assert synced.plane.kubectl("get", *target, "-o", "json").stdout == before
    records = json.loads(setscrew_on(synced, "audit", "list", "--user", "nobody", "-o", "json").stdout)["items"]
    assert records == []


def test_the_command_of_a_denial_permits_just_what_was_refused(synced: Stage) -> None:
    image = ("set", "image", "deployment/web", "-n", "shop")
    refused = synced.plane.kubectl(*image, "web=evil:1", kubeconfig=synced.person, check=False)
    command = next(line for line in refused.stderr.splitlines() if "setscrew grant create" in line).partition(": ")[2]
    words = [word for word in shlex.split(command) if word != "…"]
    for option, word in zip(REST[::2], REST[1::2], strict=True):
        words.insert(words.index(option) + 1, word)
    made = setscrew_on(synced, *words[1:])
    assert made.returncode == 0, made.stderr
    identity = made.stdout.strip()

    def write() -> Any:
        done = synced.plane.kubectl(*image, "web=evil:1", kubeconfig=synced.person, check=False)
        return done if wrote(done) else None

    done = eventually(write, "the grant holds")
    assert warned(done) == (identity, grants(synced)[0]["spec"]["notAfter"])
    env = [{"name": "web", "env": [{"name": "MODE", "value": "test"}]}]
    both = {"spec": {"template": {"spec": {"containers": env}}}}
    other_path = synced.plane.kubectl(
        *("patch", "deployment/web", "-n", "shop", "-p", json.dumps(both)), kubeconfig=synced.person, check=False
    )
    assert not wrote(other_path)
    assert not wrote(
        synced.plane.kubectl("set", "image", "deployment/worker", "-n", "shop", "worker=evil:1", check=False)
    )
    assert not wrote(synced.plane.kubectl(*image, "web=evil:2", check=False)), "the grant is for somebody else"
    assert not wrote(
        synced.plane.kubectl("delete", "deployment/web", "-n", "shop", kubeconfig=synced.person, check=False)
    )


def test_what_is_left_is_drift_with_the_id_of_the_grant(synced: Stage) -> None:
    identity = created(synced, *SETTINGS, "--path", "/data/mode", "--for", "1h")
    admitted(synced)
    item = eventually(lambda: found if (found := finding(synced, "settings")) and found["grant"] else None, "drift")
    assert (item["state"], item["grant"]) == ("drifted", identity)
    assert identity in setscrew_on(synced, "drift", "--name", "settings").stdout


def test_a_grant_for_a_whole_object_lets_it_be_deleted(synced: Stage) -> None:
    identity = created(synced, *SETTINGS, "--for", "1h")

    def delete() -> Any:
        done = synced.plane.kubectl("delete", "configmap/settings", "-n", "shop", kubeconfig=synced.person, check=False)
        return done if wrote(done) else None

    assert warned(eventually(delete, "the grant holds"))[0] == identity
    item = eventually(lambda: found if (found := finding(synced, "settings")) and found["grant"] else None, "drift")
    assert (item["state"], item["grant"]) == ("missing", identity)


def test_of_two_grants_the_strictest_decides_and_the_first_to_end_is_named(synced: Stage) -> None:
    created(synced, *SETTINGS, "--for", "2h")
    admitted(synced)
    narrow = created(synced, *SETTINGS, "--path", "/data/mode", "--for", "1h")
    eventually(lambda: not wrote(add_key(synced)), "both grants hold")
    assert warned(set_mode(synced))[0] == narrow
    setscrew_on(synced, "grant", "revoke", narrow)
    eventually(lambda: wrote(add_key(synced)), "one grant holds")


def test_a_revoked_grant_permits_nothing_any_more(synced: Stage) -> None:
    identity = created(synced, *SETTINGS, "--for", "1h")
    admitted(synced)
    assert setscrew_on(synced, "grant", "revoke", identity, "--reason", "all is well").returncode == 0
    eventually(lambda: refused(synced), "the grant is gone")
    again = setscrew_on(synced, "grant", "create", *SETTINGS, "--for", "1h", "--reason", "x", "--approver", PERSON)
    assert (again.returncode, "is a subject of the grant" in again.stderr) == (2, True)
    assert refused(synced)


def test_a_grant_ends_without_anybodys_doing(synced: Stage) -> None:
    spec = {"subjects": [{"user": PERSON}], "scope": {"namespaces": ["shop"]}}
    document = {"metadata": {"name": "short"}, "spec": {**spec, "reason": "r", "approver": "lena", "duration": "30s"}}
    with existing_store(synced.state_dir) as store:
        create(store, synced.state_dir, [("test", document)], GrantRules(), time.time(), "the test")
    assert warned(admitted(synced))[0] == "short"
    eventually(lambda: refused(synced), "the grant has ended")


def test_a_grant_for_what_nobody_declares_says_so(synced: Stage) -> None:
    slip = setscrew_on(
        synced, "grant", "create", "--user", PERSON, "--ref", "ConfigMap shop/setings", "--for", "1h", *REST
    )
    assert (slip.returncode, "no source declares ConfigMap shop/setings" in slip.stderr) == (0, True)


@contextmanager
def git_away(stage: Stage) -> Iterator[None]:
    elsewhere = stage.repository.remote.with_name("elsewhere")
    stage.repository.remote.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(stage.repository.remote)


@contextmanager
def reconciler_stopped(stage: Stage) -> Iterator[None]:
    """Stopped, not ended: `setscrew run` would start another."""
    pid = next(
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if _words(process)[3:6] == ["reconcile", "--state", str(stage.state_dir)]
    )
    eventually(lambda: _stopped_between_writes(pid, stage.state_dir), "a moment in which it does not write")
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _stopped_between_writes(pid: int, state_dir: Path) -> bool:
    """One that is stopped in the middle of a transaction would hold the store for ever, as none that ends does."""
    os.kill(pid, signal.SIGSTOP)
    with closing(sqlite3.connect(state_dir / STATE_FILE, timeout=0.1)) as store:
        try:
            store.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            os.kill(pid, signal.SIGCONT)
            return False
        store.rollback()
    return True


def _words(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


@pytest.mark.parametrize("away", [git_away, reconciler_stopped])
def test_line_17_a_grant_works_while_git_or_the_reconciler_is_away(synced: Stage, away: Any) -> None:
    with away(synced):
        identity = created(synced, *SETTINGS, "--for", "1h")
        assert warned(admitted(synced))[0] == identity
