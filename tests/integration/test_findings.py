"""Several people and tools drift on one cluster in Audit: each finding names the right one, its owner, its severity."""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from reconciler.report.formats.registry import FORMATS
from reconciler.store.history import read_history, read_resolved
from reconciler.store.moments import read_epoch
from reconciler.store.state import State, open_state, sqlite_url
from setscrew.api_files import read_address, read_token
from setscrew.demo.stage import Stage, document, dump
from setscrew.store import STATE_FILE
from tests.support import small_shop
from tests.support.command import setscrew_on

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

PLANTED = "planted-7c2e-by-hand"
NAMESPACES = """\
apiVersion: v1
kind: Namespace
metadata: {name: pay, labels: {team: payments, cost_center: "42", stage: prod}}
---
apiVersion: v1
kind: Namespace
metadata: {name: web}
"""
PAY = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: limits, namespace: pay}
data: {most: "10", least: "1"}
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: pay}
stringData: {password: as-git-says}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: pay}
spec:
  replicas: 1
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers: [{name: api, image: "registry.example.com/api:1"}]
"""
ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: pay-reader, annotations: {acme.example/team: platform}}
rules:
- {apiGroups: [""], resources: [configmaps], verbs: [get]}
"""
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: web}\ndata: {text: declared}\n"
FILES = {
    "all/namespaces.yaml": NAMESPACES,
    "all/pay.yaml": PAY,
    "all/role.yaml": ROLE,
    "all/page.yaml": CONFIG % "page",
    "all/old.yaml": CONFIG % "old",
    "CODEOWNERS": "* @acme/everybody\n/all/page.yaml @acme/web @dana\n",
}


def fill(work: Path) -> None:
    (work / "all").mkdir()
    for name, text in FILES.items():
        (work / name).write_text(text)


def sync(stage: Stage) -> None:
    """What the GitOps controller does with what it declares."""
    trees = [one for name, text in FILES.items() if name != "CODEOWNERS" for one in yaml.safe_load_all(text)]
    options = ("--server-side", "--force-conflicts", "--field-manager=argocd-controller", "--validate=false")
    trees = sorted(trees, key=lambda tree: tree["kind"] != "Namespace")
    stage.plane.kubectl("apply", *options, "-f", "-", kubeconfig=stage.gitops, input=dump(trees))


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    with Stage({"all": {"path": "all", "render": {"kind": "YAML"}}}, fill, scan_seconds=1) as one:
        audit = {"priority": 5, "match": [{"sources": ["*"]}], "action": "Audit", "adopt": "Always"}
        config = one.directory / "config"
        config.mkdir()
        (config / "policy.yaml").write_text(yaml.safe_dump(document("DriftPolicy", "watch-only", audit)))
        sync(one)
        one.start_setscrew()
        one.wait("server forms", lambda: not one.unconfirmed())
        one.wait("nothing to report", lambda: (one.drift() or {})["metadata"]["observedAt"] and not items(one))
        one.wait("the records", lambda: recorded(one))
        yield one


def items(stage: Stage) -> dict[str, dict[str, Any]]:
    """The findings by name."""
    return {one["name"]: one for one in (stage.drift() or {})["items"]}


def recorded(stage: Stage) -> bool:
    """Whether what people do is recorded yet: a write that changes nothing would be, too."""
    act(stage, "probe", "annotate", "cm", "old", "-n", "web", "--overwrite", "note=probe")
    return any(one["user"] == "probe" for one in small_shop.ask(stage, "/api/v1/decisions")["items"])


def act(stage: Stage, user: str, *words: str) -> None:
    """What a person does with kubectl."""
    stage.plane.kubectl(*words, "--as", user, "--as-group", "system:masters", "--as-group", f"{user}-team")


def patch(stage: Stage, user: str, *what: str, manager: str = "kubectl-patch", **data: Any) -> None:
    words = ("patch", *what, "--type=merge", "--field-manager", manager, "-p", json.dumps(data))
    act(stage, user, *words)


