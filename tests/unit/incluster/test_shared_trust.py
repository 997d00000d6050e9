"""Certificates of others while their authority changes: whoever leads, no replica is met that the API server distrusts.

Files, trust, trial and registration are the real ones of two replicas; a Secret of the API server is played.
"""

from __future__ import annotations

import itertools
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ClusterError
from setscrew.certificates import Certificates
from setscrew.incluster.shared_trust import SharedTrust
from setscrew.incluster.steps import Steps
from tests.support.fake_api import Call, FakeApi, refused
from tests.support.mount import Mount
from webhook.server.certificate import ServingCertificate
from webhook.server.trial import refused as distrusted
from webhook.tls.authority import KeyPair, new_authority, read_bundle
from webhook.tls.given import REGISTERED

HOST = "guard.example"
NOW = datetime.now(UTC)
OLD, NEW = new_authority(NOW), new_authority(NOW)
BOTH = {OLD.certificate, NEW.certificate}


@dataclass
class Cluster:
    """Stands for the API server: one Secret, the Pods there are, and whom it trusts. `away`: it does not answer."""

    secret: dict[str, str] | None = None
    pods: list[dict[str, Any]] = field(default_factory=list)
    ca_bundle: bytes = b""
    away: bool = False

    def answer(self, call: Call) -> Any:
        if self.away:
            raise ClusterError("the API server does not answer")
        if call.path.endswith("/pods"):
            return {"items": self.pods}
        if call.method == "POST":
            self.secret = dict(call.body["data"])
        elif self.secret is None:
            raise refused(404)
        elif call.method == "PATCH":
            held = {**self.secret, **call.body["data"]}
            self.secret = {name: one for name, one in held.items() if one is not None}
        return {"data": self.secret}


@dataclass
class Replica:
    """One Pod: its mounted Secret, its state directory, and its admission server's certificate."""

    cluster: Cluster
    name: str
    directory: Path
    mount: Mount
    said: list[str] = field(default_factory=list)
    trust: SharedTrust = field(init=False)
    certificates: Certificates = field(init=False)
    serving: ServingCertificate = field(init=False)

    def __post_init__(self) -> None:
        self.cluster.pods.append({"metadata": {"name": self.name}})
        self.begin()
        files = self.mount.files
        self.serving = ServingCertificate(
            files.certificate, files.key, ssl.TLSVersion.TLSv1_3, trial=self.refused, settle_seconds=0
        )

    def begin(self) -> None:
        """As a process that has been started just now."""
        client: Any = FakeApi(self.cluster.answer)
        self.trust = SharedTrust(client, self.name, self.directory / "tls", Steps(client, self.said.append))
        self.certificates = Certificates(
            self.directory, f"https://{HOST}", self.said.append, self.mount.files, shared=self.trust
        )
        self.trust.steps.step("certificate", self.trust.look)
        self.certificates.begin()

    def refused(self, context: ssl.SSLContext) -> str:
        return distrusted(context, self.directory / "tls" / REGISTERED, HOST)

    def follow(self) -> None:
        """What happens each second."""
        self.trust.steps.step("certificate", self.trust.look)
        self.certificates.current()
        self.serving.reload_if_changed()

    def lead(self) -> None:
        """The registrar's part besides."""
        self.follow()
        bundle = self.certificates.current().ca_bundle
        if not self.cluster.away:
            self.cluster.ca_bundle = bundle
            self.certificates.registered(bundle)

    def is_trusted(self, scratch: Path) -> bool:
        """Whether the API server would take what is served now."""
        scratch.write_bytes(self.cluster.ca_bundle)
        return not distrusted(self.serving._loaded.context, scratch, HOST)


def replica(cluster: Cluster, name: str, directory: Path, authority: KeyPair = OLD) -> Replica:
    mount = Mount(directory / name / "secret", HOST)
    mount.swap(authority, authority, NOW)
    return Replica(cluster, name, directory / name, mount)


def settle(replicas: Sequence[Replica], leader: Replica) -> None:
    for _ in range(6):
        for one in replicas:
            (one.lead if one is leader else one.follow)()


