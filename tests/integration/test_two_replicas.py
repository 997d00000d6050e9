"""Two replicas in a cluster: one leads, both guard, and neither the end of one nor that of Git is felt by who writes.

The Pods' processes run under the tokens of their service account, with the rights of manifests/base, and nobody but an
installer may change what Setscrew consists of. In the order of this file: each test leaves two ready replicas.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml

from reconciler.cluster.api import ApiClient
from reconciler.model.own import FOLLOWER, HEALER_ACCOUNT, LEADER, NAMESPACE, REGISTRATION, SERVICE_ACCOUNT
from setscrew.controlplane import Tools
from setscrew.demo.stage import GITOPS, PERSON
from tests.support.audit import writes
from tests.support.replicas import Installation, Traffic, commit, installed, patch
from tests.support.waiting import eventually
from tests.support.writer import Answer, Writer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]


def config(name: str, value: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mode": value}}


def shop(**values: str) -> dict[str, str]:
    """Files of Git: a ConfigMap each."""
    given = {"settings": "production", "released": "one", "healed": "production"} | values
    return {"shop/all.yaml": yaml.safe_dump_all([config(name, value) for name, value in given.items()])}


SOURCES = {"shop": {"ref": {"branch": "main"}, "path": "shop", "render": {"kind": "YAML"}, "interval": "1h"}}
POLICIES = {
    "shop": {
        "priority": 10,
        "match": [{"namespaces": ["shop"]}],
        "writers": [{"subjects": [{"serviceAccount": "/".join(GITOPS)}], "verify": "Content", "onTimeout": "Deny"}],
    },
    "healed": {"priority": 20, "match": [{"names": ["healed"]}], "action": "Audit", "heal": "Auto"},
}
CLUSTER = (
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
    *(
        config(name, value)
        for name, value in (("settings", "production"), ("released", "one"), ("healed", "production"))
    ),
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "heals", "labels": {"setscrew.dev/aggregate-to-healer": "true"}},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch"]}],
    },
)


@pytest.fixture(scope="module")
def site(alone: None, tools: Tools) -> Iterator[Installation]:
    with installed(tools, shop(), SOURCES, POLICIES, CLUSTER, locked=True) as one:
        one.wait_ready()
        eventually(lambda: drifts(one)[0] == 403, "the guard is on")
        yield one


def drifts(site: Installation) -> tuple[int, str]:
    """What a person's drift would be answered."""
    return patch(ApiClient.load(str(site.person)), "settings", {"data": {"mode": "drift"}}, dry_run=True)


def guarded_by_each(site: Installation) -> None:
    """Each replica refuses drift by what Git says now, and lets free writes pass."""
    commit = site.repository.git("rev-parse", "HEAD").strip()[:7]
    try:
        for pod in site.pods:
            site.proxy.choose(pod.address)
            answer = eventually(lambda: (one := drifts(site)) and commit in one[1] and one, f"{pod.name} is up to date")
            assert answer[0] == 403
            assert "production" in answer[1]
            assert site.proxy.hosts == {pod.address}
            label = {"metadata": {"labels": {"seen": pod.name[-5:]}}}
            assert patch(ApiClient.load(str(site.person)), "settings", label)[0] == 200
    finally:
        site.proxy.choose(None)


def released(site: Installation, value: str) -> Answer:
    """What the writer is answered who applies what was pushed just now, once Git could be read in time."""
    writer, late = Writer(site.gitops), ("could not be read in time", "could not be asked in time")

    def applied() -> Answer | None:
        answer = writer.apply(config("released", value))
        assert answer.status == 200 or any(words in answer.message for words in late), answer.message
        return answer if answer.status == 200 else None

    return eventually(applied, "Git is read in time")


def test_at_first_one_leads_and_both_guard(site: Installation) -> None:
    guarded_by_each(site)
    leader, follower = site.leader, site.follower
    eventually(lambda: site.labels() == {leader.name: LEADER, follower.name: FOLLOWER}, "the Pods say who leads")
    path = f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{REGISTRATION}"
    entries = site.admin.request("GET", path)["webhooks"]
    assert {entry["clientConfig"]["service"]["namespace"] for entry in entries} == {NAMESPACE}
    assert all("leads" not in line for line in follower.logs.splitlines())


def test_a_writers_write_right_after_a_push_passes_through_a_follower(site: Installation) -> None:
    """Nobody tells Setscrew of the push: the follower asks the leader, and judges by what that has published."""
    writer = Writer(site.gitops)
    site.proxy.choose(site.follower.address)
    try:
        commit(site.repository, shop(released="two"), "A release")
        assert released(site, "two").warnings == ()
        assert site.proxy.hosts == {site.follower.address}
        refused = writer.apply(config("released", "three"))
        assert refused.status == 403
        assert "two" in refused.message
    finally:
        site.proxy.choose(None)


def test_who_may_view_a_namespace_reads_its_part_of_the_report(site: Installation) -> None:
    """By the cluster's own word: nobody has given Setscrew a token, or a list of readers."""
    tokens = {name: account_token(site, name) for name in ("nobody", "team", "auditor")}
    site.plane.kubectl(
        "create", "rolebinding", "team", "-n", "shop", "--clusterrole=view", "--serviceaccount=shop:team"
    )
    site.plane.kubectl("create", "clusterrolebinding", "auditor", "--clusterrole=view", "--serviceaccount=shop:auditor")

    def answered(token: str, path: str) -> int:
        return asked(site, token, path)[0]

    drift, sources = "/api/v1/drift", "/api/v1/sources"
    # A controller gathers the right into `view`, and what was answered holds for a minute.
    eventually(lambda: answered(tokens["auditor"], sources) == 200, "who may view all reads all")
    eventually(lambda: answered(tokens["team"], drift) == 200, "who may view a namespace reads of it")
    assert answered(tokens["team"], sources) == 403
    assert [answered(tokens["nobody"], path) for path in (drift, sources)] == [403, 403]
    assert [answered(token, drift) for token in ("", "nobody's", tokens["team"] + "x")] == [401, 401, 401]