def named(stage: Stage, name: str) -> tuple[str, str]:
    by = items(stage).get(name, {}).get("attribution", {})
    return by.get("user", ""), by.get("confidence", "")


@pytest.fixture(scope="module")
def drifted(stage: Stage) -> dict[str, dict[str, Any]]:
    """Five people write; a manager without a share in it writes last to each of what two of them wrote."""
    patch(stage, "alice", "cm", "limits", "-n", "pay", data={"most": "11", "least": "0"})
    patch(stage, "bob", "cm", "limits", "-n", "pay", data={"most": "99"}, manager="bobs-tool")
    patch(stage, "carol", "deploy", "api", "-n", "pay", "--subresource=status", status={"observedGeneration": 1})
    act(stage, "alice", "set", "image", "deploy/api", "-n", "pay", "api=registry.example.com/evil:1")
    patch(stage, "carol", "deploy", "api", "-n", "pay", metadata={"annotations": {"seen": "yes"}})
    patch(stage, "carol", "cm", "limits", "-n", "pay", metadata={"annotations": {"seen": "yes"}})
    secret = base64.b64encode(PLANTED.encode()).decode()
    patch(stage, "erin", "secret", "db", "-n", "pay", data={"password": secret})
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    patch(stage, "dave", "clusterrole", "pay-reader", rules=rules)
    act(stage, "bob", "delete", "cm", "page", "-n", "web")
    who = {"limits": "bob", "api": "alice", "db": "erin", "pay-reader": "dave", "page": "bob"}
    for name, user in who.items():
        stage.wait(f"{user}, who wrote {name}", lambda: named(stage, name) == (user, "admission"))  # noqa: B023
    return items(stage)


def test_each_finding_names_the_person_whose_write_made_it(drifted: dict[str, dict[str, Any]]) -> None:
    assert set(drifted) == {"limits", "api", "db", "pay-reader", "page"}
    users = {change["path"]: change["user"] for change in drifted["limits"]["changes"]}
    assert users == {"/data/most": "bob", "/data/least": "alice"}
    by = drifted["limits"]["attribution"]
    assert ("bob-team" in by["groups"], by["verb"], by["manager"]) == (True, "update", "bobs-tool")
    assert by["requestUID"]
    assert drifted["page"]["reason"].startswith("bob deleted it at ")


def test_each_finding_says_how_bad_it_is_and_why(drifted: dict[str, dict[str, Any]]) -> None:
    assert {name: (one["state"], one["severity"], one["severityReason"]) for name, one in drifted.items()} == {
        "limits": ("drifted", "medium", "content that Git declares"),
        "api": ("drifted", "high", "which code runs"),
        "db": ("drifted", "high", "credentials"),
        "pay-reader": ("drifted", "critical", "who may do what in the whole cluster"),
        "page": ("missing", "high", "Git declares it, and it is not there"),
    }


def test_each_finding_says_whose_it_is(drifted: dict[str, dict[str, Any]]) -> None:
    owners = {
        name: (one["owner"]["team"], one["owner"]["costCenter"], one["owner"]["from"]) for name, one in drifted.items()
    }
    assert owners == {
        "limits": ("payments", "42", "namespace"),
        "api": ("payments", "42", "namespace"),
        "db": ("payments", "42", "namespace"),
        "pay-reader": ("platform", "", "annotation"),
        "page": ("@acme/web", "", "CODEOWNERS"),
    }
    assert drifted["api"]["owner"]["labels"] == {"team": "payments", "cost_center": "42", "stage": "prod"}
    assert drifted["page"]["owner"]["contact"] == "@acme/web @dana"


