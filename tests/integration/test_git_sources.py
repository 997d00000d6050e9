"""Sources over real servers: who may read them, what a rewritten or missing ref does, and what an outage leaves."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.loop.reconciler import Reconciler
from setscrew.controlplane.certificates import Authority
from tests.support.git_http import GitHttp
from tests.support.git_site import GitSite, Work, enforced, source, status
from tests.support.sshd import Sshd, known_hosts, make_key
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

PASSWORD = "correct-horse-battery"
TOKEN = "token-1f3a-never-print"


@pytest.fixture
def https(tmp_path: Path) -> Iterator[GitHttp]:
    with GitHttp(tmp_path / "served", users={"dana": PASSWORD}, tokens=(TOKEN,)) as server:
        yield server


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path / "served-ssh", tmp_path / "sshd") as server:
        yield server


@pytest.fixture
def site(tmp_path: Path) -> GitSite:
    return GitSite(tmp_path)


@pytest.fixture
def work(https: GitHttp, tmp_path: Path) -> Work:
    return Work.of(https.create(), tmp_path / "work")


@pytest.fixture
def shop(site: GitSite, https: GitHttp, work: Work) -> Reconciler:
    """A source by HTTPS with a password, already read: value 1."""
    work.push("1")
    found = site.follow(source(https.url(), secretRef=by_password(site, https)))
    found.sync()
    assert enforced(found) == {"one": "1"}
    return found


def by_password(site: GitSite, https: GitHttp, password: str = PASSWORD) -> dict[str, str]:
    return site.secret("git", {"username": b"dana", "password": f"{password}\n".encode(), "ca.crt": https.ca})


def test_https_takes_a_password_or_a_token_and_trusts_the_authority_of_the_secret(
    site: GitSite, https: GitHttp, work: Work
) -> None:
    commit = work.push("1")
    bearer = site.secret("token", {"bearerToken": TOKEN.encode(), "ca.crt": https.ca})
    for secret in (by_password(site, https), bearer):
        found = site.follow(source(https.url(), secretRef=secret))
        found.sync()
        assert (status(found).state, status(found).enforced) == ("Ready", f"main@sha1:{commit}")


def test_https_with_a_client_certificate(site: GitSite, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    clients = Authority.create("clients", now)
    with GitHttp(tmp_path / "mutual", clients=clients) as server:
        Work.of(server.create(), tmp_path / "work-mutual").push("1")
        pair = clients.client("setscrew", (), now)
        keys = {"ca.crt": server.ca, "tls.crt": pair.certificate, "tls.key": pair.key}
        found = site.follow(
            source(server.url(), secretRef=site.secret("pair", keys)),
            source(server.url(), "other", secretRef=site.secret("ca", {"ca.crt": server.ca})),
        )
        found.sync()
        assert [status(found).state, status(found, "other").state] == ["Ready", "FetchFailed"]


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"username": b"dana", "password": b"wrong-horse-battery"}, "SS2009"),
        ({"bearerToken": b"wrong-horse-battery"}, "SS2009"),
        ({"username": b"dana", "password": PASSWORD.encode(), "ca.crt": b""}, "SS2013"),
        ({}, "SS2009"),
    ],
)
def test_what_is_refused_is_told_without_any_secret(
    site: GitSite, https: GitHttp, work: Work, keys: dict[str, bytes], code: str
) -> None:
    work.push("1")
    found = site.follow(source(https.url(), secretRef=site.secret("git", {"ca.crt": https.ca, **keys})))
    found.sync()
    assert status(found).state == "FetchFailed"
    assert f"[{code}]" in status(found).message
    told = "\n".join([*site.said, status(found).message])
    assert "horse" not in told
    assert enforced(found) == {}


def test_a_secret_that_is_not_there_is_named(site: GitSite, https: GitHttp, work: Work) -> None:
    found = site.follow(source(https.url(), secretRef={"name": "nowhere"}))
    found.sync()
    assert "no Secret nowhere" in status(found).message
    assert "[SS2011]" in status(found).message


def test_ssh_takes_a_key_and_knows_its_host(site: GitSite, ssh: Sshd, tmp_path: Path) -> None:
    commit = Work.of(ssh.create(), tmp_path / "work-ssh").push("1")
    keys = {"identity": ssh.identity, "known_hosts": ssh.known_hosts}
    found = site.follow(source(ssh.url(), secretRef=site.secret("key", keys)))
    found.sync()
    assert (status(found).message, status(found).enforced) == ("", f"main@sha1:{commit}")


def test_ssh_opens_a_key_that_has_a_passphrase(site: GitSite, ssh: Sshd, tmp_path: Path) -> None:
    Work.of(ssh.create(), tmp_path / "work-ssh").push("1")
    key = make_key(tmp_path / "locked", PASSWORD)
    (ssh.directory / "authorized_keys").write_text((tmp_path / "locked.pub").read_text())
    keys = {"identity": key.read_bytes(), "known_hosts": ssh.known_hosts, "password": PASSWORD.encode()}
    found = site.follow(source(ssh.url(), secretRef=site.secret("key", keys)))
    found.sync()
    assert status(found).state == "Ready", status(found).message


def test_ssh_refuses_another_host_key_and_to_go_without_any(site: GitSite, ssh: Sshd, tmp_path: Path) -> None:
    Work.of(ssh.create(), tmp_path / "work-ssh").push("1")
    make_key(tmp_path / "strange")
    wrong = {"identity": ssh.identity, "known_hosts": known_hosts(ssh.port, tmp_path / "strange.pub")}
    stranger = {"identity": (tmp_path / "strange").read_bytes(), "known_hosts": ssh.known_hosts}
    found = site.follow(
        source(ssh.url(), "wrong", secretRef=site.secret("wrong", wrong)),
        source(ssh.url(), "none", secretRef=site.secret("none", {"identity": ssh.identity})),
        source(ssh.url(), "refused", secretRef=site.secret("refused", stranger)),
    )
    found.sync()
    assert "[SS2012]" in status(found, "wrong").message
    assert "known_hosts" in status(found, "none").message
    assert "[SS2010]" in status(found, "none").message
    assert "[SS2009]" in status(found, "refused").message


def test_a_deleted_branch_is_named_so_and_what_was_good_stays(shop: Reconciler, work: Work) -> None:
    work.git("push", "--quiet", "origin", "HEAD:refs/heads/other")
    shop.sources.follow([replace(shop.sources.configured[0], ref=source("/", ref={"branch": "other"}).ref)])
    shop.sync()
    assert status(shop).state == "Ready"
    work.git("push", "--quiet", "--delete", "origin", "other")
    shop.sync()
    assert status(shop).state == "RefNotFound"
    assert "refs/heads/other" in status(shop).message
    assert enforced(shop) == {"one": "1"}


def test_a_forced_push_is_followed_and_recorded(shop: Reconciler, work: Work) -> None:
    first = status(shop).enforced.rpartition(":")[2]
    work.git("commit", "--quiet", "--amend", "--allow-empty", "--message", "Rewritten")
    second = work.push("2", force=True)
    shop.sync()
    assert (enforced(shop), status(shop).rewritten) == ({"one": "2"}, first)
    assert "does not descend" in status(shop).message
    third = work.push("3")
    shop.sync()
    assert (status(shop).enforced, status(shop).rewritten) == (f"main@sha1:{third}", "")
    assert second != first


def test_a_forced_push_is_held_where_the_source_wants_none(site: GitSite, shop: Reconciler, work: Work) -> None:
    shop.sources.follow([replace(shop.sources.configured[0], wants_fast_forward=True)])
    work.push("2")
    shop.sync()
    assert enforced(shop) == {"one": "2"}
    work.git("commit", "--quiet", "--amend", "--allow-empty", "--message", "Rewritten")
    work.push("3", force=True)
    shop.sync()
    assert (status(shop).state, enforced(shop)) == ("Held", {"one": "2"})
    assert "[SS2014]" in status(shop).message
    shop.sources.confirm("shop")
    shop.sync()
    assert (status(shop).state, enforced(shop)) == ("Ready", {"one": "3"})


def test_another_default_branch_is_followed_and_named(shop: Reconciler, work: Work) -> None:
    work.git("checkout", "--quiet", "-b", "trunk")
    commit = work.push("2")
    work.git("-C", str(work.remote), "symbolic-ref", "HEAD", "refs/heads/trunk")
    shop.sync()
    assert (status(shop).enforced, enforced(shop)) == (f"trunk@sha1:{commit}", {"one": "2"})


def test_the_highest_version_in_a_range_is_followed(site: GitSite, https: GitHttp, work: Work) -> None:
    secret = by_password(site, https)
    found = site.follow(source(https.url(), secretRef=secret, ref={"semver": ">=1.0.0 <2.0.0"}))
    for value, tag in (("1", "v1.0.0"), ("2", "v1.10.0"), ("3", "v2.0.0"), ("4", "v1.9.0")):
        work.push(value)
        work.git("tag", "--annotate", tag, "--message", tag)
    found.sync()
    assert status(found).state == "RefNotFound"
    work.git("push", "--quiet", "--tags", "origin")
    found.sync()
    assert enforced(found) == {"one": "2"}
    assert status(found).enforced.startswith("v1.10.0@sha1:")
    assert status(found).ref == "refs/tags/*"


def test_a_server_that_was_down_leaves_what_was_good_and_is_followed_again(
    shop: Reconciler, https: GitHttp, work: Work
) -> None:
    https.stop()
    work.push("2")
    shop.sync()
    assert (status(shop).state, enforced(shop)) == ("FetchFailed", {"one": "1"})
    https.start()
    shop.sync()
    assert (status(shop).state, enforced(shop)) == ("Ready", {"one": "2"})


def test_a_redirect_is_not_followed(shop: Reconciler, https: GitHttp) -> None:
    https.redirect = "https://localhost:1"
    shop.sync()
    assert status(shop).state == "FetchFailed"
    assert all(one.authorization == "" or one.path.startswith("/deploy.git") for one in https.asked)


def test_sources_of_one_repository_ask_and_fetch_once_a_round(site: GitSite, https: GitHttp, work: Work) -> None:
    work.push("1")
    secret = by_password(site, https)
    work.git("push", "--quiet", "origin", "HEAD:refs/heads/other")
    refs = [{"branch": "main"}, {"branch": "other"}]
    found = site.follow(*(source(https.url(), f"s{n}", secretRef=secret, ref=refs[n % 2]) for n in range(50)))
    found.sync()
    assert {one.state for one in found.sources.status.values()} == {"Ready"}
    packs = [one for one in https.asked if one.method == "POST" and one.status == 200]
    # One question, one fetch, which asks itself once more; protocol 2 asks for refs by POST, too.
    assert len(packs) <= 4
    https.asked.clear()
    found.sync()
    assert sum(one.status == 200 for one in https.asked) <= 2
    assert len(list((site.directory / "mirrors").glob("*.git"))) == 1


def test_a_mirror_that_nobody_follows_is_removed(site: GitSite, shop: Reconciler) -> None:
    assert len(list((site.directory / "mirrors").glob("*.git"))) == 1
    shop.sources.follow([])
    shop.renew()
    shop.sources.tidy()
    assert list((site.directory / "mirrors").glob("*.git")) == []
    assert enforced(shop) == {}


def seen_by_other_programs() -> str:
    """All arguments and environments that programs of this user show to others."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                found.append((place / name).read_bytes())
            except OSError:
                continue
    return b"\n".join(found).decode("utf-8", "replace")


