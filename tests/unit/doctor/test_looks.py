"""What `setscrew doctor` reads, and that it changes nothing: clock, rights, state directory, certificate files."""

from __future__ import annotations

import fcntl
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cluster.api import ApiClient, Response
from reconciler.cluster.calls import Calls, read_calls
from reconciler.cluster.canary import Finding, Proof
from reconciler.errors import ClusterError, SetscrewError
from reconciler.model.own import LEVERS
from reconciler.store.schema import SCHEMA_VERSION
from setscrew.doctor import look_cluster, look_machine
from setscrew.doctor.facts import Running, Server
from setscrew.doctor.finding import Missing, need
from setscrew.doctor.gather import Where, gather, learned
from setscrew.doctor.look_server import look_server
from setscrew.doctor.rights import NEEDED
from setscrew.store import open_store
from tests.support import healthy
from tests.support.fake_api import Call, FakeApi
from tests.support.small_snapshot import snapshot_of
from webhook.server.feed import Feed
from webhook.tls.files import ensure
from webhook.tls.given import REMEMBERED, GivenFiles

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
RBAC = Path(__file__).parents[3] / "manifests" / "base" / "rbac.yaml"
HOST = "127.0.0.1"


class Answers(FakeApi):
    """A `FakeApi` that counts as the client."""

    def client(self) -> ApiClient:
        return self  # type: ignore[return-value] # as far as it is needed here


def granted() -> Iterator[tuple[str, ...]]:
    """What manifests/base/rbac.yaml gives the reconciler: verb, group, resource, name, namespace, path."""
    roles = {"setscrew-reconciler", "setscrew-registration", "setscrew-status", "setscrew-canonicalizer-token"}
    documents = [one for one in yaml.safe_load_all(RBAC.read_text()) if one and one["kind"] in ("ClusterRole", "Role")]
    for document in (one for one in documents if one["metadata"]["name"] in roles):
        namespace = document["metadata"].get("namespace", "")
        for rule in document["rules"]:
            for verb in rule["verbs"]:
                yield from ((verb, "", "", "", "", path) for path in rule.get("nonResourceURLs", ()))
                for group in rule.get("apiGroups", ()):
                    for resource in rule["resources"]:
                        for name in rule.get("resourceNames", [""]):
                            yield verb, group, resource, name, namespace, ""


def test_the_rights_that_are_examined_are_those_that_the_manifest_gives() -> None:
    assert sorted(granted()) == sorted(right[:6] for right in NEEDED)


def test_each_right_is_asked_for_once_and_what_is_refused_is_told() -> None:
    def answer(call: Call) -> Any:
        if call.path.endswith("selfsubjectreviews"):
            return {"status": {"userInfo": {"username": "robot"}}}
        asked = call.body["spec"]
        return {"status": {"allowed": "nonResourceAttributes" not in asked}}

    api = Answers(answer)
    found = look_cluster.look_rights(api.client())
    assert found.user == "robot"
    assert [str(one) for one in found.refused] == ["get /metrics"]
    asked = [call.body["spec"] for call in api.calls if "spec" in (call.body or {})]
    assert len(asked) == len(NEEDED)
    token = [one["resourceAttributes"] for one in asked if one.get("resourceAttributes", {}).get("subresource")]
    below = {("serviceaccounts", "token"), *((plural, "status") for plural in LEVERS)}
    assert {(one["resource"], one["subresource"]) for one in token} == below


@pytest.mark.parametrize(
    ("date", "skew"),
    [
        ("Wed, 02 Jan 2030 12:00:00 GMT", 0.0),
        ("Wed, 02 Jan 2030 11:59:59 GMT", 0.0),
        ("Wed, 02 Jan 2030 12:00:03 GMT", 0.0),
        ("Wed, 02 Jan 2030 12:02:03 GMT", 120.0),
        ("Wed, 02 Jan 2030 11:57:59 GMT", -120.0),
    ],
)
def test_the_clock_is_compared_as_exactly_as_header_and_way_allow(date: str, skew: float) -> None:
    times = iter([NOON, NOON + timedelta(seconds=3)])
    api = Answers(lambda _: Response(200, {}, date=date))
    assert look_cluster.look_skew(api.client(), lambda: next(times)) == skew


def test_an_answer_without_a_date_says_nothing_of_the_clock() -> None:
    with pytest.raises(ClusterError, match="bear no date"):
        look_cluster.look_skew(Answers(lambda _: {}).client(), lambda: NOON)


@pytest.mark.parametrize(
    ("proofs", "found"),
    [
        (["sees"], "sees"),
        (["gone", "sees"], "sees"),
        (["gone", "gone"], "gone"),
        (["blind", "sees"], "sees"),
        (["blind", "blind"], "blind"),
    ],
)
def test_an_entry_is_blind_when_it_admits_twice_and_the_next_object_is_tried_where_one_is_gone(
    monkeypatch: pytest.MonkeyPatch, proofs: list[Proof], found: str
) -> None:
    answers = iter(proofs)
    monkeypatch.setattr(look_cluster, "CANARY_AGAIN_SECONDS", 0)
    monkeypatch.setattr(look_cluster, "attempt", lambda *_: Finding(next(answers)))
    snapshot = snapshot_of("Deployment", names=("one", "two"))
    reader = Answers(lambda _: healthy.registered(snapshot))
    (one,) = look_cluster.look_tries(reader.client(), reader.client(), snapshot)
    assert (one.entry, one.proof, list(answers)) == ("apps-v1.guard.setscrew.dev", found, [])