def test_a_finding_says_which_states_were_compared(stage: Stage, drifted: dict[str, dict[str, Any]]) -> None:
    live = json.loads(stage.plane.kubectl("get", "deploy", "api", "-n", "pay", "-o", "json").stdout)["metadata"]
    found = items(stage)["api"]
    assert (found["liveResourceVersion"], found["liveGeneration"]) == (live["resourceVersion"], live["generation"])
    assert found["desiredRevision"] == drifted["api"]["source"]["revision"]


def test_no_value_of_a_secret_is_kept_anywhere(stage: Stage, drifted: dict[str, dict[str, Any]]) -> None:
    forms = [PLANTED, base64.b64encode(PLANTED.encode()).decode()]
    with closing(sqlite3.connect(f"file:{stage.state_dir / STATE_FILE}?mode=ro", uri=True)) as database:
        kept = "\n".join(database.iterdump())
    assert drifted["db"]["id"] in kept
    assert [form for form in forms if form in kept or form in stage.log or form in json.dumps(drifted)] == []


def state_of(stage: Stage) -> State:
    return open_state(sqlite_url(stage.state_dir / STATE_FILE))


def told(stage: Stage, path: str) -> str:
    """What the API server answers, as it is."""
    address = read_address(stage.state_dir)
    with closing(HTTPConnection(urlsplit(address.url).netloc, timeout=60)) as connection:
        connection.request("GET", path, headers={"Authorization": f"Bearer {read_token(address.token_file).decode()}"})
        answer = connection.getresponse()
        text = answer.read().decode()
    assert answer.status == 200, text
    return text


def in_sync(stage: Stage) -> set[str]:
    return {one["name"] for one in small_shop.ask(stage, "/api/v1/drift?state=in-sync&limit=1000")["items"]}


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_tells_a_value_of_a_secret(stage: Stage, drifted: dict[str, dict[str, Any]], name: str) -> None:
    forms = [PLANTED, base64.b64encode(PLANTED.encode()).decode()]
    text = told(stage, f"/api/v1/drift?includeIgnored=true&format={name}")
    # Metrics name no objects.
    assert (name == "prom" or "db" in text, [form for form in forms if form in text]) == (True, [])


def resource(stage: Stage, name: str, *place: str) -> dict[str, Any]:
    """What is told of one object by its name."""
    group, version, kind, namespace = place
    found: dict[str, Any] = small_shop.ask(
        stage, f"/api/v1/resources/default/{group}/{version}/{kind}/{namespace}/{name}"
    )["resource"]
    return found


LIMITS = ("_", "v1", "ConfigMap", "pay")


