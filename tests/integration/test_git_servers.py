"""The servers that tests of sources fetch from are real: the plain git client pushes to them and clones from them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git_http import GitHttp
from tests.support.sshd import Sshd, make_key

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


@pytest.fixture
def https(tmp_path: Path) -> Iterator[GitHttp]:
    with GitHttp(tmp_path / "served", users={"dana": "correct horse"}, tokens=("a-token",)) as server:
        server.create()
        yield server


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path / "served", tmp_path / "sshd") as server:
        server.create()
        yield server


def git(tmp_path: Path, *arguments: str, **environment: str) -> str:
    """Run the git client of this machine; what it says where it fails."""
    identity = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in
                (("NAME", "Dana"), ("EMAIL", "dana@example.com"))}  # fmt: skip
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_TERMINAL_PROMPT": "0", **identity, **environment}
    done = subprocess.run(["git", *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else f"failed: {done.stderr}"


def push_and_clone(tmp_path: Path, url: str, **environment: str) -> str:
    """A repository with a file of 3 MiB, which git sends in chunks, pushed and cloned again; the clone's words."""
    work = tmp_path / "work"
    git(tmp_path, "init", "--initial-branch=main", str(work))
    (work / "big").write_bytes(os.urandom(3 * 1024 * 1024))
    (work / "x.yaml").write_text("a: 1\n")
    git(work, "add", "--all")
    git(work, "commit", "--message", "First words")
    pushed = git(work, "push", url, "main", **environment)
    cloned = git(tmp_path, "clone", url, "clone", **environment)
    return pushed + cloned + git(tmp_path, "-C", "clone", "log", "--format=%s")


def trusting(server: GitHttp, tmp_path: Path) -> str:
    place = tmp_path / "ca.crt"
    place.write_bytes(server.ca)
    return str(place)


def with_password(url: str, password: str) -> str:
    return url.replace("https://", f"https://dana:{password}@").replace(" ", "%20")


def test_a_push_by_https_can_be_cloned(https: GitHttp, tmp_path: Path) -> None:
    url = with_password(https.url(), "correct horse")
    assert push_and_clone(tmp_path, url, GIT_SSL_CAINFO=trusting(https, tmp_path)) == "First words\n"
    assert https.count("git-receive-pack") > 0


def test_https_refuses_a_wrong_password_and_an_authority_that_is_not_trusted(https: GitHttp, tmp_path: Path) -> None:
    trusted = {"GIT_SSL_CAINFO": trusting(https, tmp_path)}
    assert "Authentication failed" in git(tmp_path, "ls-remote", with_password(https.url(), "wrong"), **trusted)
    assert "certificate" in git(tmp_path, "ls-remote", with_password(https.url(), "correct horse"))
    assert (
        git(tmp_path, "-c", "http.extraHeader=Authorization: Bearer a-token", "ls-remote", https.url(), **trusted) == ""
    )


def test_https_goes_down_and_comes_back_on_its_port(https: GitHttp, tmp_path: Path) -> None:
    ask = ("ls-remote", with_password(https.url(), "correct horse"))
    trusted = {"GIT_SSL_CAINFO": trusting(https, tmp_path)}
    https.stop()
    assert "Failed to connect" in git(tmp_path, *ask, **trusted)
    https.start()
    assert git(tmp_path, *ask, **trusted) == ""


def command(server: Sshd, tmp_path: Path, *, known: bytes, key: Path) -> str:
    hosts = tmp_path / "known_hosts"
    hosts.write_bytes(known)
    return f"ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile={hosts} -i {key}"


def test_a_push_by_ssh_can_be_cloned(ssh: Sshd, tmp_path: Path) -> None:
    how = command(ssh, tmp_path, known=ssh.known_hosts, key=ssh.directory / "client")
    assert push_and_clone(tmp_path, ssh.url(), GIT_SSH_COMMAND=how) == "First words\n", ssh.log


def test_ssh_refuses_a_strange_key_and_is_refused_with_a_strange_host_key(ssh: Sshd, tmp_path: Path) -> None:
    strange = make_key(tmp_path / "strange")
    how = command(ssh, tmp_path, known=ssh.known_hosts, key=strange)
    assert "Permission denied" in git(tmp_path, "ls-remote", ssh.url(), GIT_SSH_COMMAND=how)
    how = command(ssh, tmp_path, known=b"", key=ssh.directory / "client")
    assert "Host key verification failed" in git(tmp_path, "ls-remote", ssh.url(), GIT_SSH_COMMAND=how)
