"""Holds configuration by objects on a real API server and a real Git server: followed, and answered with the truth."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cluster.api import ApiClient
from reconciler.loop.serve import Clockwork
from reconciler.policy.grant_file import load
from reconciler.policy.model import GrantRules
from reconciler.render.spec import RenderTools
from setscrew.controlplane import ControlPlane, Tools
from setscrew.incluster.configured import Configured
from setscrew.incluster.granted import Granted
from setscrew.options import Options
from setscrew.reconcile import make
from setscrew.site import Site
from setscrew.store import open_store
from tests.support.git_http import GitHttp
from tests.support.git_site import Work
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

TOP = Path(__file__).parents[2]
BASE = TOP / "manifests" / "base"
PASSWORD = "correct horse battery"
DANA = {"dana": PASSWORD}


@dataclass(slots=True)
class Leader:
    """The leader's clockwork over a control plane, with the rights of its manifests, and a Git server."""

    plane: ControlPlane
    git: GitHttp
    work: Work
    clockwork: Clockwork
    said: list[str] = field(default_factory=list)

    def apply(self, kind: str, name: str, **spec: Any) -> None:
        document = {"apiVersion": "setscrew.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        self.plane.kubectl("apply", "-f", "-", input=yaml.safe_dump(document))

    def source(self, name: str, **spec: Any) -> None:
        whole = {"url": self.git.url(), "secretRef": {"name": "deploy"}, "allowPrivateHosts": True, **spec}
        self.apply("GitSource", name, **whole)

    def get(self, resource: str, name: str) -> dict[str, Any]:
        return dict(json.loads(self.plane.kubectl("get", resource, name, "-o", "json").stdout))

    def ready(self, resource: str, name: str) -> tuple[str, str]:
        """Status and reason of the condition Ready."""
        conditions = self.get(resource, name).get("status", {}).get("conditions", [])
        return next(((one["status"], one["reason"]) for one in conditions if one["type"] == "Ready"), ("", ""))

    def becomes(self, resource: str, name: str, ready: tuple[str, str]) -> dict[str, Any]:
        """The status once Ready is that."""
        eventually(lambda: self.ready(resource, name) == ready, f"{resource} {name} to be {ready}")
        return dict(self.get(resource, name)["status"])

    def declared(self) -> set[str]:
        """Names of what the current snapshot declares."""
        current = self.clockwork.reconciler.current
        return {entry.ref.name for entry in current.entries} if current is not None else set()


def secret(name: str, **keys: bytes) -> dict[str, Any]:
    data = {key.replace("_", "."): base64.b64encode(value).decode() for key, value in keys.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "setscrew-system"},
        "data": data,
    }


def client(plane: ControlPlane, connections: int = 8) -> ApiClient:
    kubeconfig = plane.service_account_kubeconfig("setscrew-system", "setscrew-reconciler")
    return ApiClient.load(str(kubeconfig), connections=connections)


@pytest.fixture(scope="module")
def leader(control_plane: ControlPlane, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leader]:
    plane, directory = control_plane, tmp_path_factory.mktemp("leader")
    renderers = RenderTools(tools.path("helm"), tools.path("kubectl"))
    given = ["namespace.yaml", "service-accounts.yaml", "rbac.yaml", "../events/rbac.yaml"]
    plane.kubectl("apply", "-k", TOP / "manifests" / "crds")
    plane.kubectl("apply", "--validate=false", *(f"--filename={BASE / name}" for name in given))
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    (directory / "config").mkdir()
    with GitHttp(directory / "served", users=DANA) as git:
        work = Work.of(git.create(), directory / "work")
        work.commit(names=("one", "two"))
        work.git("push", "origin", "main")
        keys = {"username": b"dana", "password": PASSWORD.encode(), "ca_crt": git.ca}
        plane.kubectl("apply", "-f", "-", input=yaml.safe_dump(secret("deploy", **keys)))
        plane.kubectl(
            "apply", "-f", "-", input=yaml.safe_dump(secret("wrong", **{**keys, "password": b"hunter2-hunter2"}))
        )
        said: list[str] = []
        site = Site(
            reader=lambda connections: client(plane, connections),
            configured=Configured(client(plane), directory / "config", said.append),
        )
        options = Options(
            directory / "state", directory / "config", renderers, enforce=True, events=True, scan_seconds=5
        )
        clockwork = make(options, site)
        running = threading.Thread(target=clockwork.run, daemon=True)
        running.start()
        one = Leader(plane, git, work, clockwork, said)
        yield one
        clockwork.stop()
        running.join(30)
        plane.kubectl("delete", "gitsources,driftpolicies,driftgrants", "--all")
        plane.kubectl("delete", "-k", TOP / "manifests" / "crds")
        plane.kubectl("delete", "namespace", "setscrew-system")


