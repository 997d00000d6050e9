"""`setscrew grant`: from options or a file to a published grant, with no part of Setscrew running."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.policy.grant import Grant
from reconciler.policy.grant_file import NAME, load
from reconciler.policy.model import GrantRules
from reconciler.store.grants import read_grants
from reconciler.store.state import State, open_state, sqlite_url
from setscrew import configuration
from setscrew.grants import create, publish, take_configured
from setscrew.store import existing_store

ASK = ("--user", "dana", "--for", "1h", "--reason", "on fire", "--approver", "lena")
WEB = ("--ref", "Deployment.apps shop/web")
NOW = 1_800_000_000.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory as `setscrew run` leaves one."""
    directory = tmp_path / "state"
    directory.mkdir()
    open_state(sqlite_url(directory / "state.db")).close()
    monkeypatch.setenv("SETSCREW_STATE", str(directory))
    return directory


@pytest.fixture
def store(home: Path) -> Iterator[State]:
    with existing_store(home) as opened:
        yield opened


def published(home: Path) -> list[Grant]:
    return list(load((home / NAME).read_bytes()))


def document(name: str = "night", **changes: Any) -> dict[str, Any]:
    spec = {
        "subjects": [{"user": "dana"}],
        "scope": {"kinds": ["*"]},
        "reason": "r",
        "approver": "lena",
        "duration": "1h",
    }
    return {
        "apiVersion": "setscrew.dev/v1alpha1",
        "kind": "DriftGrant",
        "metadata": {"name": name},
        "spec": spec | changes,
    }


def test_options_make_a_grant_with_a_readable_id_that_is_published(run: Any, home: Path) -> None:
    done = run("grant", "create", *ASK, *WEB, "--path", "/spec/replicas", "--path", "/spec/paused")
    assert done.exit_code == 0, done.stderr
    (one,) = published(home)
    assert done.stdout == f"{one.id}\n"
    assert one.id.startswith("dana-")
    assert one.scope.refs == ("Deployment.apps shop/web",)
    assert one.scope.paths == ("/spec/replicas", "/spec/paused")
    assert one.not_after == one.not_before + 3600
    assert (one.reason, one.approver) == ("on fire", "lena")
    assert one.created_by
    assert stat.S_IMODE((home / NAME).stat().st_mode) == 0o600
    assert "until" in done.stderr


def test_ids_differ_also_within_a_minute(run: Any, home: Path) -> None:
    made = {run("grant", "create", *ASK, *WEB).stdout for _ in range(3)}
    assert len(made) == len(published(home)) == 3


@pytest.mark.parametrize("who", ["system:serviceaccount:shop:ci", "Jürgen Müller", "a" * 200, "--", "x@example.com"])
def test_any_name_becomes_a_dns_label(run: Any, home: Path, who: str) -> None:
    done = run("grant", "create", f"--user={who}", *ASK[2:], *WEB)
    assert done.exit_code == 0, done.stderr
    assert published(home)[0].subjects[0].user == who


def test_a_file_or_stdin_makes_all_its_grants_or_none(run: Any, home: Path, write: Any) -> None:
    text = yaml.safe_dump_all([document("a"), document("b", notAfter=None, duration="30m")])
    assert run("grant", "create", "-f", write("g.yaml", text.replace("  notAfter: null\n", ""))).stdout == "a\nb\n"
    bad = yaml.safe_dump_all([document("c"), document("d", reason="")])
    done = run("grant", "create", "-f", write("bad.yaml", bad))
    assert done.exit_code == 2
    assert "DriftGrant d: spec: reason" in done.stderr
    assert sorted(one.id for one in published(home)) == ["a", "b"]


def test_what_list_prints_as_yaml_can_be_created_elsewhere(run: Any, home: Path, write: Any) -> None:
    run("grant", "create", *ASK, *WEB)
    text = run("grant", "list", "-o", "yaml").stdout
    (one,) = yaml.safe_load_all(text)
    assert one["status"]["state"] == "InForce"
    one["metadata"]["name"] = "copy"
    assert run("grant", "create", "-f", write("g.yaml", yaml.safe_dump(one))).stdout == "copy\n"


