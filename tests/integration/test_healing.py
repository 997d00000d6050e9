"""What drifted while nobody guarded is put back while the guard refuses everybody else: real parts, nothing mocked."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.limits import HEAL_WAIT_SECONDS
from reconciler.model.own import API_VERSION
from reconciler.model.ref import ObjectRef
from reconciler.report.drift import finding_id
from reconciler.store.decisions import read_decisions
from reconciler.store.healing import read_healing
from reconciler.store.history import read_history
from setscrew.demo.stage import GITOPS, Stage
from setscrew.store import existing_store
from tests.support import small_shop

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

HEALER = "system:serviceaccount:setscrew-system:setscrew-healer"
RIVAL = "keda"
MORE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: left, namespace: shop}
data: {mode: production}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: contested, namespace: shop}
data: {mode: production}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: fixed, namespace: shop}
spec:
  selector: {matchLabels: {app: fixed}}
  template:
    metadata: {labels: {app: fixed}}
    spec:
      containers: [{name: fixed, image: registry.example.com/fixed:1}]
"""
WRITERS = [{"subjects": [{"serviceAccount": "/".join(GITOPS)}]}, {"subjects": [{"user": RIVAL}], "verify": "None"}]
POLICIES = {
    "healed": {"priority": 10, "match": [{"namespaces": ["shop"]}], "heal": "Auto", "writers": WRITERS},
    "left": {"priority": 20, "match": [{"names": ["left"]}], "heal": "Never", "writers": WRITERS},
}
RIGHTS = [
    {"apiGroups": [""], "resources": ["configmaps", "secrets", "services"], "verbs": ["create", "patch"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create", "patch"]},
    {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["create", "patch"]},
]
WEB = ("deploy", "web")
# Each by a person with kubectl; what Git leaves to others is among it.
DRIFTS: tuple[tuple[tuple[str, ...], Any], ...] = (
    (WEB, [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil:1"}]),
    (WEB, [{"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "spy", "image": "spy:1"}}]),
    (WEB, [{"op": "replace", "path": "/spec/revisionHistoryLimit", "value": 3}]),
    (
        WEB,
        [
            {"op": "remove", "path": "/metadata/labels/app"},
            {"op": "add", "path": "/metadata/labels/mine", "value": "x"},
        ],
    ),
    (("deploy", "worker"), [{"op": "replace", "path": "/spec/replicas", "value": 4}]),
    (("deploy", "worker"), [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil:1"}]),
    (("cm", "settings"), [{"op": "replace", "path": "/data", "value": {"mode": "debug", "more": "1"}}]),
    (("cm", "left"), [{"op": "replace", "path": "/data/mode", "value": "debug"}]),
    (("secret", "db"), [{"op": "replace", "path": "/data/password", "value": "d3Jvbmc="}]),
    (("svc", "web"), None),
    (("cm", "cache"), None),
)
WEB_REF = ObjectRef("apps", "Deployment", "shop", "web")


def fill(work: Path) -> None:
    small_shop.fill(work)
    (work / "shop/more.yaml").write_text(MORE)


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    """Drifted in every way while it stood still, then started again."""
    with Stage(small_shop.SOURCES, fill, scan_seconds=1, heals=RIGHTS) as one:
        documents = [
            {"apiVersion": API_VERSION, "kind": "DriftPolicy", "metadata": {"name": name}, "spec": spec}
            for name, spec in POLICIES.items()
        ]
        (one.configured() / "policies.yaml").write_text(yaml.safe_dump_all(documents))
        one.plane.kubectl("create", "clusterrolebinding", RIVAL, "--clusterrole=cluster-admin", f"--user={RIVAL}")
        small_shop.synced_stage(one)
        one.stop_setscrew()
        drift(one)
        one.start_setscrew()
        one.wait("the rest is put back", lambda: names(one) == {"left", "fixed"})
        one.wait("the failure", lambda: "immutable" in one.log)
        yield one


def drift(stage: Stage) -> None:
    for (kind, name), steps in DRIFTS:
        if steps is None:
            by_hand(stage, "delete", kind, name)
        else:
            by_hand(stage, "patch", kind, name, "--type=json", "-p", json.dumps(steps))
    by_hand(stage, "delete", "deploy", "fixed")
    other = yaml.safe_load(MORE.split("---\n")[2].replace("app: fixed", "app: other"))
    stage.plane.kubectl("create", "-f", "-", kubeconfig=stage.person, input=json.dumps(other))


def by_hand(stage: Stage, verb: str, kind: str, name: str, *more: str, check: bool = True) -> Any:
    return stage.plane.kubectl(verb, kind, name, "-n", "shop", *more, kubeconfig=stage.person, check=check)


def names(stage: Stage) -> set[str]:
    """What the report says differs; an empty set also before the first pass."""
    report = stage.drift()
    return {item["name"] for item in report["items"]} if report and report["metadata"]["observedAt"] else set()


def get(stage: Stage, kind: str, name: str, *more: str) -> dict[str, Any]:
    done = stage.plane.kubectl("get", kind, name, "-n", "shop", "-o", "json", *more)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def history(stage: Stage, ref: ObjectRef) -> list[dict[str, Any]]:
    with existing_store(stage.state_dir) as state:
        return read_history(state, finding_id(ref))


def events(stage: Stage, ref: ObjectRef) -> list[str]:
    return [event["event"] for event in history(stage, ref)]


def test_fields_defaults_labels_and_extras_are_as_git_says(stage: Stage) -> None:
    web = get(stage, *WEB)
    spec = web["spec"]["template"]["spec"]
    assert [one["image"] for one in spec["containers"]] == ["registry.example.com/web:1"]
    assert web["spec"]["revisionHistoryLimit"] == 10
    assert get(stage, "cm", "settings")["data"] == {"mode": "production"}


def test_what_git_does_not_say_stays(stage: Stage) -> None:
    assert get(stage, *WEB)["metadata"]["labels"] == {"app": "web", "mine": "x"}
    worker = get(stage, "deploy", "worker")
    assert worker["spec"]["replicas"] == 4
    assert worker["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example.com/worker:1"


def test_objects_that_were_deleted_are_there_again(stage: Stage) -> None:
    assert get(stage, "svc", "web")["spec"]["ports"][0]["port"] == 80
    assert get(stage, "cm", "cache")["data"] == {"size": "64"}


def test_a_secret_holds_what_git_says_and_nobody_has_told_it(stage: Stage) -> None:
    assert base64.b64decode(get(stage, "secret", "db")["data"]["password"]).decode() == small_shop.PLAIN_SECRET
    told = stage.log + json.dumps(history(stage, ObjectRef("", "Secret", "shop", "db")))
    assert [text for text in small_shop.SECRETS if text in told] == []


def test_without_a_word_of_the_policy_nothing_is_put_back(stage: Stage) -> None:
    assert get(stage, "cm", "left")["data"] == {"mode": "debug"}
    assert "healed" not in events(stage, ObjectRef("", "ConfigMap", "shop", "left"))


def test_an_immutable_field_fails_loudly_and_nothing_is_deleted_for_it(stage: Stage) -> None:
    fixed = ObjectRef("apps", "Deployment", "shop", "fixed")
    reasons = [event["reason"] for event in history(stage, fixed) if event["event"] == "heal-failed"]
    assert "immutable" in reasons[-1]
    assert f"could not put back {fixed}" in stage.log
    assert get(stage, "deploy", "fixed")["spec"]["selector"] == {"matchLabels": {"app": "other"}}


def test_other_managers_keep_what_was_not_put_back(stage: Stage) -> None:
    managed = get(stage, "deploy", "worker", "--show-managed-fields")["metadata"]["managedFields"]
    ours = next(one["fieldsV1"] for one in managed if one["manager"] == "setscrew")
    held = ours["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"worker"}']
    assert set(held) - {".", "f:name"} == {"f:image"}
    assert set(ours["f:spec"]) == {"f:template"}
    argo = next(one["fieldsV1"] for one in managed if one["manager"] == "argocd-controller")
    assert "f:selector" in argo["f:spec"]


def test_each_correction_is_kept_with_who_was_undone(stage: Stage) -> None:
    healed = [event for event in history(stage, WEB_REF) if event["event"] == "healed"]
    assert healed
    assert "spec.revisionHistoryLimit" in healed[0]["fields"]
    assert healed[0]["opponent"].startswith("kubectl")
    assert f"put back {WEB_REF}" in stage.log


def test_the_guard_judged_each_of_these_writes_and_refused_none(stage: Stage) -> None:
    stage.wait("the guard", stage.guarded)
    refused = by_hand(stage, "patch", *WEB, "--type=json", "-p", json.dumps(DRIFTS[0][1]), check=False)
    assert "denied the request" in refused.stderr
    with existing_store(stage.state_dir) as state:
        found, _ = read_decisions(state, {"user": HEALER}, 1000)
    assert {one["allowed"] for one in found} <= {True}


def test_somebody_who_may_write_and_does_it_again_and_again_is_named_as_an_opponent(stage: Stage) -> None:
    contested = ObjectRef("", "ConfigMap", "shop", "contested")
    rival = stage.plane.kubeconfig(RIVAL)
    patch = '{"data":{"mode":"mine"}}'

    def undone() -> None:
        before = events(stage, contested).count("healed")
        stage.plane.kubectl("patch", "cm", "contested", "-n", "shop", "--type=merge", "-p", patch, kubeconfig=rival)
        stage.wait("the correction", lambda: events(stage, contested).count("healed") > before)
        rest(stage)

    for number in range(5):
        if number == 3:  # what was undone before a restart counts
            stage.stop_setscrew()
            stage.start_setscrew()
        undone()
    (fight,) = [event for event in history(stage, contested) if event["event"] == "fight"]
    assert RIVAL in fight["opponent"]
    assert f"a fight over {contested}" in stage.log
    with existing_store(stage.state_dir) as state:
        found, _ = read_decisions(state, {"user": HEALER}, 1000)
        kept = read_healing(state)[finding_id(contested)]
    assert [one for one in found if not one["allowed"]] == []
    assert (kept.backoff.tries, len(kept.fight.rounds)) == (len(HEAL_WAIT_SECONDS), 5)


def rest(stage: Stage) -> None:
    """An object that stays in sync for its whole wait, two seconds at first, begins anew."""
    began = time.monotonic()
    stage.wait("a rest", lambda: time.monotonic() - began > 3.5)


def test_what_git_drops_stays_in_the_cluster(stage: Stage) -> None:
    first, *_, last = MORE.split("---\n")
    commit, _ = small_shop.edit(stage, "shop/more.yaml", f"{first}---\n{last}", "Without the contested map")
    stage.wait("the revision", lambda: stage.enforced(commit))
    by_hand(stage, "label", "cm", "settings", "mine=y")
    stage.wait("another pass", passed(stage))
    assert get(stage, "cm", "contested")["data"]


def passed(stage: Stage) -> Callable[[], bool]:
    """True once the cluster has been compared again."""
    report = stage.drift()
    before = report["metadata"]["observedAt"] if report else ""

    def again() -> bool:
        now = stage.drift()
        return now is not None and now["metadata"]["observedAt"] > before

    return again