METRICS = """\
apiserver_admission_webhook_request_total{code="200",name="apps-v1.guard.setscrew.dev",operation="UPDATE"} 7
apiserver_admission_webhook_request_total{code="200",name="other.example.org",operation="UPDATE"} 100
apiserver_admission_webhook_rejection_count{error_type="no_error",name="apps-v1.guard.setscrew.dev"} 4
apiserver_admission_webhook_rejection_count{error_type="calling_webhook_error",name="apps-v1.guard.setscrew.dev"} 2
apiserver_admission_webhook_fail_open_count{name="core-v1.guard.setscrew.dev",type="validating"} 3
"""


class Metrics:
    """Stands for the API server's metrics."""

    def __init__(self, text: str) -> None:
        self.text = text

    def lines(self, _: str) -> list[bytes]:
        return [line.encode() for line in self.text.splitlines(keepends=True)]


def test_calls_are_counted_by_how_they_ended() -> None:
    assert read_calls(Metrics(METRICS)) == Calls(7, 2, 3)  # type: ignore[arg-type]
    assert read_calls(Metrics("")) == Calls()  # type: ignore[arg-type]
    with pytest.raises(ClusterError, match="cannot be read"):
        read_calls(Metrics(f"{METRICS.splitlines()[0]}x\n"))  # type: ignore[arg-type]


def test_the_format_of_a_store_is_read_and_not_brought_up_to_date(tmp_path: Path) -> None:
    with pytest.raises(SetscrewError, match="no state store yet"):
        look_machine.look_schema(tmp_path)
    open_store(tmp_path).close()
    assert look_machine.look_schema(tmp_path) == SCHEMA_VERSION
    database = sqlite3.connect(tmp_path / "state.db")
    database.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")
    database.commit()
    database.close()
    assert look_machine.look_schema(tmp_path) == "2"
    with pytest.raises(SetscrewError, match="another format"):
        look_machine.look_stored(tmp_path, "2")
    assert look_machine.look_schema(tmp_path) == "2"
    (tmp_path / "state.db").write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with pytest.raises(SetscrewError, match="cannot be read"):
        look_machine.look_schema(tmp_path)


def test_who_works_on_a_directory_is_seen_and_not_disturbed(tmp_path: Path) -> None:
    assert look_machine.look_running(tmp_path) == Running(False, False, 0)
    with (tmp_path / "lock").open("w") as lock:
        assert look_machine.look_running(tmp_path) == Running(False, False, 0)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert look_machine.look_running(tmp_path) == Running(True, False, 0)
    for _ in range(2):
        assert look_machine.look_running(tmp_path).locked is False


def test_reconcilers_of_a_directory_are_counted(tmp_path: Path) -> None:
    code = "import sys; print('there', flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", code, "setscrew", "reconcile", "--state"]
    (tmp_path / "here").mkdir()
    asked = [tmp_path / "here", Path("here"), tmp_path / "elsewhere"]
    started = [
        subprocess.Popen([*words, str(one)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path)
        for one in asked
    ]
    try:
        assert all(process.stdout and process.stdout.readline() == b"there\n" for process in started)
        assert look_machine.look_running(tmp_path / "here").reconcilers == 2
    finally:
        for process in started:
            process.communicate()


def test_own_certificate_files_are_checked_where_they_lie(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    assert isinstance(learned(lambda: look_machine.look_files(tmp_path, None, HOST, now)), Missing)
    ensure(tmp_path / "tls", (HOST,), now)
    assert look_machine.look_files(tmp_path, None, HOST, now) == ()
    (late,) = look_machine.look_files(tmp_path, None, HOST, now + timedelta(days=8))
    assert (Path(late.file).name, late.what) == ("tls.crt", "ended 1 day ago")
    (named,) = look_machine.look_files(tmp_path, None, "guard.example.org", now)
    assert "lacks the name guard.example.org" in named.what
    (tmp_path / "tls" / REMEMBERED).touch()
    with pytest.raises(SetscrewError, match="given as files"):
        look_machine.look_files(tmp_path, None, HOST, now)


def test_given_certificate_files_are_checked_in_their_place(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    ensure(tmp_path, (HOST,), now)
    given = GivenFiles(tmp_path / "tls.crt", tmp_path / "ca.key", tmp_path / "ca-bundle.crt")
    (wrong,) = look_machine.look_files(tmp_path / "state", given, HOST, now)
    assert (wrong.file, wrong.what) == (str(tmp_path / "ca.key"), "is not the key of the certificate")


def test_a_pointer_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetscrewError, match="no snapshot yet"):
        look_machine.look_snapshot(Feed.of(tmp_path))
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / "current.json").write_text(json.dumps({"file": "none.db", "digest": "0" * 64}))
    facts = gather(Where(tmp_path, kubeconfig=str(tmp_path / "none")))
    assert "none.db" in facts.snapshot_problem
    assert isinstance(facts.snapshot, Missing)


def test_a_server_that_is_not_there_is_a_fact_and_a_service_is_not_known_here() -> None:
    found = look_server("https://127.0.0.1:1")
    assert (found.status, found.error) == (0, "Connection refused")
    assert look_server("https://no.such.host.invalid").error
    with pytest.raises(SetscrewError, match="inside the cluster only"):
        look_server("https://setscrew.setscrew-system.svc:443")


def test_what_goes_wrong_on_the_way_is_missing_and_quotes_nothing() -> None:
    def fails() -> Server:
        raise ValueError("a secret value")

    found = learned(fails)
    assert isinstance(found, Missing)
    assert "secret" not in found.why
    assert learned(lambda: need(found)) is found


def test_nothing_at_all_is_no_failure(tmp_path: Path) -> None:
    facts = gather(Where(None, kubeconfig=str(tmp_path / "none")))
    assert facts.seen is False
    assert isinstance(facts.server, Missing)
    assert isinstance(facts.running, Missing)