def asked(site: Installation, token: str, path: str) -> tuple[int, Any]:
    """What the leader's API answers whoever shows this token."""
    request = Request(f"http://{site.leader.address}:8080{path}", headers={"Authorization": f"Bearer {token}"})
    try:
        with urlopen(request, timeout=60) as answer:  # noqa: S310 - a constant of this test
            return int(answer.status), json.load(answer)
    except HTTPError as error:
        return error.code, None


def account_token(site: Installation, name: str) -> str:
    """A new service account of the shop, and what it shows for itself."""
    site.plane.kubectl("create", "serviceaccount", name, "-n", "shop")
    return site.plane.kubectl("create", "token", name, "-n", "shop").stdout.strip()


def test_the_report_names_whom_the_follower_has_judged(site: Installation) -> None:
    person, follower = ApiClient.load(str(site.person)), site.follower.name
    site.proxy.choose(site.follower.address)
    try:
        assert patch(person, "settings", {"data": {"mode": "mine"}})[0] == 403
        assert patch(person, "healed", {"data": {"mode": "mine"}})[0] == 200
        assert site.proxy.hosts == {site.follower.address}
    finally:
        site.proxy.choose(None)
    token = site.plane.kubectl("create", "token", "auditor", "-n", "shop").stdout.strip()

    def told(name: str, *, allowed: bool) -> bool:
        status, found = asked(site, token, "/api/v1/decisions?namespace=shop&limit=1000")
        assert status == 200
        whom = [(one["user"], one["name"], one["allowed"], one.get("replica")) for one in found["items"]]
        return (PERSON, name, allowed, follower) in whom

    eventually(lambda: told("settings", allowed=False), "the leader knows whom the follower refused")
    eventually(lambda: told("healed", allowed=True), "the leader knows whom the follower let drift")
    path = "/api/v1/namespaces/shop/configmaps/healed"
    eventually(lambda: site.admin.request("GET", path)["data"] == {"mode": "production"}, "it is put back")


def test_drift_is_put_back_once_by_the_leader_alone(site: Installation) -> None:
    path = "/api/v1/namespaces/shop/configmaps/healed"
    person = ApiClient.load(str(site.person))
    for number in range(3):
        assert patch(person, "healed", {"data": {"mode": f"debug-{number}"}})[0] == 200
        eventually(lambda: site.admin.request("GET", path)["data"] == {"mode": "production"}, "it is put back")
    healer = f"{SERVICE_ACCOUNT}{NAMESPACE}:{HEALER_ACCOUNT}"

    def written(user: str) -> int:
        found = [
            one
            for one in writes(site.plane)
            if one["requestURI"].startswith(path) and "dryRun" not in one["requestURI"]
        ]
        return sum(one["user"]["username"] == user and one["responseStatus"]["code"] < 300 for one in found)

    # Once more by the test before.
    assert (written(PERSON), written(healer)) == (4, 4)


def test_line_10_a_leader_that_is_killed_is_followed_by_another_and_nobody_who_writes_feels_it(
    site: Installation,
) -> None:
    leader, follower = site.leader, site.follower
    container = leader.container("reconcile")
    with Traffic(site) as traffic:
        container.held = True
        container.kill()
        eventually(lambda: site.holder == follower.name, "another replica leads")
        eventually(lambda: site.labels().get(follower.name) == LEADER, "its Pod says so")
        eventually(traffic.flows, "writes go on")
    assert (traffic.wrong, traffic.failed) == ([], [])
    commit(site.repository, shop(released="three"), "Another release")
    site.proxy.choose(follower.address)
    try:
        released(site, "three")
    finally:
        site.proxy.choose(None)
        container.held = False
    site.wait_ready()
    guarded_by_each(site)


def test_replacing_both_replicas_under_load_fails_no_write(site: Installation) -> None:
    before = {one.name for one in site.pods}
    with Traffic(site) as traffic:
        site.plane.kubectl("rollout", "restart", "deployment/setscrew", "-n", NAMESPACE, kubeconfig=site.installer)
        eventually(lambda: len(site.pods) == 2 and not before & {one.name for one in site.pods}, "both are new", 360)
        site.wait_ready()
        eventually(traffic.flows, "writes go on")
    assert (traffic.wrong, traffic.failed) == ([], [])
    guarded_by_each(site)
    assert any("the lease is given back" in site.runner.pods[name].logs for name in before)


def test_with_git_away_replicas_that_begin_with_nothing_guard_as_before(site: Installation) -> None:
    before = {one.name for one in site.pods}
    site.git.stop()
    try:
        site.plane.kubectl(
            *("delete", "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=setscrew", "--wait=false"),
            kubeconfig=site.installer,
        )
        eventually(lambda: len(site.pods) == 2 and not before & {one.name for one in site.pods}, "both are new")
        site.wait_ready()
        guarded_by_each(site)
        eventually(lambda: site.git.url() in site.leader.logs, "the leader says that Git is away")
    finally:
        site.git.start()


def test_no_write_was_let_pass_because_nobody_answered(site: Installation) -> None:
    assert site.failed_open() == []
