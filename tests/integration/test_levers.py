"""Holds who may change the guard's own levers, on a real API server: each way that somebody tries is a case."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.demo.stage import Stage
from tests.support import small_shop

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

TOP = Path(__file__).parents[2]
CASES = yaml.safe_load((TOP / "tests" / "cases" / "levers.yaml").read_text())
API = {"apiVersion": "setscrew.dev/v1alpha1"}
PEOPLE = {"ivy": ["setscrew:installers"], "greta": ["setscrew:grantors"], "named": []}
ACCOUNTS = {
    "ci": ("shop", "ci"),
    "installer": ("setscrew-system", "setscrew-installer"),
    "reconciler": ("setscrew-system", "setscrew-reconciler"),
}
# As `setscrew install` makes it: those who installed by name, and whom they let.
POLICY = {
    "priority": 900,
    "match": [{"kinds": ["setscrew.dev/GitSource", "setscrew.dev/DriftPolicy", "setscrew.dev/DriftGrant"]}],
    "writers": [{"subjects": [{"user": "named"}, {"serviceAccount": "shop/ci"}], "verify": "None"}],
}
NIGHT = {
    "subjects": [{"user": "otto"}],
    "scope": {"namespaces": ["shop"]},
    "reason": "fire",
    "approver": "lena",
    "duration": "1h",
}


def lever(kind: str, name: str, spec: Mapping[str, Any], generate: str = "") -> dict[str, Any]:
    return {**API, "kind": kind, "metadata": {"generateName": generate} if generate else {"name": name}, "spec": spec}


BASE = (
    lever("GitSource", "by-hand", {"url": "https://git.example.com/a.git"}),
    lever("GitSource", "declared", {"url": "https://git.example.com/d.git"}),
    lever("DriftPolicy", "by-hand", {"action": "Deny"}),
    lever("DriftGrant", "night", NIGHT),
)


@dataclass(slots=True)
class Play:
    """The stage, and the kubeconfigs of all who play on it."""

    stage: Stage
    kubeconfigs: dict[str, Path]

    def run(self, who: str, *words: str, given: str | None = None) -> tuple[str, str]:
        """How a command was answered, and what it printed."""
        done = self.stage.plane.kubectl(*words, kubeconfig=self.kubeconfigs[who], input=given, check=False)
        assert done.returncode == 0 or "denied the request" in done.stderr, done.stderr
        return "refused" if done.returncode else "allowed", done.stdout + done.stderr

    def levers(self) -> dict[tuple[str, str], Any]:
        """What all levers say, by kind and name."""
        found = {}
        for resource in ("gitsources", "driftpolicies", "driftgrants"):
            body = self.stage.plane.request("GET", f"/apis/setscrew.dev/v1alpha1/{resource}").body
            for one in body["items"]:
                meta = {key: one["metadata"].get(key) for key in ("labels", "finalizers", "ownerReferences", "uid")}
                found[resource, one["metadata"]["name"]] = (one["spec"], one.get("status"), meta)
        return found

    def reset(self) -> None:
        """All levers as they were, by the installer."""
        self.run("ivy", "delete", "gitsources,driftpolicies,driftgrants", "--all")
        self.run("ivy", "create", "-f", "-", given=yaml.safe_dump_all(BASE))


@pytest.fixture(scope="module")
def play(alone: None) -> Iterator[Play]:
    def fill(work: Path) -> None:
        small_shop.fill(work)
        (work / "own").mkdir()
        (work / "own" / "source.yaml").write_text(yaml.safe_dump(BASE[1]))

    sources = {**small_shop.SOURCES, "own": {"path": "own", "render": {"kind": "YAML"}}}
    with Stage(sources, fill, scan_seconds=1) as stage:
        plane = stage.plane
        plane.kubectl("apply", "-k", TOP / "manifests" / "crds")
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        plane.kubectl("create", "-f", "-", input=yaml.safe_dump_all(BASE))
        names = {"dana": stage.person, "gitops": stage.gitops}
        for name, groups in PEOPLE.items():
            names[name] = plane.kubeconfig(name, groups)
            plane.kubectl("create", "clusterrolebinding", name, "--clusterrole=cluster-admin", f"--user={name}")
        for name, account in ACCOUNTS.items():
            names[name] = plane.service_account_kubeconfig(*account)
        for name in ("ci", "installer"):
            account = f"--serviceaccount={':'.join(ACCOUNTS[name])}"
            plane.kubectl("create", "clusterrolebinding", name, "--clusterrole=cluster-admin", account)
        (stage.directory / "config").mkdir()
        policy = lever("DriftPolicy", "setscrew-levers", POLICY)
        (stage.directory / "config" / "levers.yaml").write_text(yaml.safe_dump(policy))
        small_shop.synced_stage(stage)
        one = Play(stage, names)
        stage.wait("the guard of levers", lambda: one.run("dana", *PROBE)[0] == "refused")
        yield one


PROBE = ("delete", "gitsource", "by-hand", "--dry-run=server")


def document(given: Mapping[str, Any]) -> str:
    return yaml.safe_dump(lever(given["kind"], given.get("name", ""), given["spec"], given.get("generate", "")))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_a_lever_is_moved_by_whom_it_may_be(play: Play, case: dict[str, Any]) -> None:
    words, given = case["run"].split(), document(case["input"]) if "input" in case else None
    before = play.levers()
    tried, said = play.run(case["as"], *words, "--dry-run=server", given=given)
    assert (tried, play.levers()) == (case["answer"], before), said
    try:
        answer, said = play.run(case["as"], *words, given=given)
        assert answer == case["answer"], said
        assert case.get("says", "") in said
        assert (play.levers() != before) is (answer == "allowed" and case["name"] not in AS_GIT_SAYS)
    finally:
        if play.levers() != before:
            play.reset()


# What changes nothing, since it is there already.
AS_GIT_SAYS = {"Argo CD makes a source as Git declares it"}


def test_the_way_out_that_a_refusal_names_is_open(play: Play) -> None:
    """Whoever may change webhook configurations can switch the guard off; with it, levers are anybody's."""
    patch = {"metadata": {"annotations": {"setscrew.dev/off": "2026-11-22T03:10:00Z dana"}}, "webhooks": []}
    play.run("dana", "patch", "validatingwebhookconfiguration", "setscrew", "--type=merge", "-p", json.dumps(patch))
    play.stage.wait("the guard to be off", lambda: play.run("dana", *PROBE)[0] == "allowed")
    assert play.run("dana", "delete", "gitsource", "by-hand")[0] == "allowed"
