"""Whether an object may be put back at all: in doubt it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.heal.may import Known, barred, barred_as_it_is, wants
from reconciler.model.ref import ObjectRef
from reconciler.policy.grant import Grant, Scope
from reconciler.policy.model import Subject
from reconciler.report.drift import DriftItem
from reconciler.snapshot.model import SourceState
from tests.unit.heal.conftest import Declare

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\ndata: {mode: a}\n"
SOURCE = SourceState("shop", "https://git.example.com/shop.git", "", "main@sha1:" + "a" * 40)
GRANT = Grant("night", (Subject(user="dana"),), Scope(namespaces=("shop",)), "release", not_after=200.0)


@pytest.mark.parametrize(
    ("state", "heal", "wanted"),
    [
        ("drifted", "Auto", True),
        ("missing", "Auto", True),
        ("drifted", "Never", False),
        ("missing", "Never", False),
        ("unknown", "Auto", False),
        ("extra", "Auto", False),
        ("orphaned", "Auto", False),
        ("in-sync", "Auto", False),
    ],
)
def test_only_what_git_declares_and_is_known_to_differ_is_put_back(
    declare: Declare, state: Any, heal: str, wanted: bool
) -> None:
    entry = declare(MAP, heal=heal).entry
    assert wants(DriftItem("id", "print", "v1", "ConfigMap", "shop", "settings", state), entry) is wanted


def test_where_nothing_is_in_the_way_it_may_be_put_back(declare: Declare) -> None:
    assert barred(declare(MAP).entry, Known(SOURCE)) == ""


@pytest.mark.parametrize(
    ("known", "why"),
    [
        pytest.param(Known(None), "only watched", id="no-source"),
        pytest.param(Known(replace(SOURCE, enforced=False)), "only watched", id="watched"),
        pytest.param(Known(replace(SOURCE, stale="2026-11-22T04:30:00Z")), "cannot be followed", id="stale"),
        pytest.param(Known(SOURCE, trouble="MIG-04: held"), "MIG-04: held", id="held-or-failed"),
        pytest.param(Known(SOURCE, grants=[GRANT], now=100.0), "grant night", id="granted"),
    ],
)
def test_nothing_is_put_back_while(declare: Declare, known: Known, why: str) -> None:
    assert why in barred(declare(MAP).entry, known)


@pytest.mark.parametrize(
    "grant",
    [
        pytest.param(replace(GRANT, not_after=99.0), id="ended"),
        pytest.param(replace(GRANT, revoked=50.0), id="revoked"),
        pytest.param(replace(GRANT, not_before=150.0), id="not-yet"),
        pytest.param(replace(GRANT, scope=Scope(namespaces=("other",))), id="for-others"),
    ],
)
def test_a_grant_that_does_not_cover_it_now_is_none(declare: Declare, grant: Grant) -> None:
    assert barred(declare(MAP).entry, Known(SOURCE, grants=[grant], now=100.0)) == ""


def test_what_is_not_adopted_stays_as_it_is(declare: Declare) -> None:
    assert "not adopted" in barred(replace(declare(MAP).entry, adopted=False), Known(SOURCE))


@pytest.mark.parametrize(
    "kind",
    [
        "/Pod",
        "argoproj.io/Workflow",
        "batch/Job",
        "batch.volcano.sh/Job",
        "cert-manager.io/CertificateRequest",
        "jobset.x-k8s.io/JobSet",
        "kubeflow.org/JAXJob",
        "kubeflow.org/MPIJob",
        "kubeflow.org/PaddleJob",
        "kubeflow.org/PyTorchJob",
        "kubeflow.org/TFJob",
        "kubeflow.org/XGBoostJob",
        "ray.io/RayJob",
        "sparkoperator.k8s.io/SparkApplication",
        "tekton.dev/CustomRun",
        "tekton.dev/PipelineRun",
        "tekton.dev/TaskRun",
        "trainer.kubeflow.org/TrainJob",
        "velero.io/Backup",
        "velero.io/Restore",
        "workload.codeflare.dev/AppWrapper",
    ],
)
def test_what_runs_once_is_not_made_anew(declare: Declare, kind: str) -> None:
    entry = declare(MAP).entry
    group, _, name = kind.partition("/")
    runs = replace(entry, object=replace(entry.object, ref=ObjectRef(group, name, "shop", "one")))
    assert "runs once" in barred_as_it_is(runs, None)


@pytest.mark.parametrize(("spec", "once"), [({"ttlSecondsAfterFinished": 60}, True), ({"ttl": 60}, False)])
def test_what_is_deleted_after_it_finished_runs_once_whatever_its_kind(
    declare: Declare, spec: dict[str, int], once: bool
) -> None:
    entry = declare(MAP).entry
    runs = replace(entry, object=replace(entry.object, want={**entry.object.want, "spec": spec}))
    assert ("runs once" in barred_as_it_is(runs, None)) is once
