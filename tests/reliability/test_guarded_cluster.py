"""Lines 2-4, 11-13, 17, 25 and 27 of docs/reference/reliability.md: one cluster from its sync to the end.

The tests stand in the order in which things happen: the last two stop the guard and take it away.
"""

from __future__ import annotations

import os
import shutil
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from reconciler.model.own import REGISTRATION
from setscrew.demo.stage import Stage
from tests.support import small_shop
from tests.support.command import setscrew_on
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

BASE = Path(__file__).parents[2] / "manifests" / "base"
ACCOUNTS = "own/service-accounts.yaml"
SOURCES = {**small_shop.SOURCES, "own": {"path": "own", "render": {"kind": "YAML"}}}
STRICT = {
    "apiVersion": "setscrew.dev/v1alpha1",
    "kind": "DriftPolicy",
    "metadata": {"name": "strict"},
    "spec": {"match": [{"kinds": ["resource.k8s.io/DeviceClass"]}], "failurePolicy": "Fail"},
}
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
DENIED = "denied the request"
IN = ("-n", "shop")
Done = CompletedProcess[str]


def fill(work: Path) -> None:
    small_shop.fill(work)
    (work / "own").mkdir()
    shutil.copy(BASE / "service-accounts.yaml", work / ACCOUNTS)


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    """Without a canary: each call that the API server makes is one of a test."""
    with Stage(SOURCES, fill, scan_seconds=1, canary_seconds=3600) as one:
        (one.directory / "config").mkdir()
        (one.directory / "config" / "policy.yaml").write_text(yaml.safe_dump(STRICT))
        one.plane.kubectl("create", "namespace", "elsewhere")
        installer = "--serviceaccount=setscrew-system:setscrew-installer"
        one.plane.kubectl("create", "clusterrolebinding", "installer", "--clusterrole=cluster-admin", installer)
        yield small_shop.synced_stage(one)


def person(stage: Stage, *args: str) -> Done:
    """What a cluster-admin does with kubectl."""
    return stage.plane.kubectl(*args, kubeconfig=stage.person, check=False)


def done(answer: Done) -> None:
    assert answer.returncode == 0, answer.stderr


def another_image(stage: Stage) -> str:
    """What kubectl says to a change of a guarded object that Git does not want."""
    return person(stage, "set", "image", "deploy/web", "web=evil:1", *IN).stderr