@pytest.fixture
def shop(leader: Leader) -> Iterator[str]:
    """A source that is enforced."""
    leader.source("shop")
    leader.becomes("gitsource", "shop", ("True", "Enforced"))
    yield "shop"
    leader.plane.kubectl("delete", "gitsource", "shop")
    eventually(lambda: not leader.declared(), "the source to be forgotten")


def test_kubectl_get_gitsources_tells_the_truth(leader: Leader, shop: str) -> None:
    commit = leader.work.git("rev-parse", "HEAD")
    status = leader.get("gitsource", shop)["status"]
    assert (status["mode"], status["commit"], status["objects"], status["ref"]) == ("Enforced", commit, 2, "HEAD")
    assert leader.declared() == {"one", "two"}
    (_, row) = leader.plane.kubectl("get", "gsrc").stdout.splitlines()
    assert row.split()[:6] == [shop, leader.git.url(), "HEAD", f"main@sha1:{commit}", "Enforced", "True"]


def test_a_push_is_a_new_commit_of_the_status(leader: Leader, shop: str) -> None:
    leader.work.commit("y", names=("one", "two", "three"))
    leader.work.git("push", "origin", "main")
    commit = leader.work.git("rev-parse", "HEAD")
    list(leader.clockwork.refresh([shop]))
    eventually(lambda: leader.get("gitsource", shop)["status"]["commit"] == commit, "the commit")
    eventually(lambda: leader.get("gitsource", shop)["status"]["objects"] == 3, "the objects")


def test_a_source_that_cannot_be_used_says_what_to_do_and_stops_no_other(leader: Leader, shop: str) -> None:
    leader.source("odd", ref={"semver": "banana"})
    leader.source("greedy", secretRef={"name": "setscrew-signing"})
    leader.source("locked", secretRef={"name": "wrong"})
    try:
        status = leader.becomes("gitsource", "odd", ("False", "Invalid"))
        (ready,) = (one for one in status["conditions"] if one["type"] == "Ready")
        assert "spec.ref.semver: cannot read 'banana' as a range of versions" in ready["message"]
        leader.becomes("gitsource", "greedy", ("False", "Invalid"))
        locked = leader.becomes("gitsource", "locked", ("False", "FetchFailed"))
        assert "hunter2" not in json.dumps(locked) + "".join(leader.said)
        assert leader.ready("gitsource", shop) == ("True", "Enforced")
        events = eventually(lambda: of(leader, "ConfigurationRefused"), "an Event")
        assert {one["regarding"]["name"] for one in events} <= {"odd", "greedy"}
        assert {one["type"] for one in events} == {"Warning"}
        leader.source("odd", ref={"branch": "main"}, path=".")
        leader.becomes("gitsource", "odd", ("True", "Enforced"))
        eventually(lambda: of(leader, "ConfigurationAccepted"), "an Event")
    finally:
        leader.plane.kubectl("delete", "gitsource", "odd", "greedy", "locked")


def of(leader: Leader, reason: str) -> list[dict[str, Any]]:
    found = json.loads(leader.plane.kubectl("get", "events.events.k8s.io", "-n", "default", "-o", "json").stdout)
    return [one for one in found["items"] if one["reason"] == reason]


def test_a_source_that_is_wrong_from_one_moment_on_stays_enforced(leader: Leader, shop: str) -> None:
    before = leader.declared()
    leader.source(shop, ref={"semver": "banana"})
    status = leader.becomes("gitsource", shop, ("False", "Invalid"))
    assert status["mode"] == "Enforced"
    assert leader.declared() == before
    leader.source(shop, ref={"branch": "main"})
    leader.becomes("gitsource", shop, ("True", "Enforced"))


def test_a_suspended_source_is_not_read_and_stays_enforced(leader: Leader, shop: str) -> None:
    before = leader.declared()
    leader.source(shop, suspend=True)
    assert leader.becomes("gitsource", shop, ("False", "Suspended"))["mode"] == "Suspended"
    assert leader.declared() == before


def actions(leader: Leader) -> set[str]:
    current = leader.clockwork.reconciler.current
    assert current is not None
    return {entry.policy.action for entry in current.entries}


def test_a_policy_counts_while_all_goes_on_and_says_for_how_many(leader: Leader, shop: str) -> None:
    assert actions(leader) == {"Deny"}
    leader.apply("DriftPolicy", "trial", priority=50, match=[{"sources": [shop]}], action="Audit")
    try:
        eventually(lambda: actions(leader) == {"Audit"}, "the policy")
        status = leader.becomes("driftpolicy", "trial", ("True", "Accepted"))
        eventually(lambda: leader.get("driftpolicy", "trial")["status"]["objects"] == len(leader.declared()), "a count")
        assert status["observedGeneration"] == 1
        leader.apply("DriftPolicy", "default", priority=99, action="Audit")
        leader.becomes("driftpolicy", "default", ("False", "DefinedTwice"))
    finally:
        leader.plane.kubectl("delete", "driftpolicy", "trial", "default")
    eventually(lambda: actions(leader) == {"Deny"}, "the policy to be gone")