EVENTS = ("a sees it", "b sees it", "b leads")
ROUNDS = [(*one, rounds) for one in itertools.permutations(EVENTS) for rounds in (0, 1, 3)]


@pytest.mark.parametrize(("first", "second", "third", "rounds"), ROUNDS)
def test_no_replica_is_distrusted_whenever_it_sees_the_new_files_and_whoever_leads(
    tmp_path: Path, first: str, second: str, third: str, rounds: int
) -> None:
    cluster = Cluster()
    a, b = replica(cluster, "a", tmp_path), replica(cluster, "b", tmp_path)
    leader = a
    settle((a, b), leader)
    distrust: list[str] = []

    def trusted(when: str) -> None:
        distrust.extend(f"{one.name} {when}" for one in (a, b) if not one.is_trusted(tmp_path / "ca"))

    for event in (first, second, third):
        if event == "b leads":
            leader = b
            a.begin()  # what does not lead any more begins anew
        else:
            {"a": a, "b": b}[event[0]].mount.swap(NEW, NEW, NOW)
        trusted(f"at once: {event}")
        for _ in range(rounds):
            for one in (a, b):
                (one.lead if one is leader else one.follow)()
                trusted(f"after: {event}")
    settle((a, b), leader)
    trusted("in the end")
    assert distrust == []
    for one in (a, b):
        assert one.serving.trusted()
        assert one.serving._loaded.stamp == one.serving._look()
    assert set(read_bundle(cluster.ca_bundle)) == BOTH


def test_a_new_pod_with_the_new_files_alone_is_not_ready_before_it_is_registered(tmp_path: Path) -> None:
    cluster = Cluster()
    leader = replica(cluster, "a", tmp_path)
    settle((leader,), leader)
    new = replica(cluster, "c", tmp_path, NEW)
    assert not new.serving.trusted()
    settle((leader, new), leader)
    assert new.serving.trusted()
    assert set(read_bundle(cluster.ca_bundle)) == BOTH


def test_where_the_leader_says_nothing_of_what_is_registered_a_replica_is_ready(tmp_path: Path) -> None:
    assert replica(Cluster(), "a", tmp_path).serving.trusted()


def test_what_a_pod_has_needed_that_is_no_more_is_let_go_by_the_leader(tmp_path: Path) -> None:
    cluster = Cluster()
    a, b, c = (replica(cluster, name, tmp_path) for name in "abc")
    b.mount.swap(NEW, NEW, NOW)
    settle((a, b, c), a)
    assert set(read_bundle(cluster.ca_bundle)) == BOTH
    cluster.pods[1]["status"] = {"phase": "Failed"}
    del cluster.pods[2]
    a.trust._tidied()
    a.lead()
    assert read_bundle(cluster.ca_bundle) == [OLD.certificate]
    assert set(cluster.secret or {}) == {REGISTERED, "given.a"}


def test_what_is_shared_is_written_once_and_an_api_server_that_is_away_is_told_once(tmp_path: Path) -> None:
    cluster = Cluster()
    one = replica(cluster, "a", tmp_path)
    settle((one,), one)
    client: Any = one.trust.client
    before = [call for call in client.calls if call.method != "GET"]
    settle((one,), one)
    assert [call for call in client.calls if call.method != "GET"] == before
    cluster.away = True
    one.mount.swap(NEW, NEW, NOW)
    settle((one,), one)
    assert len(one.said) == 2  # what is looked at, and what is shared
    assert one.is_trusted(tmp_path / "ca")
    cluster.away = False
    settle((one,), one)
    assert one.is_trusted(tmp_path / "ca")


def test_a_secret_that_somebody_removes_is_written_again(tmp_path: Path) -> None:
    cluster = Cluster()
    one = replica(cluster, "a", tmp_path)
    settle((one,), one)
    held, cluster.secret = cluster.secret, None
    settle((one,), one)
    assert cluster.secret == held


def test_following_ends_when_it_is_told_to(tmp_path: Path) -> None:
    one = replica(Cluster(away=True), "a", tmp_path)
    stop = threading.Event()
    stop.set()
    one.trust.follow(stop)
    one.trust.lead(stop)
    assert one.trust.steps.step("certificate", one.trust.look)  # there is none any more