def calls(stage: Stage) -> float:
    """How often the API server has called our webhooks about what is made and deleted."""
    text = str(stage.plane.request("GET", "/metrics").body)
    counted = "apiserver_admission_webhook_request_total{"
    lines = [line for line in text.splitlines() if line.startswith(counted) and "guard.setscrew.dev" in line]
    assert lines
    lines = [line for line in lines if 'operation="CREATE"' in line or 'operation="DELETE"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def metrics(stage: Stage) -> str:
    """The metrics of the admission server."""
    with urllib.request.urlopen(f"http://127.0.0.1:{stage.metrics_port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def registered(stage: Stage) -> list[dict[str, Any]]:
    """The entries of the registration; none where there is no registration."""
    return list(stage.plane.request("GET", f"{CONFIGURATIONS}/{REGISTRATION}").body.get("webhooks") or ())


# What reaches the guard


def test_line_02_every_rule_names_its_kinds(stage: Stage) -> None:
    rules = [rule for entry in registered(stage) for rule in entry["rules"]]
    named = {name for rule in rules for field in ("apiGroups", "apiVersions", "resources") for name in rule[field]}
    assert [name for name in named if "*" in name] == []
    assert {"deployments", "configmaps", "deviceclasses", "serviceaccounts"} <= named
    assert not {"cronjobs", "ingresses", "persistentvolumeclaims", "leases"} & named


@pytest.mark.parametrize(
    "made",
    [
        ("cronjob", "any", "--image=any:1", "--schedule=0 0 * * *", *IN),
        ("role", "any", "--verb=get", "--resource=pods", *IN),
        ("priorityclass", "any"),
    ],
    ids=lambda made: made[0],
)
def test_line_02_a_kind_that_git_does_not_declare_makes_no_call(stage: Stage, made: tuple[str, ...]) -> None:
    before = calls(stage)
    done(person(stage, "create", *made))
    done(person(stage, "delete", made[0], "any", *(IN if IN[0] in made else ())))
    assert calls(stage) == before


def test_line_03_no_entry_goes_by_labels_that_somebody_could_write(stage: Stage) -> None:
    entries = registered(stage)
    assert entries
    assert [entry["name"] for entry in entries if entry["objectSelector"]] == []
    selectors = [one["key"] for entry in entries for one in entry["namespaceSelector"].get("matchExpressions", ())]
    assert set(selectors) == {"kubernetes.io/metadata.name"}
    assert [entry["name"] for entry in entries if entry["namespaceSelector"].get("matchLabels")] == []


def test_line_03_an_undeclared_object_beside_declared_ones_is_looked_up_and_passes(stage: Stage) -> None:
    before = calls(stage)
    done(person(stage, "create", "configmap", "mine", *IN))
    assert calls(stage) == before + 1
    done(person(stage, "delete", "configmap", "mine", *IN))


def test_line_03_a_namespace_without_guarded_objects_makes_no_call(stage: Stage) -> None:
    before = calls(stage)
    done(person(stage, "create", "configmap", "settings", "-n", "elsewhere"))
    done(person(stage, "delete", "configmap", "settings", "-n", "elsewhere"))
    assert calls(stage) == before


def test_line_04_an_object_is_guarded_by_its_name_whatever_marks_are_taken_off(stage: Stage) -> None:
    marks = ("argocd.argoproj.io/tracking-id", "kubectl.kubernetes.io/last-applied-configuration", "note")
    writer = (
        "annotate",
        "deploy/web",
        *IN,
        "--overwrite",
        "argocd.argoproj.io/tracking-id=shop:apps/Deployment:shop/web",
    )
    done(stage.plane.kubectl(*writer, kubeconfig=stage.gitops, check=False))
    done(person(stage, "annotate", "deploy/web", *IN, "note=mine"))
    for mark in marks:
        done(person(stage, "annotate", "deploy/web", *IN, f"{mark}-"))
    assert DENIED in another_image(stage)


def test_line_13_no_object_of_git_bears_a_finalizer_or_a_mark_of_ours(stage: Stage) -> None:
    text = stage.plane.kubectl("get", "deploy,cm,secret,service,hpa", *IN, "-o", "yaml", "--show-managed-fields").stdout
    text += stage.plane.kubectl(
        "get", "namespace/shop", "deviceclass/a100", "-o", "yaml", "--show-managed-fields"
    ).stdout
    assert "name: web" in text
    assert "setscrew" not in text
    assert "finalizers:" not in text.replace("  spec:\n    finalizers:\n    - kubernetes\n", "")


# The guard itself


def test_line_17_the_installer_upgrades_what_git_declares_of_the_guard(stage: Stage) -> None:
    installer = stage.account("setscrew-installer")
    newer = [one | {"metadata": one["metadata"] | {"labels": {"version": "2"}}} for one in accounts(stage)]
    text = yaml.safe_dump_all(newer)

    def apply() -> Done:
        options = ("--server-side", "--force-conflicts", "-f", "-")
        return stage.plane.kubectl("apply", *options, kubeconfig=installer, input=text, check=False)

    assert DENIED in apply().stderr
    commit, _ = small_shop.edit(stage, ACCOUNTS, text, "Another version of the guard")
    stage.wait("the pushed revision", lambda: stage.enforced(commit))
    eventually(lambda: apply().returncode == 0, "the upgrade passes at every worker")
    assert (
        DENIED
        in person(stage, "label", "serviceaccount/setscrew-reconciler", "-n", "setscrew-system", "version-").stderr
    )


def accounts(stage: Stage) -> list[dict[str, Any]]:
    return small_shop.documents((stage.repository.work / ACCOUNTS).read_text())


# What is enforced, and since when


def test_line_25_a_refusal_names_its_commit_also_when_nobody_reads_git_any_more(stage: Stage) -> None:
    old = stage.snapshot().sources["shop"].commit
    with standstill(stage):
        new, _ = small_shop.edit(stage, "shop/shop.yaml", shop(stage).replace("web:1", "web:2"), "Web 2")
        assert f"at {old[:12]} (" in another_image(stage)
        assert not stage.enforced(new)
        told = metrics(stage)
        assert f'source_info{{commit="{old}",source="shop"}} 1.0' in told
        age = value(told, "snapshot_age_seconds")
        eventually(lambda: value(metrics(stage), "snapshot_age_seconds") > age, "the age of the snapshot grows")
    stage.wait("the pushed revision", lambda: stage.enforced(new))
    eventually(lambda: f'at {new[:12]} ("Web 2")' in another_image(stage), "refusals name the new commit")


def test_line_27_a_push_is_enforced_by_every_worker_and_each_says_which_commit_it_enforces(stage: Stage) -> None:
    commit, _ = small_shop.edit(
        stage, "shop/shop.yaml", shop(stage).replace("mode: production", "mode: other"), "Other"
    )
    # The goal is 5 s on a quiet machine; a test on any machine asks only that it comes.
    seconds = stage.wait("the pushed revision", lambda: stage.enforced(commit))
    say = f'source_info{{commit="{commit}",source="shop"}} 1.0'
    eventually(lambda: all(say in metrics(stage) for _ in range(8)), "each worker tells of the commit")
    eventually(lambda: all('Git wants "other"' in third_mode(stage) for _ in range(8)), "each worker goes by it")
    assert seconds < 60


def third_mode(stage: Stage) -> str:
    """The answer to whoever writes what neither revision wants."""
    patch = ("patch", "cm", "settings", *IN, "--type=merge", "-p", '{"data":{"mode":"third"}}', "--dry-run=server")
    return person(stage, *patch).stderr


def shop(stage: Stage) -> str:
    return (stage.repository.work / "shop" / "shop.yaml").read_text()


def value(text: str, name: str) -> float:
    """One number of the metrics."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"setscrew_admission_{name} ")]
    return float(line.rpartition(" ")[2])


@contextmanager
def standstill(stage: Stage) -> Iterator[None]:
    """The reconciler stands still: `setscrew run` would start another if it ended."""
    words = f"reconcile\0--state\0{stage.state_dir}\0"
    (pid,) = [int(one.name) for one in Path("/proc").glob("[0-9]*") if words in command(one)]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def command(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


# The end


def test_line_11_a_guard_that_is_scaled_to_nothing_leaves_its_registration_in_force(stage: Stage) -> None:
    before = registered(stage)
    assert stage.stop_setscrew() == 0
    assert registered(stage) == before
    said = person(stage, "delete", "deviceclass", "a100").stderr
    assert "failed calling webhook" in said
    done(person(stage, "get", "deviceclass", "a100"))


def test_line_12_after_the_off_switch_all_of_it_can_be_removed_and_the_cluster_goes_on(stage: Stage) -> None:
    done(setscrew_on(stage, "register", "--remove"))
    dry = ("delete", "deviceclass", "a100", "--dry-run=server")
    eventually(lambda: person(stage, *dry).returncode == 0, "nothing is refused any more")
    done(person(stage, "delete", "validatingwebhookconfiguration", REGISTRATION))
    for name in ("canonicalizer-policy.yaml", "rbac.yaml", "service-accounts.yaml", "namespace.yaml"):
        done(person(stage, "delete", "-f", str(BASE / name), "--ignore-not-found", "--timeout=60s"))
    done(person(stage, "run", "any", "--image=any:1", *IN))
    for namespace in ("shop", "setscrew-system"):
        done(person(stage, "delete", "namespace", namespace, "--ignore-not-found", "--timeout=90s"))
    assert registered(stage) == []