def test_what_nobody_changes_is_not_written_again(leader: Leader, shop: str) -> None:
    leader.apply("DriftPolicy", "first", match=[{"names": ["nothing"]}])
    leader.becomes("driftpolicy", "first", ("True", "Accepted"))
    version = leader.get("driftpolicy", "first")["metadata"]["resourceVersion"]
    # Statuses are looked at in turn: when this one is written, those before it were looked at again.
    leader.apply("DriftPolicy", "second", match=[{"names": ["nothing"]}])
    leader.becomes("driftpolicy", "second", ("True", "Accepted"))
    assert leader.get("driftpolicy", "first")["metadata"]["resourceVersion"] == version
    leader.plane.kubectl("delete", "driftpolicy", "first", "second")


@pytest.fixture
def replicas(leader: Leader, tmp_path: Path) -> Iterator[Callable[[], list[set[str]]]]:
    """What two replicas have in force, by their files."""
    stop, threads, files = threading.Event(), [], []
    for name in ("a", "b"):
        place = tmp_path / name
        place.mkdir()
        granted = Granted(client(leader.plane), open_store(place), place, GrantRules, leader.said.append)
        threads.append(threading.Thread(target=granted.run, args=(stop,), daemon=True))
        files.append(place / "grants.json")
    for thread in threads:
        thread.start()
    yield lambda: [{one.id for one in load(file.read_bytes())} if file.exists() else {"none"} for file in files]
    stop.set()


def test_a_grant_is_in_force_in_every_replica_until_it_is_taken_back(
    leader: Leader, replicas: Callable[[], list[set[str]]]
) -> None:
    eventually(lambda: replicas() == [set(), set()], "no grant")
    spec = {"subjects": [{"user": "dana"}], "scope": {"namespaces": ["shop"]}, "reason": "fire", "approver": "lena"}
    leader.apply("DriftGrant", "night", **spec, duration="1h")
    leader.apply("DriftGrant", "own", **{**spec, "approver": "dana"}, duration="1h")
    eventually(lambda: replicas() == [{"night"}, {"night"}], "the grant")
    status = leader.becomes("driftgrant", "night", ("True", "InForce"))
    assert (status["state"], status["subjects"], status["scope"]) == ("InForce", "dana", "shop")
    assert leader.becomes("driftgrant", "own", ("False", "Invalid"))["state"] == "Refused"
    (row,) = (line for line in leader.plane.kubectl("get", "dgrant").stdout.splitlines() if line.startswith("night"))
    assert row.split()[:6] == ["night", "dana", "shop", "InForce", status["until"], "lena"]
    leader.plane.kubectl("patch", "dgrant", "night", "--type=merge", "-p", '{"spec":{"revoked":"rolled back"}}')
    eventually(lambda: replicas() == [set(), set()], "the end of the grant")
    status = leader.becomes("driftgrant", "night", ("False", "Revoked"))
    assert status["revokedFor"] == "rolled back"
    leader.apply("DriftGrant", "day", **spec, duration="1h")
    eventually(lambda: replicas() == [{"day"}, {"day"}], "another grant")
    leader.plane.kubectl("delete", "dgrant", "--all")
    eventually(lambda: replicas() == [set(), set()], "its end")


def grant(leader: Leader, *words: str) -> tuple[int, str, str]:
    """`setscrew grant` as somebody types it who has a kubeconfig, and nothing else."""
    command = [sys.executable, "-m", "setscrew", "grant", *words, "--kubeconfig", str(leader.plane.admin_kubeconfig)]
    environment = {key: value for key, value in os.environ.items() if key != "SETSCREW_STATE"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    return done.returncode, done.stdout, done.stderr


def test_grants_are_made_listed_and_ended_by_the_command_line(
    leader: Leader, replicas: Callable[[], list[set[str]]]
) -> None:
    ask = ("create", "--user", "dana", "--namespace", "shop", "--reason", "fire", "--for", "1h", "--approver")
    status, out, err = grant(leader, *ask, "lena")
    name = out.strip()
    assert (status, name.partition("-")[0], "until" in err) == (0, "dana", True)
    eventually(lambda: replicas() == [{name}, {name}], "the grant")
    assert grant(leader, "list")[1].split()[7:10] == [
        name,
        "InForce",
        leader.get("driftgrant", name)["status"]["until"],
    ]
    status, _, err = grant(leader, *ask, "dana")
    assert (status, "is a subject of the grant" in err) == (2, True)
    status, out, err = grant(leader, "list", "-o", "json")
    assert [one["metadata"]["name"] for one in json.loads(out)["items"]] == [name]
    assert "grants nothing: Refused" in err
    assert grant(leader, "revoke", name, "--reason", "rolled back")[0] == 0
    eventually(lambda: replicas() == [set(), set()], "the end of the grant")
    assert grant(leader, "revoke", "nobody")[0] == 2
    leader.plane.kubectl("delete", "dgrant", "--all")