@pytest.mark.parametrize("keys", [{"username": b"dana", "password": b"hidden-5d1e"}, {"bearerToken": b"hidden-5d1e"}])
def test_no_program_can_see_a_secret_while_git_waits(
    site: GitSite,
    https: GitHttp,
    work: Work,
    keys: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    work.push("1")
    https.users, https.tokens = {"dana": "hidden-5d1e"}, ("hidden-5d1e",)
    found = site.follow(source(https.url(), secretRef=site.secret("git", {"ca.crt": https.ca, **keys}), timeout=20))
    https.hang.set()
    look = threading.Thread(target=found.sync, daemon=True)
    look.start()
    shown = eventually(lambda: text if "git-remote-https" in (text := seen_by_other_programs()) else None, "git waits")
    assert "hidden-5d1e" not in shown
    assert leftovers() != []
    https.hang.clear()
    look.join(60)
    assert status(found).state == "Ready"
    assert leftovers() == []


def leftovers() -> list[Path]:
    """Files of credentials that nobody has removed."""
    return list(Path(tempfile.gettempdir()).glob("setscrew-access-*/*"))


def test_our_own_environment_is_not_git_s(shop: Reconciler, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    work.push("2")
    hostile = {"https_proxy": "http://127.0.0.1:1", "GIT_SSL_NO_VERIFY": "1", "GIT_DIR": "/nonexistent",
               "GIT_TRACE_CURL": "1", "GIT_CONFIG_PARAMETERS": "'http.proxy=http://127.0.0.1:1'", "HOME": "/root",
               "SSH_AUTH_SOCK": "/nonexistent", "GIT_ASKPASS": "/bin/true", "LD_PRELOAD": ""}  # fmt: skip
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    shop.sync()
    assert (status(shop).message, enforced(shop)) == ("", {"one": "2"})


def test_what_lets_most_objects_go_is_held_until_somebody_confirms_it_or_brings_them_back(
    shop: Reconciler, work: Work
) -> None:
    many = tuple(f"m{number}" for number in range(12))
    work.push("1", many)
    shop.sync()
    assert len(enforced(shop)) == 12
    work.push("2", many[:5])
    shop.sync()
    assert (status(shop).state, len(enforced(shop))) == ("Held", 12)
    assert "7 of 12 objects" in status(shop).message
    work.push("3", many)
    shop.sync()
    assert (status(shop).state, enforced(shop)["m0"]) == ("Ready", "3")
    work.push("4", ())
    shop.sync()
    assert (status(shop).state, len(enforced(shop))) == ("Held", 12)
    assert shop.sources.confirm("shop") == status(shop).attempted
    shop.sync()
    assert (status(shop).state, enforced(shop)) == ("Ready", {})
