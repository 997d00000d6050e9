"""A push as people make it, all the way: signed, to a host with a password and its own authority, told of by GitLab.

Nobody looks at Git but when the host tells of a push: what the next edit is answered by came that way.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.api_client import post
from setscrew.delivering import Push, delivery
from setscrew.demo.stage import Stage
from tests.support.command import setscrew_on
from tests.support.git_http import GitHttp
from tests.support.git_site import Work
from tests.support.signing import People, people

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

PASSWORD = "correct-horse-battery"
TOKEN = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
NOTHING = "0" * 40
# A renderer that waits, once it has begun, for whoever opens the other end of `hold`.
SLOW = """#!/bin/sh
[ "$1" = kustomize ] && [ -p {hold} ] && : > {begun} && read -r go < {hold}
exec {kubectl} "$@"
"""


@dataclass
class Site:
    """A stage whose only source is a repository at the host; `work` is where people push from."""

    stage: Stage
    host: GitHttp
    work: Work
    people: People

    def sign_as(self, name: str) -> None:
        """From now on commits are signed by this person ("-": by nobody)."""
        for setting in self.people.git_options(name)[1::2]:
            self.work.git("config", *setting.split("=", 1))
        self.work.git("config", "commit.gpgSign", str(name != "-").lower())

    def signer(self, name: str) -> str:
        """As a denial names this person."""
        return f"signed by {name}@example.com ({self.people.fingerprint(name)})"

    def tell(self, after: str) -> None:
        """What GitLab sends of a push to main."""
        push = Push(self.host.url(), "refs/heads/main", after, str(uuid.uuid4()), int(time.time()))
        headers, body = delivery("gitlab", TOKEN.encode(), push)
        status, answer = post(f"http://127.0.0.1:{self.stage.api_port}", "/hooks/v1/gitlab", headers, body)
        assert (status, answer["sources"]) == (202, ["shop"])

    def edited(self, value: str) -> str:
        """What a person is told who sets this value; "" where it is taken."""
        patch = json.dumps({"data": {"a": value}})
        asked = ("patch", "configmap", "settings", "-n", "shop", "--type=merge", "-p", patch, "--dry-run=server")
        return self.stage.plane.kubectl(*asked, kubeconfig=self.stage.person, check=False).stderr

    def answers_by(self, commit: str, name: str) -> bool:
        """Whether an edit that Git does not want is refused by this commit of this person."""
        said = self.edited("nobody's")
        return "denied the request" in said and commit[:12] in said and self.signer(name) in said

    def source(self) -> dict[str, Any]:
        done = setscrew_on(self.stage, "source", "list", "-o", "json")
        found: dict[str, Any] = json.loads(done.stdout)["items"][0]
        return found

    @property
    def gate(self) -> Path:
        return self.stage.directory / "hold"

    @property
    def begun(self) -> Path:
        return self.stage.directory / "begun"


@pytest.fixture(scope="module")
def site(alone: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("push")
    with people() as everybody, GitHttp(place / "served", users={"dana": PASSWORD}) as host:
        work = Work.of(host.create(), place / "work").over(host.url(), "dana", PASSWORD, host.ca)
        (work.place / "kustomization.yaml").write_text("resources: [all.yaml]\n")
        spec = {
            "url": host.url(),
            "ref": {"branch": "main"},
            "interval": "1h",
            "allowPrivateHosts": True,
            "secretRef": {"name": "host"},
            "verify": {"mode": "strict", "secretRef": {"name": "signers"}},
        }
        with Stage({"shop": spec}, lambda empty: (empty / "README").touch(), scan_seconds=1) as stage:
            found = Site(stage, host, work, everybody)
            found.sign_as("dana")
            work.push("1", ("settings",))
            configure(found)
            stage.plane.kubectl("create", "namespace", "shop")
            stage.plane.kubectl("apply", "-f", work.place / "all.yaml")
            stage.start_setscrew()
            stage.wait("the guard", stage.guarded)
            yield found


def configure(site: Site) -> None:
    """The receiver, the Secrets, and a renderer that can be made to wait."""
    config = site.stage.configured()
    secrets = {
        "host": {"username": b"dana", "password": PASSWORD.encode(), "ca.crt": site.host.ca},
        "signers": site.people.secret("dana", "eddy"),
        "gitlab": {"token": TOKEN.encode()},
    }
    for name, keys in secrets.items():
        (config / "secrets" / name).mkdir(parents=True)
        for key, content in keys.items():
            (config / "secrets" / name / key).write_bytes(content)
    receiver = {
        "apiVersion": "setscrew.dev/v1alpha1",
        "kind": "Receiver",
        "metadata": {"name": "gitlab"},
        "spec": {"provider": "gitlab", "secretFile": str(config / "secrets/gitlab/token"), "sources": ["shop"]},
    }
    (config / "receivers.yaml").write_text(yaml.safe_dump(receiver))
    renderer = site.stage.directory / "bin" / "kubectl"
    renderer.parent.mkdir()
    renderer.write_text(SLOW.format(hold=site.gate, begun=site.begun, kubectl=site.stage.plane.site.tools.kubectl))
    renderer.chmod(0o755)


@contextmanager
def held_rendering(site: Site) -> Iterator[None]:
    """Every render that begins meanwhile goes on at the end only; one must have begun."""
    os.mkfifo(site.gate)
    yield
    with site.gate.open("w"):
        site.gate.unlink()


def test_the_next_edit_is_answered_by_the_signed_push_that_gitlab_told_of(site: Site) -> None:
    for name, value in (("eddy", "2"), ("dana", "3")):
        assert "denied the request" in site.edited(value)
        site.sign_as(name)
        commit = site.work.push(value, ("settings",))
        site.tell(commit)
        site.stage.wait("the push", lambda value=value: not site.edited(value))
        assert site.answers_by(commit, name)


def test_an_unsigned_push_changes_nothing_and_a_forced_signed_one_takes_its_place(site: Site) -> None:
    before = site.source()["enforced"]
    site.sign_as("-")
    unsigned = site.work.push("4", ("settings",))
    site.tell(unsigned)
    site.stage.wait("the refusal", lambda: site.source()["state"] == "VerifyFailed")
    assert (site.source()["enforced"], "SS2101" in site.source()["message"]) == (before, True)
    assert "denied the request" in site.edited("4")
    site.work.git("reset", "--quiet", "--hard", "HEAD~1")
    site.sign_as("eddy")
    signed = site.work.push("5", ("settings",), force=True)
    site.tell(signed)
    site.stage.wait("the signed push", lambda: site.answers_by(signed, "eddy"))
    assert not site.edited("5")
    assert site.source()["state"] == "Ready"


def test_a_branch_that_was_renamed_leaves_the_guard_as_it_was_until_it_is_back(site: Site) -> None:
    site.sign_as("dana")
    last = site.work.push("6", ("settings",))
    site.tell(last)
    site.stage.wait("the push", lambda: site.answers_by(last, "dana"))
    site.work.git("push", "--quiet", "origin", "HEAD:refs/heads/trunk")
    site.work.git(f"--git-dir={site.work.remote}", "symbolic-ref", "HEAD", "refs/heads/trunk")
    site.work.git("push", "--quiet", "--delete", "origin", "main")
    site.tell(NOTHING)
    site.stage.wait("its absence", lambda: site.source()["state"] == "RefNotFound")
    assert "refs/heads/main" in site.source()["message"]
    assert site.answers_by(last, "dana")
    again = site.work.push("7", ("settings",))
    site.tell(again)
    site.stage.wait("the branch", lambda: site.answers_by(again, "dana"))


def test_of_pushes_during_a_render_the_last_is_enforced(site: Site) -> None:
    site.sign_as("dana")
    with held_rendering(site):
        site.tell(site.work.push("8", ("settings",)))
        site.stage.wait("the render", site.begun.exists)
        for value in ("9", "10"):
            commit = site.work.push(value, ("settings",))
            site.tell(commit)
        assert "denied the request" in site.edited("10")
    site.stage.wait("the last push", lambda: site.answers_by(commit, "dana"))
    assert not site.edited("10")
