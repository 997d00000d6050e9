"""Published snapshots on a real API server: restored, tampered with, watched over a restart; mailboxes; records."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from reconciler.cluster.api import ApiClient
from reconciler.errors import ApiError, StoreError
from reconciler.model.own import MANIFEST, SNAPSHOTS_NAMESPACE
from reconciler.published import mailbox
from reconciler.published import records as record_mailbox
from reconciler.published.mailbox import Answering, ask
from reconciler.published.publisher import Publisher
from reconciler.published.records import Sending, Taking
from reconciler.published.restorer import Restorer
from reconciler.published.secrets import COLLECTION
from reconciler.snapshot.model import Entry, MemorySnapshot
from reconciler.store.snapshot_file import POINTER, write
from setscrew.controlplane import ControlPlane
from setscrew.incluster.steps import Steps
from tests.support.decisions import KEY, SOURCE, snapshot
from tests.support.waiting import PATIENCE_SECONDS, eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]
SIGNING = Ed25519PrivateKey.generate()


@pytest.fixture(scope="module", autouse=True)
def namespace_gone(control_plane: ControlPlane) -> Iterator[None]:
    """The namespace has one name only, so whoever comes after must find none."""
    yield
    path = f"/api/v1/namespaces/{SNAPSHOTS_NAMESPACE}"
    control_plane.request("DELETE", path)
    eventually(lambda: control_plane.request("GET", path).status == 404, "the namespace is gone")


@pytest.fixture
def client(control_plane: ControlPlane) -> Iterator[ApiClient]:
    """A client, and an empty namespace of published snapshots."""
    made = control_plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": SNAPSHOTS_NAMESPACE}})
    assert made.status in (201, 409)
    found = ApiClient.load(str(control_plane.admin_kubeconfig))
    yield found
    for path in (COLLECTION, mailbox.COLLECTION):
        for one in found.request("GET", path)["items"]:
            if one["metadata"]["name"] != "kube-root-ca.crt":
                found.request("DELETE", f"{path}/{one['metadata']['name']}")
    found.close()


@dataclass
class Replica:
    """A follower with a directory of its own."""

    client: ApiClient
    directory: Path
    said: list[str] = field(default_factory=list)
    restorer: Restorer = field(init=False)

    def __post_init__(self) -> None:
        self.restorer = Restorer(self.client, SIGNING.public_key(), self.directory, KEY)

    @property
    def current(self) -> str:
        try:
            return str(json.loads((self.directory / POINTER).read_text())["digest"])
        except OSError:
            return ""

    @contextmanager
    def running(self) -> Iterator[None]:
        steps = Steps(self.client, self.said.append)
        arguments = COLLECTION, MANIFEST, "snapshot", self.restorer.restore
        threading.Thread(target=steps.watch, args=arguments, daemon=True).start()
        try:
            yield
        finally:
            steps.quiet()


def publisher(client: ApiClient) -> Publisher:
    return Publisher(client, SIGNING, lambda _: None)


def held(commit: str = "ab" * 20) -> MemorySnapshot:
    """Two sources, of which the shop is at this commit."""
    web, secret = snapshot(["web", "secret"]).entries
    other = Entry(replace(secret.object, provenance=replace(secret.object.provenance, source="other")), secret.policy)
    sources = {"shop": replace(SOURCE, commit=commit), "other": replace(SOURCE, name="other")}
    return replace(snapshot(["web"]), entries=(web, other), sources=sources)


def file_of(one: MemorySnapshot, directory: Path) -> str:
    directory.mkdir(exist_ok=True)
    return write(one, directory).stem


def versions(client: ApiClient) -> dict[str, str]:
    items = client.request("GET", COLLECTION)["items"]
    return {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in items}


def test_a_fresh_replica_restores_what_the_leader_enforces(client: ApiClient, tmp_path: Path) -> None:
    replica = Replica(client, tmp_path / "fresh")
    assert not replica.restorer.restore()
    publisher(client).publish(held())
    assert replica.restorer.restore()
    assert replica.current == file_of(held(), tmp_path / "leader")
    stored = client.request("GET", COLLECTION)["items"]
    assert {one["type"] for one in stored} == {"setscrew.dev/snapshot"}
    assert "ZXhhbXBsZS1mcm9tLWdpdA" not in json.dumps(stored)


def test_a_push_rewrites_only_its_own_series(client: ApiClient) -> None:
    leading = publisher(client)
    leading.publish(held())
    before = versions(client)
    leading.publish(held("cd" * 20))
    after = versions(client)
    assert {name for name in before if after[name] != before[name]} == {MANIFEST}
    assert len(after.keys() - before.keys()) == 1
    leading.publish(held("cd" * 20))
    assert versions(client) == after


def test_who_may_write_the_namespace_can_replace_no_snapshot(client: ApiClient, tmp_path: Path) -> None:
    leading, replica = publisher(client), Replica(client, tmp_path)
    leading.publish(held())
    old = client.request("GET", f"{COLLECTION}/{MANIFEST}")
    leading.publish(held("cd" * 20))
    assert replica.restorer.restore()
    good = replica.current

    def refused(code: str) -> None:
        with pytest.raises(StoreError) as caught:
            replica.restorer.restore()
        assert (caught.value.code, replica.current) == (code, good)

    def put(data: dict[str, str]) -> None:
        live = client.request("GET", f"{COLLECTION}/{MANIFEST}")
        client.request("PUT", f"{COLLECTION}/{MANIFEST}", {**live, "data": data})

    put(old["data"])
    refused("SS6102")
    forged = base64.b64encode(base64.b64decode(old["data"]["data"]).replace(b'"sequence":1', b'"sequence":9')).decode()
    put({**old["data"], "data": forged})
    refused("SS6101")
    leading.publish(held("ef" * 20))
    for name in versions(client).keys() - {MANIFEST}:
        with pytest.raises(ApiError, match="immutable"):
            client.request(
                "PATCH", f"{COLLECTION}/{name}", {"data": {"data": ""}}, content_type="application/merge-patch+json"
            )
        client.request("DELETE", f"{COLLECTION}/{name}")
        body = {"metadata": {"name": name}, "type": "setscrew.dev/snapshot", "data": {"data": "eA=="}}
        client.request("POST", COLLECTION, body)
    refused("SS6103")
    client.request("DELETE", f"{COLLECTION}/{MANIFEST}")
    assert not replica.restorer.restore()
    assert replica.current == good
    leading.publish(held("ef" * 20))
    assert replica.restorer.restore()
    assert replica.current == file_of(held("ef" * 20), tmp_path / "leader")


def test_chunks_that_nobody_names_go_after_a_while(client: ApiClient, tmp_path: Path) -> None:
    tick = [0.0]
    leading = Publisher(client, SIGNING, lambda _: None, clock=lambda: tick[0])
    for number in range(6):
        leading.publish(held(f"{number:040}"))
    many = len(versions(client))
    tick[0] = 1e6
    leading.publish(held("f" * 40))
    assert len(versions(client)) < many
    assert Replica(client, tmp_path).restorer.restore()


def test_a_restart_of_the_api_server_hides_no_snapshot(
    client: ApiClient, control_plane: ControlPlane, tmp_path: Path
) -> None:
    leading, replica = publisher(client), Replica(client, tmp_path / "one")
    leading.publish(held())
    with replica.running():
        eventually(lambda: replica.current == file_of(held(), tmp_path / "a"), "the first")
        control_plane.stop_component("kube-apiserver")
        control_plane.start_component("kube-apiserver")
        leading.publish(held("cd" * 20))
        wanted = file_of(held("cd" * 20), tmp_path / "b")
        eventually(lambda: replica.current == wanted, "what came after the restart")


@contextmanager
def answering(client: ApiClient, refresh: Callable[[Collection[str]], Iterator[dict[str, Any]]]) -> Iterator[Answering]:
    one, stop = Answering(client, refresh, lambda _: None), threading.Event()
    thread = threading.Thread(target=one.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield one
    finally:
        stop.set()
        ask_nothing = {"metadata": {"name": "bell"}}
        client.request("POST", mailbox.COLLECTION, ask_nothing)
        thread.join(PATIENCE_SECONDS)


def test_a_look_at_git_travels_to_the_leader_and_back(client: ApiClient) -> None:
    asked: list[tuple[str, ...]] = []
    read = threading.Event()

    def refresh(names: Collection[str]) -> Iterator[dict[str, Any]]:
        asked.append(tuple(names))
        yield {"ahead": list(names), "failed": {}}
        assert read.wait(PATIENCE_SECONDS)
        yield {"ahead": [], "failed": {"other": "no such branch"}, "digest": "d" * 64}

    with answering(client, refresh):
        answers = ask(client, "one", "shop", PATIENCE_SECONDS)
        assert next(answers) == {"ahead": ["shop"], "failed": {}}
        read.set()
        assert next(answers)["digest"] == "d" * 64
        assert list(answers) == []
        several = [
            threading.Thread(target=lambda one=one: list(ask(client, one, "", PATIENCE_SECONDS))) for one in "abca"
        ]
        for thread in several:
            thread.start()
        for thread in several:
            thread.join(PATIENCE_SECONDS)
    assert asked == [("shop",), (), (), (), ()]
    assert client.request("GET", f"{mailbox.COLLECTION}/refresh-one").get("data", {}) == {}


def test_without_a_leader_a_question_ends_in_time_and_leaves_nothing(client: ApiClient) -> None:
    assert list(ask(client, "one", "shop", 1.0)) == []
    assert client.request("GET", f"{mailbox.COLLECTION}/refresh-one").get("data", {}) == {}


def test_what_is_no_question_hinders_none_and_dead_mailboxes_go(client: ApiClient) -> None:
    tick = [0.0]
    hostile = {"question.x": "[" * 900, "question." + "y" * 60: "{}", "question.z": "z" * 5000, "answer.q": "no"}
    labels = {mailbox.LABEL: "true"}
    for name in ("refresh-dead", "stranger"):
        client.request("POST", mailbox.COLLECTION, {"metadata": {"name": name, "labels": labels}, "data": hostile})

    def refresh(names: Collection[str]) -> Iterator[dict[str, Any]]:
        yield {"ahead": [], "failed": {}, "digest": "d"}

    with answering(client, refresh) as leading:
        leading.clock = lambda: tick[0]
        assert [one["digest"] for one in ask(client, "one", "", PATIENCE_SECONDS)] == ["d"]
        tick[0] = 1e6
        assert [one["digest"] for one in ask(client, "one", "", PATIENCE_SECONDS)] == ["d"]

        def left() -> set[str]:
            return {one["metadata"]["name"] for one in client.request("GET", mailbox.COLLECTION)["items"]}

        eventually(lambda: "refresh-dead" not in left(), "the mailbox of the dead replica goes")
        assert "stranger" in left()


SHARED = b"k" * 32


def records(*numbers: int) -> list[bytes]:
    return [json.dumps({"worker": "w", "number": number, "user": "dana"}).encode() + b"\n" for number in numbers]


class Kept(list[tuple[str, int]]):
    """What a leader has kept: the replica and number of each record."""

    def keep(self, lines: list[bytes]) -> None:
        found = (json.loads(line) for line in lines)
        self.extend((one["replica"], one["number"]) for one in found)


@contextmanager
def taking(client: ApiClient, kept: Kept, key: bytes = SHARED) -> Iterator[list[str]]:
    said, stop = list[str](), threading.Event()
    thread = threading.Thread(target=Taking(client, key, kept.keep, said.append).run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield said
    finally:
        stop.set()
        client.request("POST", COLLECTION, {"metadata": {"name": "bell", "labels": {"setscrew.dev/records": ""}}})
        thread.join(PATIENCE_SECONDS)
        client.request("DELETE", f"{COLLECTION}/bell")


def handed_on(sending: Sending, kept: Kept, number: int) -> None:
    """The follower hands on until the leader has the record of this number."""

    def done() -> bool:
        sending.hand_on()
        return bool(kept) and kept[-1] == (sending.replica, number)

    eventually(done, f"the leader has {number} of {sending.replica}")


def test_what_followers_record_is_kept_by_whoever_leads_each_once(client: ApiClient) -> None:
    one, two, first, second = Sending(client, "one", SHARED), Sending(client, "two", SHARED), Kept(), Kept()
    one.put(records(1, 2))
    with taking(client, first) as said:
        handed_on(one, first, 2)
        one.put(records(3))
        two.put(records(7))
        handed_on(one, first, 3)
        handed_on(two, first, 7)
        assert said == []
    assert first == [("one", 1), ("one", 2), ("one", 3), ("two", 7)]
    one.put(records(4))
    one.hand_on()
    one.put(records(5))
    with taking(client, second):
        handed_on(one, second, 5)
    assert second == [("one", 4), ("one", 5)]


def test_records_that_somebody_takes_away_are_written_again_and_forged_ones_are_refused(client: ApiClient) -> None:
    one, forger, kept = Sending(client, "one", SHARED), Sending(client, "forged", b"other"), Kept()
    one.put(records(1))
    one.hand_on()
    client.request("DELETE", f"{COLLECTION}/records-one")
    forger.put(records(9))
    forger.hand_on()
    with taking(client, kept) as said:
        handed_on(one, kept, 1)
        stolen = client.request("GET", f"{COLLECTION}/records-one")["data"]
        copied = {"metadata": {"name": "records-copy", "labels": {"setscrew.dev/records": "true"}}, "data": stolen}
        client.request("POST", COLLECTION, copied)
        one.put(records(2))
        handed_on(one, kept, 2)
        eventually(lambda: len(said) == 2, "both are told")
    assert kept == [("one", 1), ("one", 2)]
    assert "(records-forged): they do not bear the mark of a replica of this installation" in "".join(said)
    assert "(records-copy): they are those of another replica" in "".join(said)


def test_what_waits_for_a_leader_has_an_end_and_the_oldest_go(
    client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_mailbox, "RECORDS_WAITING", 3)
    monkeypatch.setattr(record_mailbox, "RECORDS_BYTES", 40)
    one, kept = Sending(client, "one", SHARED), Kept()
    one.put(records(1, 2))
    one.hand_on()
    one.put(records(3, 4, 5))
    with taking(client, kept):
        handed_on(one, kept, 5)
    assert [number for _, number in kept if number != 1] == [3, 4, 5]
