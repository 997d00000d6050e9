"""From a push to a Git host until the next edit is answered by it: HTTPS and SSH, an outage, and two pushes at once."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from setscrew.demo.stage import Stage
from tests.support.git_http import GitHttp
from tests.support.git_site import Work
from tests.support.sshd import Sshd

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

PASSWORD = "correct-horse-battery"


@dataclass
class Hosts:
    """A stage that follows one repository by HTTPS and one by SSH."""

    stage: Stage
    https: GitHttp
    ssh: Sshd
    shop: Work
    gpu: Work

    def refused(self, name: str, value: str) -> str:
        """What a person is told who sets another value."""
        patch = json.dumps({"data": {"a": value}})
        command = ("patch", "configmap", name, "-n", "shop", "--type=merge", "-p", patch, "--dry-run=server")
        return self.stage.plane.kubectl(*command, kubeconfig=self.stage.person, check=False).stderr

    def setscrew(self, *arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "setscrew", *arguments, "--state", str(self.stage.state_dir), "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout or done.stderr

    def source(self, name: str) -> dict[str, Any]:
        items: list[dict[str, Any]] = json.loads(self.setscrew("source", "list")[1])["items"]
        return next(one for one in items if one["name"] == name)


@pytest.fixture(scope="module")
def hosts(alone: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    place = tmp_path_factory.mktemp("hosts")
    with (
        GitHttp(place / "https", users={"dana": PASSWORD}) as https,
        Sshd(place / "ssh", place / "sshd") as ssh,
    ):
        shop, gpu = Work.of(https.create(), place / "shop"), Work.of(ssh.create(), place / "gpu")
        shop.push("1", ("settings",))
        gpu.push("1", ("classes",))
        secrets = {
            "https": {"username": b"dana", "password": PASSWORD.encode(), "ca.crt": https.ca},
            "ssh": {"identity": ssh.identity, "known_hosts": ssh.known_hosts},
        }
        for name, keys in secrets.items():
            (place / "secrets" / name).mkdir(parents=True)
            for key, value in keys.items():
                (place / "secrets" / name / key).write_bytes(value)
        common = {"ref": {"branch": "main"}, "interval": "5s", "allowPrivateHosts": True}
        sources = {
            "shop": {"url": https.url(), "secretRef": {"name": "https"}, **common},
            "gpu": {"url": ssh.url(), "secretRef": {"name": "ssh"}, **common},
        }
        with Stage(sources, _nothing, scan_seconds=1, run_options=("--secrets", str(place / "secrets"))) as stage:
            stage.plane.kubectl("create", "namespace", "shop")
            for work in (shop, gpu):
                stage.plane.kubectl("apply", "-f", work.place / "all.yaml")
            stage.start_setscrew()
            stage.wait("the guard", stage.guarded)
            yield Hosts(stage, https, ssh, shop, gpu)


def _nothing(work: Path) -> None:
    """The stage's own repository is followed by nobody."""
    (work / "README").write_text("empty\n")


def test_a_push_to_either_host_is_what_the_next_edit_is_answered_by(hosts: Hosts) -> None:
    for work, name in ((hosts.shop, "settings"), (hosts.gpu, "classes")):
        assert "denied the request" in hosts.refused(name, "2")
        commit = work.push("2", (name,))
        hosts.stage.wait("the push", lambda name=name: not hosts.refused(name, "2"))
        assert commit[:12] in hosts.refused(name, "3")


def test_an_outage_leaves_the_guard_as_it_was_and_the_report_says_so(hosts: Hosts) -> None:
    before = hosts.source("shop")["enforced"]
    hosts.https.stop()
    status, said = hosts.setscrew("source", "refresh", "shop")
    assert (status, "shop" in json.loads(said)["failed"]) == (4, True)
    down = hosts.source("shop")
    assert (down["state"], down["enforced"]) == ("FetchFailed", before)
    assert PASSWORD not in json.dumps(down) + hosts.stage.log
    assert "denied the request" in hosts.refused("settings", "9")
    commit = hosts.shop.push("5", ("settings",))
    hosts.https.start()
    hosts.stage.wait("the host", lambda: commit in hosts.source("shop")["enforced"])
    assert not hosts.refused("settings", "5")
    assert hosts.source("shop")["state"] == "Ready"


def test_pushes_during_a_look_are_not_lost(hosts: Hosts) -> None:
    """A look that began before the last push may have read Git before it, so another one follows."""
    looks = []
    for value in ("6", "7", "8"):
        commit = hosts.gpu.push(value, ("classes",))
        looks.append(threading.Thread(target=hosts.setscrew, args=("source", "refresh", "gpu")))
        looks[-1].start()
    for look in looks:
        look.join(120)
    assert commit in hosts.source("gpu")["enforced"]
    assert not hosts.refused("classes", "8")


def test_what_is_held_comes_with_the_word_of_a_person(hosts: Hosts) -> None:
    hosts.shop.push("8", ())
    hosts.setscrew("source", "refresh", "shop")
    assert hosts.source("shop")["state"] == "Held"
    assert "denied the request" in hosts.refused("settings", "9")
    status, said = hosts.setscrew("source", "confirm", "shop")
    assert (status, json.loads(said)["failed"]) == (0, "")
    hosts.stage.wait("the guard to let go", lambda: "denied" not in hosts.refused("settings", "9"))
    status, said = hosts.setscrew("source", "confirm", "shop")
    assert (status, "nothing of it is held" in said) == (2, True)
