"""Plays "Install in a cluster" of the README, word by word, against a real API server: two replicas as processes.

The commands are read from the page: a page that is wrong fails here. What stands for nodes is `tests.support.pods` and
`tests.support.service_proxy`; the only words that are changed are the address of the repository's host.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cluster.api import ApiClient
from reconciler.errors import ClusterError
from reconciler.model.own import ADMISSION_SERVICE, ADMISSION_SERVICE_PORT, NAMESPACE
from setscrew.controlplane import ControlPlane, Tools
from setscrew.demo import repository
from tests.support import pods, service_proxy
from tests.support.git_http import GitHttp
from tests.support.waiting import eventually

README = Path(__file__).parents[2] / "README.md"

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

SERVICES = "--service-cluster-ip-range=127.64.0.0/16"
HOST = "https://git.example.com/"
SHOP = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"},
        "data": {"mode": "on"},
    },
]


def commands() -> list[str]:
    """The commands of the section, in order."""
    _, _, rest = README.read_text().partition("\n## Install in a cluster\n")
    text, _, _ = rest.partition("\n## ")
    return [
        line
        for block in re.findall(r"^```\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]


@dataclass
class Site:
    """A control plane, the processes of its Pods, and a host of repositories."""

    plane: ControlPlane
    runner: Any
    git: GitHttp
    admin: ApiClient
    directory: Path

    def play(self, command: str, *statuses: int) -> str:
        """One command of the page, as an administrator types it."""
        place = [str(self.plane.site.tools.kubectl.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
        own = {"PATH": os.pathsep.join(place), "KUBECONFIG": str(self.plane.admin_kubeconfig)}
        words = command.replace(HOST, self.git.url("x").removesuffix("x.git"))
        done = subprocess.run(
            ["bash", "-ec", words], env={**os.environ, **own}, capture_output=True, text=True, check=False, timeout=500
        )
        logs = "\n".join(f"{one.name}\n{one.logs[-3000:]}" for one in self.runner.pods.values())
        assert done.returncode in (statuses or (0,)), (command, done.stdout, done.stderr, logs)
        return done.stdout + done.stderr

    def drift(self) -> str:
        """What a person's change away from Git is answered; "" where it passes."""
        patch = json.dumps({"data": {"mode": os.urandom(4).hex()}})
        args = ("patch", "configmap", "settings", "-n", "shop", "--type=merge", "-p", patch)
        return self.plane.kubectl(*args, check=False).stderr


@pytest.fixture(scope="module")
def site(alone: None, tools: Tools) -> Iterator[Site]:
    with ExitStack() as stack:
        plane = stack.enter_context(ControlPlane.start(tools, api_server_args=[SERVICES]))
        git = repository.create(plane.directory / "git")
        (git.remote.parent / "shop.git").symlink_to(git.remote)
        place = git.work / "deploy" / "prod"
        place.mkdir(parents=True)
        (place / "shop.yaml").write_text(yaml.safe_dump_all(SHOP))
        git.commit("The shop")
        git.push()
        plane.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(SHOP))
        server = stack.enter_context(GitHttp(git.remote.parent))
        found = ["--helm", str(tools.helm), "--kubectl", str(tools.kubectl)]
        runner = stack.enter_context(pods.pod_runner(plane, plane.directory / "pods", {"reconcile": found}))
        yield Site(plane, runner, server, ApiClient.load(str(plane.admin_kubeconfig)), plane.directory)


def stand_in_for_nodes_and_the_internet(site: Site, stack: ExitStack) -> threading.Thread:
    """As soon as they are there: the Service's address, and what a host of a private authority needs of a GitSource."""

    def work() -> None:
        service = f"/api/v1/namespaces/{NAMESPACE}/services/{ADMISSION_SERVICE}"
        address = eventually(lambda: read(site, service).get("spec", {}).get("clusterIP"), "the Service")
        proxy = service_proxy.ServiceProxy(
            site.admin, ADMISSION_SERVICE, lambda one: one.replace(pods.SHOWN, pods.REAL)
        )
        stack.enter_context(service_proxy.proxying(proxy, address, ADMISSION_SERVICE_PORT))
        secret = {"metadata": {"name": "shop-git"}, "stringData": {"ca.crt": site.git.ca.decode()}}
        site.admin.request("POST", f"/api/v1/namespaces/{NAMESPACE}/secrets", secret)
        source = "/apis/setscrew.dev/v1alpha1/gitsources/shop"
        eventually(lambda: read(site, source), "the source")
        body = {"spec": {"secretRef": {"name": "shop-git"}, "allowPrivateHosts": True, "interval": "10s"}}
        site.admin.request("PATCH", source, body, content_type="application/merge-patch+json")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def read(site: Site, path: str) -> dict[str, Any]:
    try:
        return site.admin.request("GET", path)
    except ClusterError:
        return {}


def well(site: Site, doctor: str) -> None:
    """Until doctor names no problem."""
    told = [""]

    def is_well() -> bool:
        told[0] = site.play(doctor, 0, 1)
        return " problem " not in told[0] and "the guard sees" in told[0]

    try:
        eventually(is_well, "all to be well", 180, 2)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{told[0]}") from None


def test_the_readme_word_by_word(site: Site) -> None:
    preflight, install, get, doctor, status, advance, again, uninstall = commands()
    with ExitStack() as stack:
        site.play(preflight)
        assert read(site, f"/api/v1/namespaces/{NAMESPACE}") == {}
        stands_in = stand_in_for_nodes_and_the_internet(site, stack)
        assert "is installed (overlay prevent)" in site.play(install)
        stands_in.join()
        eventually(lambda: "Enforced" in site.play(get), "the source to be enforced")
        well(site, doctor)
        assert "0 objects changed" in site.play(install)
        assert site.drift() == ""
        assert site.play(status).startswith("Audit: ")
        site.play(advance)
        eventually(lambda: "Warning: admin may not change" in site.drift(), "a warning", 180, 1)
        site.play(again)
        eventually(lambda: "denied the request" in site.drift(), "a refusal", 180, 1)
        assert 'Git wants "on"' in site.drift()
        assert site.play(uninstall).endswith("nothing of Setscrew is left\n")
    assert site.runner.running == []
    assert site.runner.faults == []
    assert site.drift() == ""
