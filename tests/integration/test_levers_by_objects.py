"""Holds that policies in the cluster say who may change policies, and that no mistake in them locks everybody out."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cluster.api import ApiClient
from reconciler.loop.serve import Clockwork
from reconciler.render.spec import RenderTools
from setscrew.certificates import Certificates
from setscrew.controlplane import ControlPlane, Tools
from setscrew.controlplane.ports import free_ports
from setscrew.incluster.configured import Configured
from setscrew.options import Options
from setscrew.reconcile import make
from setscrew.site import Site
from setscrew.statedir import prepare
from tests.support.waiting import eventually
from webhook.registration.apply import switch_off
from webhook.settings import AdmissionSettings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

TOP = Path(__file__).parents[2]
BASE = ("namespace.yaml", "service-accounts.yaml", "rbac.yaml", "canonicalizer-policy.yaml", "canary-policy.yaml")
PEOPLE: dict[str, list[str]] = {"dana": [], "named": [], "ivy": ["setscrew:installers"]}
OURS = ["setscrew.dev/GitSource", "setscrew.dev/DriftPolicy", "setscrew.dev/DriftGrant"]


@dataclass(slots=True)
class Guarded:
    """A cluster whose levers are guarded by what stands in it, and those who try."""

    plane: ControlPlane
    clockwork: Clockwork
    kubeconfigs: dict[str, Path]

    def run(self, who: str, *words: str, given: Any = None) -> str:
        """How it was answered."""
        text = yaml.safe_dump(given) if given is not None else None
        done = self.plane.kubectl(*words, kubeconfig=self.kubeconfigs[who], input=text, check=False)
        assert done.returncode == 0 or "denied the request" in done.stderr, done.stderr
        return "refused" if done.returncode else "allowed"

    def may(self, who: str) -> str:
        """How a policy of anybody's would be answered."""
        return self.run(who, "create", "--dry-run=server", "-f", "-", given=policy("tried", action="Audit"))

    def apply(self, name: str, **spec: Any) -> None:
        """A policy by the installer, once it counts."""
        assert self.run("ivy", "apply", "-f", "-", given=policy(name, **spec)) == "allowed"
        eventually(lambda: name in self.counting(), f"policy {name} to count")

    def counting(self) -> set[str]:
        current = self.clockwork.reconciler.current
        return {one.name for one in current.rules.policies} if current is not None else set()


def policy(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "setscrew.dev/v1alpha1", "kind": "DriftPolicy", "metadata": {"name": name}, "spec": spec}


@pytest.fixture(scope="module")
def guarded(control_plane: ControlPlane, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    plane, directory = control_plane, tmp_path_factory.mktemp("guarded")
    plane.kubectl("apply", "-k", TOP / "manifests" / "crds")
    plane.kubectl("apply", "--validate=false", *(f"--filename={TOP / 'manifests' / 'base' / name}" for name in BASE))
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    for name in PEOPLE:
        plane.kubectl(
            "create", "clusterrolebinding", f"by-objects-{name}", "--clusterrole=cluster-admin", f"--user={name}"
        )
    account = plane.service_account_kubeconfig("setscrew-system", "setscrew-reconciler")
    port, metrics = free_ports(2)
    url, said = f"https://127.0.0.1:{port}", list[str]()
    (directory / "config").mkdir()
    state = prepare(directory / "state")
    Certificates(state, url, said.append).begin()
    site = Site(
        reader=lambda connections: ApiClient.load(str(account), connections=connections),
        configured=Configured(ApiClient.load(str(account)), directory / "config", said.append),
        url=url,
    )
    renderers = RenderTools(tools.path("helm"), tools.path("kubectl"))
    clockwork = make(Options(state, directory / "config", renderers, webhook_url=url, scan_seconds=5), site)
    running = threading.Thread(target=clockwork.run, daemon=True)
    settings = AdmissionSettings.in_directory(state, port=port, metrics=("127.0.0.1", metrics), log_level="warning")
    server = subprocess.Popen([sys.executable, "-m", "webhook.server"], env={**os.environ, **settings.environment()})
    running.start()
    one = Guarded(plane, clockwork, {name: plane.kubeconfig(name, groups) for name, groups in PEOPLE.items()})
    try:
        eventually(lambda: one.may("dana") == "refused", "the guard")
        yield one
    finally:
        switch_off(ApiClient.load(str(plane.admin_kubeconfig)), "2026-11-22T04:30:00Z", "the test")
        clockwork.stop()
        running.join(30)
        server.terminate()
        server.wait(30)
        plane.kubectl("delete", "validatingwebhookconfiguration", "setscrew", "--ignore-not-found")
        plane.kubectl("delete", "clusterrolebinding", *(f"by-objects-{name}" for name in PEOPLE))
        plane.kubectl("delete", "-k", TOP / "manifests" / "crds")
        plane.kubectl("delete", "namespace", "setscrew-system")


@pytest.fixture(autouse=True)
def clean(guarded: Guarded) -> Iterator[None]:
    yield
    guarded.run("ivy", "delete", "driftpolicies", "--all")
    eventually(lambda: guarded.counting() & {"levers", "shut"} == set(), "the policies to be gone")


def test_without_any_policy_in_the_cluster_the_shipped_ones_hold(guarded: Guarded) -> None:
    assert (guarded.may("dana"), guarded.may("named"), guarded.may("ivy")) == ("refused", "refused", "allowed")


def test_a_policy_in_the_cluster_lets_in_whom_it_names_until_it_is_gone(guarded: Guarded) -> None:
    writers = [{"subjects": [{"user": "named"}], "verify": "None"}]
    guarded.apply("levers", priority=900, match=[{"kinds": OURS}], writers=writers)
    eventually(lambda: guarded.may("named") == "allowed", "the writer")
    assert guarded.may("dana") == "refused"
    assert guarded.run("named", "delete", "driftpolicy", "levers") == "allowed"
    eventually(lambda: guarded.may("named") == "refused", "the writer to be none")
    assert guarded.may("ivy") == "allowed"


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="one that names no writer"),
        pytest.param(
            {"writers": [{"subjects": [{"group": "setscrew:instalers"}], "verify": "None"}]}, id="a wrong group"
        ),
        pytest.param({"undecidable": "Deny", "failurePolicy": "Fail", "exclusive": True}, id="an exclusive one"),
    ],
)
def test_no_policy_locks_installers_out(guarded: Guarded, spec: dict[str, Any]) -> None:
    guarded.apply("shut", priority=3000, match=[{"kinds": OURS}], action="Deny", **spec)
    eventually(lambda: guarded.may("dana") == "refused", "the guard")
    assert guarded.may("ivy") == "allowed"
    assert guarded.run("ivy", "delete", "driftpolicy", "shut") == "allowed"


def test_a_policy_for_everything_opens_no_lever(guarded: Guarded) -> None:
    writers = [{"subjects": [{"user": "named"}], "verify": "None"}]
    guarded.apply("levers", priority=3000, match=[{"kinds": ["*"]}], action="Audit", writers=writers)
    # The admission server has it once it counts among what is asked about: a snapshot is followed within a moment.
    guarded.apply("shut", priority=10)
    assert (guarded.may("named"), guarded.may("dana")) == ("refused", "refused")
