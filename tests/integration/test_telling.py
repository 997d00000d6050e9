"""Told in the cluster, in metrics and through kubectl: Events at their objects, what alerts ask for, the plugin."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.store.findings import last_pass
from setscrew.api_files import read_address, read_token
from setscrew.demo.stage import Stage
from setscrew.store import open_store
from tests.support import small_shop
from tests.support.command import setscrew_on

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

MANIFESTS = Path(__file__).parents[2] / "manifests"
RULES = yaml.safe_load((MANIFESTS / "monitoring" / "prometheusrule.yaml").read_text())["spec"]["groups"][0]["rules"]
BINDING = "clusterrolebinding/setscrew-events"
OTHER = '{"stringData":{"password":"other-4b7e-never-print"}}'


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    """The small shop under guard, with Events on."""
    with Stage(small_shop.SOURCES, small_shop.fill, scan_seconds=1, run_options=("--events",)) as one:
        one.plane.kubectl("apply", "-k", MANIFESTS / "events")
        yield small_shop.synced_stage(one)


def events(stage: Stage, name: str, reason: str = "", namespace: str = "shop") -> list[dict[str, Any]]:
    """Our Events at objects of one name."""
    found = json.loads(stage.plane.kubectl("get", "events.events.k8s.io", "-n", namespace, "-o", "json").stdout)[
        "items"
    ]
    mine = [one for one in found if one.get("reportingController") == "setscrew.dev/reconciler"]
    return [one for one in mine if one["regarding"]["name"] == name and one["reason"] in (reason or one["reason"])]


def told(stage: Stage, name: str, reason: str, words: str = "", namespace: str = "shop") -> dict[str, Any]:
    """The one Event of that reason whose note holds these words, once it is there."""

    def found() -> list[dict[str, Any]]:
        return [one for one in events(stage, name, reason, namespace) if words in one["note"]]

    stage.wait(f"{reason} at {name}", found)
    (event,) = found()
    return event


def patch(stage: Stage, target: str, change: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """A person's change."""
    words = ("patch", target, "-n", "shop", "--type=merge", "-p", change)
    return stage.plane.kubectl(*words, kubeconfig=stage.person, check=check)


def grant(stage: Stage, *scope: str) -> None:
    why = ("--for", "10m", "--reason", "a test", "--approver", "lena")
    made = setscrew_on(stage, "grant", "create", "--user", "dana", *scope, *why)
    assert made.returncode == 0, made.stderr