def test_a_revoked_grant_is_published_and_listed_no_more_but_kept(run: Any, home: Path) -> None:
    identity = run("grant", "create", *ASK, *WEB).stdout.strip()
    assert json.loads(run("grant", "list", "-o", "json").stdout)["items"][0]["metadata"] == {"name": identity}
    assert run("grant", "revoke", identity, "--reason", "all is well").exit_code == 0
    assert published(home) == []
    assert json.loads(run("grant", "list", "-o", "json").stdout)["items"] == []
    (kept,) = json.loads(run("grant", "list", "--all", "-o", "json").stdout)["items"]
    assert kept["status"]["revokedFor"] == "all is well"
    assert identity in run("grant", "list", "--all").stdout
    assert run("grant", "revoke", identity).exit_code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("create", *ASK), "a grant is for something"),
        (("create", *ASK, *WEB, "--until", "2027-01-31T22:30:00Z"), "exactly one of notAfter and duration"),
        (("create", *ASK, "--ref", "web"), "'web' names nothing"),
        (("create", "--user", "dana", *WEB, "--for", "9h", "--reason", "r", "--approver", "lena"), "at most 8 hours"),
        (("create", "--user", "lena", *ASK[2:], *WEB), "lena is a subject of the grant"),
        (("create", *WEB, *ASK[2:]), "a grant names at least one"),
        (("create", "--user", "", *ASK[2:], *WEB), "exactly one of"),
        (("create", "--service-account", "ci", *ASK[2:], *WEB), "namespace/name"),
        (("create", "-f", "nowhere.yaml"), "no such file"),
        (("create", "-f", "nowhere.yaml", "--user", "dana"), "--file says all of it"),
        (("create", "--user"), "requires an argument"),
        (("revoke", "nope"), "there is no grant 'nope'"),
        (("revoke", "nope", "--reason", "a\nb"), "one printable line"),
        (("list", "-o", "xml"), "xml"),
    ],
)
def test_wrong_use_is_one_line_and_grants_nothing(run: Any, home: Path, words: tuple[str, ...], says: str) -> None:
    done = run("grant", *words)
    assert done.exit_code == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (home / NAME).exists()


def test_a_directory_that_is_no_state_is_refused_and_left_alone(run: Any, tmp_path: Path) -> None:
    done = run("grant", "list", "--state", tmp_path)
    assert (done.exit_code, "no state of Setscrew" in done.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_documents_of_another_kind_are_refused(run: Any, home: Path, write: Any) -> None:
    done = run("grant", "create", "-f", write("p.yaml", "kind: DriftPolicy\nmetadata: {name: a}\n"))
    assert (done.exit_code, "expected DriftGrant documents, found DriftPolicy" in done.stderr) == (2, True)


def test_words_of_a_grant_cannot_drive_a_terminal(run: Any, home: Path) -> None:
    done = run("grant", "create", "--user", "da\x1b[31mna", *ASK[2:], *WEB)
    assert done.exit_code == 2
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("end", [{}, {"duration": None, "notAfter": "2027-01-15T09:00:00Z"}])
def test_a_configured_document_makes_one_grant_however_often_it_is_read(home: Path, store: State, end: Any) -> None:
    said: list[str] = []
    for now in (NOW, NOW + 60, NOW + 7200):
        take_configured(store, home, [("c.yaml", document(**end))], GrantRules(), now, said.append)
    (one,) = read_grants(store)
    assert one.not_after == NOW + 3600
    assert published(home) == []
    assert said == []


def test_a_wrong_document_of_the_configuration_is_said_and_stops_nothing(home: Path, store: State) -> None:
    said: list[str] = []
    documents = [
        ("a.yaml", document("a", duration="9h")),
        ("b.yaml", document("b")),
        ("b.yaml", document("b", reason="x")),
    ]
    take_configured(store, home, documents, GrantRules(), NOW, said.append)
    assert [one.id for one in published(home)] == ["b"]
    assert len(said) == 2
    assert said[0].startswith("a.yaml: DriftGrant a: spec: a grant lasts at most 8 hours")
    assert "made before" in said[1]


def test_configuration_hands_on_documents_of_grants_unread(tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(yaml.safe_dump(document(duration="99h")))
    assert [tree["metadata"]["name"] for _, tree in configuration.load(tmp_path).grants] == ["night"]


def test_many_hands_at_once_lose_no_grant(home: Path) -> None:
    def one(number: int) -> None:
        with existing_store(home) as mine:
            create(mine, home, [("x", document(f"g-{number}"))], GrantRules(), NOW, "root")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(published(home)) == 12


def test_a_file_that_was_taken_away_is_published_again(home: Path, store: State) -> None:
    create(store, home, [("x", document())], GrantRules(), NOW, "root")
    (home / NAME).unlink()
    publish(store, home, NOW + 1)
    assert [one.id for one in published(home)] == ["night"]