def heard(stage: Stage, since: str, names: set[str]) -> str:
    """The stream of events since then, until it has told of all of these objects."""
    address, text = read_address(stage.state_dir), ""
    with closing(HTTPConnection(urlsplit(address.url).netloc, timeout=60)) as connection:
        token = read_token(address.token_file).decode()
        headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": since}
        connection.request("GET", "/api/v1/events", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200
        while not all(f'"name":"{name}"' in text for name in names):
            line = answer.readline().decode()
            assert line, text
            text += line
    return text


def test_one_object_is_told_by_its_name_with_what_git_wants_and_what_is_there(
    stage: Stage, drifted: dict[str, dict[str, Any]]
) -> None:
    found = resource(stage, "limits", *LIMITS)
    assert (found["state"], found["finding"]) == ("drifted", drifted["limits"]["id"])
    assert found["desired"]["object"]["data"] == {"most": "10", "least": "1"}
    assert {one["path"]: one["live"] for one in found["live"]["fields"]} == {"/data/most": "99", "/data/least": "0"}
    assert resource(stage, "page", "_", "v1", "ConfigMap", "web")["live"]["there"] is False
    untouched = resource(stage, "pay", "_", "v1", "Namespace", "_")
    assert untouched["desired"]["object"]["metadata"]["labels"]["team"] == "payments"
    stage.wait("it in sync", lambda: resource(stage, "pay", "_", "v1", "Namespace", "_")["state"] == "in-sync")
    stage.wait("the cluster", lambda: small_shop.ask(stage, "/api/v1/clusters")["items"][0]["reach"] == "reached")
    (cluster,) = small_shop.ask(stage, "/api/v1/clusters")["items"]
    assert (cluster["kubernetes"][:2], cluster["counts"]["total"]) == ("v1", 5)


def test_no_other_route_tells_a_value_of_a_secret(stage: Stage, drifted: dict[str, dict[str, Any]]) -> None:
    declared = (PLANTED, "as-git-says")
    forms = [*declared, *(base64.b64encode(one.encode()).decode() for one in declared)]
    with closing(state_of(stage)) as state:
        begin = f"{read_epoch(state)}-0"
    texts = [
        told(stage, "/api/v1/resources/default/_/v1/Secret/pay/db"),
        told(stage, "/api/v1/clusters"),
        told(stage, "/api/v1/unmanaged"),
        heard(stage, begin, set(drifted)),
    ]
    assert ['"db"' in text for text in texts] == [True, False, False, True]
    assert [form for form in forms for text in texts if form in text] == []
    assert resource(stage, "db", "_", "v1", "Secret", "pay")["desired"]["object"]["data"] == {"password": "***"}


def adopt(stage: Stage, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return setscrew_on(stage, "adopt", *words, "--config", stage.directory / "config")


def cloned(stage: Stage, name: str) -> Path:
    clone = stage.directory / name
    subprocess.run(["git", "clone", "--quiet", stage.repository.work, clone], check=True, capture_output=True)
    return clone


def test_what_people_changed_is_adopted_by_patches_that_git_takes(
    stage: Stage, drifted: dict[str, dict[str, Any]]
) -> None:
    clone = cloned(stage, "adopting")
    for target in ("cm/limits", "deploy/api", "cm/page"):
        namespace = "web" if target == "cm/page" else "pay"
        done = adopt(stage, target, "-n", namespace)
        assert (done.returncode, "adopted: " in done.stderr) == (0, True), done.stderr
        subprocess.run(["git", "apply", "-"], cwd=clone, input=done.stdout, text=True, check=True)
    text = (clone / "all" / "pay.yaml").read_text()
    assert 'data: {most: "99", least: "0"}' in text
    assert text.replace('{most: "99", least: "0"}', '{most: "10", least: "1"}').replace("/evil:1", "/api:1") == PAY
    assert not (clone / "all" / "page.yaml").exists()


def test_what_people_changed_is_adopted_on_a_branch(stage: Stage, drifted: dict[str, dict[str, Any]]) -> None:
    clone = cloned(stage, "branching")
    done = adopt(stage, "clusterrole/pay-reader", "--repo", clone, "--branch", "keep")
    if "does not know who commits" in done.stderr:
        subprocess.run(["git", "config", "user.email", "dana@example.com"], cwd=clone, check=True)
        subprocess.run(["git", "config", "user.name", "Dana"], cwd=clone, check=True)
        done = adopt(stage, "clusterrole/pay-reader", "--repo", clone, "--branch", "keep")
    assert done.returncode == 0, done.stderr
    shown = subprocess.run(
        ["git", "show", f"{done.stdout.strip()}:all/role.yaml"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert yaml.safe_load(shown.stdout)["rules"] == [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    assert yaml.safe_load((clone / "all" / "role.yaml").read_text())["rules"] != yaml.safe_load(shown.stdout)["rules"]


def test_what_is_secret_is_not_adopted_and_what_does_not_differ_needs_nothing(
    stage: Stage, drifted: dict[str, dict[str, Any]]
) -> None:
    forms = [PLANTED, base64.b64encode(PLANTED.encode()).decode()]
    done = adopt(stage, "secret/db", "-n", "pay")
    assert (done.returncode, done.stdout) == (2, "")
    assert ("all/pay.yaml" in done.stderr, [form for form in forms if form in done.stderr]) == (True, [])
    done = adopt(stage, "ns/web")
    assert (done.returncode, done.stdout) == (0, "")
    done = adopt(stage, "cm/none-of-it", "-n", "web")
    assert (done.returncode, "neither in Git nor in the cluster" in done.stderr) == (2, True)


def test_what_git_does_not_declare_is_adopted_as_a_file(stage: Stage, drifted: dict[str, dict[str, Any]]) -> None:
    act(stage, "carol", "create", "cm", "kept", "-n", "web", "--from-literal=a=b")
    done = adopt(stage, "cm/kept", "-n", "web", "--source", "all")
    assert done.returncode == 0, done.stderr
    assert "+++ b/all/configmap-kept.yaml" in done.stdout
    assert "uid" not in done.stdout


def test_the_past_of_an_object_names_each_who_wrote_it(stage: Stage, drifted: dict[str, dict[str, Any]]) -> None:
    done = setscrew_on(stage, "who", "cm/limits", "-n", "pay", "-o", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["items"]
    assert [one["time"] for one in told] == sorted(one["time"] for one in told)
    wrote = [(one["user"], one["event"], one["confidence"]) for one in told if "/data/least" in one["paths"]]
    assert ("alice", "allowed", "admission") in wrote or ("alice", "warned", "admission") in wrote
    assert {"manager": "bobs-tool", "user": "bob"} in [{key: one[key] for key in ("manager", "user")} for one in told]
    done = setscrew_on(stage, "who", "secret/db", "-n", "pay")
    assert ("erin" in done.stdout, PLANTED in done.stdout + done.stderr) == (True, False)
    done = setscrew_on(stage, "who", "cm/page", "-n", "web")
    assert ("bob" in done.stdout, "delete" in done.stdout) == (True, True)


def test_what_is_put_back_is_resolved_and_its_past_stays(stage: Stage, drifted: dict[str, dict[str, Any]]) -> None:
    sync(stage)
    stage.wait("the end of all drift", lambda: not items(stage))
    identity = drifted["limits"]["id"]
    with closing(state_of(stage)) as state:
        over = {one["name"]: one for one in read_resolved(state, "", 100)}
        past = read_history(state, identity)
    assert set(over) == set(drifted)
    assert (over["limits"]["attribution"]["user"], bool(over["limits"]["resolvedAt"])) == ("bob", True)
    assert [past[0]["event"], past[-1]["event"]] == ["detected", "resolved"]
    assert "bob" in {event.get("who") for event in past}
    ended = small_shop.ask(stage, f"/api/v1/drift/{identity}")
    assert (ended["resolvedAt"], ended["uid"] != "") == (over["limits"]["resolvedAt"], True)
    stage.wait("what is in sync", lambda: {"limits", "api", "db"} <= in_sync(stage))
    stage.wait("the same by its name", lambda: resource(stage, "limits", *LIMITS)["state"] == "in-sync")
    patch(stage, "alice", "cm", "limits", "-n", "pay", data={"most": "98"})
    stage.wait("alice again", lambda: named(stage, "limits") == ("alice", "admission"))
    assert items(stage)["limits"]["occurrences"] == over["limits"]["occurrences"] + 1


def test_what_git_drops_is_an_orphan_until_the_cluster_has_lost_it(stage: Stage) -> None:
    (stage.repository.work / "all" / "old.yaml").unlink()
    commit = stage.repository.commit("Drop the old page")
    stage.repository.push()
    stage.wait("the pushed revision", lambda: stage.enforced(commit))
    stage.wait("the orphan", lambda: "old" in items(stage))
    found = items(stage)["old"]
    assert (found["state"], found["severity"], found["source"]["file"]) == ("orphaned", "medium", "all/old.yaml")
    assert (commit in found["desiredRevision"], commit in found["source"]["revision"]) == (True, False)
    assert found["owner"]["team"] == "@acme/everybody"
    act(stage, "alice", "delete", "cm", "old", "-n", "web")
    stage.wait("the end of it", lambda: "old" not in items(stage))