def kubectl(stage: Stage, *words: str) -> subprocess.CompletedProcess[str]:
    """The real kubectl, which finds the plugin where this Python's programs are."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "SETSCREW_STATE": str(stage.state_dir), "KUBECONFIG": str(stage.person)}
    assert stage.tools is not None
    command = [str(stage.tools.path("kubectl")), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def metrics(stage: Stage) -> str:
    """What both servers tell."""
    address = read_address(stage.state_dir)
    token = read_token(address.token_file).decode()
    texts = []
    for port, headers in ((stage.api_port, {"Authorization": f"Bearer {token}"}), (stage.metrics_port, {})):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.request("GET", "/metrics", headers=headers)
            texts.append(connection.getresponse().read().decode())
    return "".join(texts)


def observed(stage: Stage) -> str:
    """When all was compared last, by the store: there may be no server to ask."""
    state = open_store(stage.state_dir)
    try:
        return last_pass(state).observed_at
    finally:
        state.close()


def test_what_happens_to_an_object_is_told_at_it(stage: Stage) -> None:
    change = '{"data":{"mode":"debug"}}'
    assert "Git wants" in patch(stage, "cm/settings", change, check=False).stderr
    denied = told(stage, "settings", "OutOfBandChangeDenied")
    assert denied["note"] == "patch by dana refused (drift): /data/mode".replace("patch", "update")
    uid = json.loads(stage.plane.kubectl("get", "cm", "settings", "-n", "shop", "-o", "json").stdout)["metadata"]["uid"]
    assert denied["regarding"] == {
        "apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "settings", "uid": uid,
    }  # fmt: skip
    grant(stage, "--ref", "ConfigMap shop/settings")
    stage.wait("the grant", lambda: patch(stage, "cm/settings", change, check=False).returncode == 0)
    assert told(stage, "settings", "BreakGlassUsed")["note"].startswith("update by dana under grant ")
    drift = told(stage, "settings", "DriftDetected", "not as Git says")
    assert drift["note"].startswith("not as Git says: data.mode; declared in shop/shop.yaml:")
    assert "dana (admission)" in drift["note"]
    assert drift["regarding"]["uid"] == uid
    shown = stage.plane.kubectl("describe", "cm", "settings", "-n", "shop").stdout
    assert {"DriftDetected", "OutOfBandChangeDenied", "BreakGlassUsed"} <= set(shown.split())
    small_shop.sync(stage)
    assert told(stage, "settings", "DriftResolved", "it was drifted")["type"] == "Normal"
    decided = small_shop.ask(stage, "/api/v1/decisions?limit=1000")["items"]
    assert {one["kind"] for one in decided} >= {"ConfigMap"}
    assert "Event" not in {one["kind"] for one in decided}


def test_of_a_secret_the_path_is_told_and_no_value(stage: Stage) -> None:
    grant(stage, "--ref", "Secret shop/db")
    stage.wait("the grant", lambda: patch(stage, "secret/db", OTHER, check=False).returncode == 0)
    assert told(stage, "db", "DriftDetected", "data.password")["type"] == "Warning"
    everything = stage.plane.kubectl("get", "events.events.k8s.io", "-A", "-o", "json").stdout + metrics(stage)
    assert [secret for secret in small_shop.SECRETS if secret in everything] == []


def test_what_has_no_namespace_and_a_broken_source_are_told_in_default(stage: Stage) -> None:
    stage.plane.kubectl("delete", "deviceclass", "a100", kubeconfig=stage.person, check=False)
    assert told(stage, "a100", "OutOfBandChangeDenied", "(delete)", "default")["regarding"]["kind"] == "DeviceClass"
    values = (stage.repository.work / "cache/values.yaml").read_text()
    small_shop.edit(stage, "cache/values.yaml", "size: [\n", "Broken")
    broken = told(stage, "cache", "RenderFailed", "", "default")
    assert (broken["regarding"]["kind"], broken["regarding"]["apiVersion"]) == ("GitSource", "setscrew.dev/v1alpha1")
    commit, _ = small_shop.edit(stage, "cache/values.yaml", values, "Well again")
    assert told(stage, "cache", "SourceReady", commit, "default")["type"] == "Normal"


def test_a_restart_tells_nothing_twice(stage: Stage) -> None:
    before = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in events(stage, "db")}
    assert stage.stop_setscrew() == 0
    passed = observed(stage)
    stage.start_setscrew()
    stage.wait("a pass of the new process", lambda: observed(stage) != passed)
    # What is told after it was told before, or would have been.
    assert "Git wants" in patch(stage, "cm/cache", '{"data":{"size":"1"}}', check=False).stderr
    assert told(stage, "cache", "OutOfBandChangeDenied")
    assert {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in events(stage, "db")} == before


def test_a_missing_right_is_said_once_and_stops_nothing(stage: Stage) -> None:
    stage.plane.kubectl("delete", BINDING)
    for number in range(3):
        change = json.dumps({"data": {f"more{number}": "x"}})
        assert patch(stage, "cm/cache", change, check=False).returncode == 1
    stage.wait("the line", lambda: "Kubernetes Events are not written" in stage.log)
    assert stage.log.count("Kubernetes Events are not written: the right to create and patch events is missing") == 1
    assert stage.drift() is not None
    stage.plane.kubectl("apply", "-k", MANIFESTS / "events")


def test_metrics_of_every_alert_are_told_by_the_running_servers(stage: Stage) -> None:
    text = metrics(stage)
    named = {name for rule in RULES for name in re.findall(r"setscrew_\w+", rule["expr"])}
    assert len(named) >= 6
    stage.wait(
        "all of them",
        lambda: all(f"{name}{{" in metrics(stage) for name in named - {"setscrew_fail_open_writes_total"}),
    )
    assert "# TYPE setscrew_fail_open_writes_total counter" in text
    severities = re.findall(
        r'setscrew_drift_detected_total\{cluster="default",severity="\w+",state="drifted"\} (\S+)', text
    )
    assert sum(map(float, severities)) >= 2
    assert re.search(r'setscrew_drift_resources\{[^}]*kind="Secret",namespace="shop"[^}]*\} 1.0', text)


def test_kubectl_finds_the_plugin_and_its_exit_status_is_that_of_setscrew(stage: Stage) -> None:
    assert "kubectl-setscrew" in kubectl(stage, "plugin", "list").stdout
    shown = kubectl(stage, "setscrew", "drift", "-n", "shop", "-o", "json")
    assert shown.returncode == 1, shown.stderr
    assert [one["name"] for one in json.loads(shown.stdout)["items"]] == ["db"]
    wrong = kubectl(stage, "setscrew", "drift", "--no-such")
    assert (wrong.returncode, "kubectl setscrew drift --help" in wrong.stderr) == (2, True)
    explain = ("setscrew", "explain", "configmap/settings", "-n", "shop", "--context")
    assert kubectl(stage, *explain, kubectl(stage, "config", "current-context").stdout.strip()).stderr == ""
    assert "no-such-context" in kubectl(stage, *explain, "no-such-context").stderr


def test_kubectl_completes_the_plugin(stage: Stage) -> None:
    for words, found in ((("dri",), "drift\t"), (("drift", "--na"), "--namespace\t")):
        done = kubectl(stage, "__complete", "setscrew", *words)
        lines = done.stdout.splitlines()
        assert (done.returncode, lines[0].startswith(found), lines[-1]) == (0, True, ":4"), done.stdout + done.stderr


def test_kustomize_builds_the_monitoring(stage: Stage) -> None:
    built = list(yaml.safe_load_all(stage.plane.kubectl("kustomize", MANIFESTS / "monitoring").stdout))
    assert sorted(one["kind"] for one in built) == ["ConfigMap", "PrometheusRule"]
    (dashboard,) = (one for one in built if one["kind"] == "ConfigMap")
    assert json.loads(dashboard["data"]["setscrew.json"])["uid"] == "setscrew-drift"
