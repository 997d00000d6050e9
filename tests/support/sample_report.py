"""Owns a state store as an operator meets it on a bad morning: findings, sources, decisions, grants. Must not judge it.

Times are counted back from a `now` that is given, so that pages made of it read the same each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from reconciler.model.instant import stamp
from reconciler.model.ref import ObjectRef
from reconciler.policy.grant import Grant, Scope
from reconciler.policy.model import Subject
from reconciler.report.drift import Attribution, DriftChange, DriftItem, DriftSource, IgnoredField, Owner, finding_id
from reconciler.store.blind import REGISTERED, save_watch
from reconciler.store.decisions import record_all
from reconciler.store.findings import Pass, managed_key, replace_findings
from reconciler.store.grants import add_grant
from reconciler.store.sources import SourceStatus, save_source
from reconciler.store.standing import save_standing
from reconciler.store.state import State
from tests.support import sample_past

COMMITS = {"platform": "56103f19211055d865ec70813f7510187c7497d1", "shop": "a41c7e02b95d3f6608aa1d2e7c905b1f4e7d9c33"}
URLS = {
    "platform": "https://git.example.com/platform/clusters.git",
    "shop": "https://git.example.com/shop/deploy.git",
}
TEAMS = {
    "shop": ("shop", "4711"),
    "payments": ("payments", "4712"),
    "ml": ("vision", "4780"),
    "": ("platform", "1000"),
}
SIGNER = "Lena <lena@example.com> (SHA256:oXlBPvkyb3OHr4hwcRtQVuTYxnCTP9b+9MR54bJPKJs)"
CLASS = ObjectRef("resource.k8s.io", "DeviceClass", "", "a100-mig")
WEB = ObjectRef("apps", "Deployment", "shop", "web")
UNKNOWN = ObjectRef("apps", "Deployment", "shop", "search")
_WANTED = 'device.driver == "gpu.nvidia.com" && device.attributes["gpu.nvidia.com"].type == "mig"'
_LIVE = 'device.driver == "gpu.nvidia.com"'


def fill(state: State, now: datetime) -> None:
    """All of it."""
    items = list(findings(now))
    managed = {
        managed_key("Deployment", "apps", "shop"): 214,
        managed_key("ConfigMap", "", "shop"): 341,
        managed_key("Service", "", "shop"): 188,
        managed_key("DeviceClass", "resource.k8s.io", "platform"): 9,
        managed_key("ClusterRole", "rbac.authorization.k8s.io", "platform"): 61,
        managed_key("ConfigMap", "", "platform"): 74,
    }
    observed = Pass(
        stamp(now - timedelta(seconds=12)),
        "01f68159b64c2f11d5b379eae110006c25371f4e69e5cf9e971bf8921d951237",
        managed,
        {"service-allocations": 188, "deployment-revision": 214, "ca-injector": 6},
        ("rule old-sidecar hides nothing any more: its day, 2029-12-31, has passed (owner: payments)",),
        ("ConfigMap shop/flags is declared twice: base/flags.yaml:3 counts, prod/flags.yaml:9 is left out",),
    )
    replace_findings(state, items, observed)
    _sources(state, now)
    _watches(state, now)
    record_all(state, (json.dumps(one).encode() for one in _decisions(now)))
    for grant in _grants(now):
        add_grant(state, grant, "{}", now.timestamp() - 7200)
    source = items[1].source
    declared = {item.ref: item.source.name for item in items if item.source.name}
    sample_past.fill(state, now, source, declared, TEAMS["payments"])


def findings(now: datetime) -> Iterable[DriftItem]:
    """Eight findings of every state and severity."""
    yield _item(
        CLASS,
        now - timedelta(minutes=47),
        "resource.k8s.io/v1",
        "platform",
        "gpu/classes.yaml",
        12,
        "critical",
        changes=[
            _change("/spec/selectors/0/cel/expression", "replace", _WANTED, _LIVE, "spec.selectors[0].cel.expression")
        ],
        who=("dana", "kubectl-edit", "update"),
        severity_reason="it selects other devices for every claim of the class",
        patch=[{"op": "replace", "path": "/spec/selectors/0/cel/expression", "value": _WANTED}],
        gpu={
            "lines": [
                "14 Pods of 3 namespaces hold a claim of this class: vision (9), search (4), batch (1)",
                "Live: the scheduler goes by the new selector from the next claim on",
            ]
        },
        occurrences=2,
    )
    yield _item(
        WEB,
        now - timedelta(hours=5),
        "apps/v1",
        "shop",
        "deploy/prod/web.yaml",
        8,
        "high",
        changes=[
            _change(
                "/spec/template/spec/containers/0/image",
                "replace",
                "registry.example.com/web:1.42.0",
                "registry.example.com/web:1.42.1-hotfix",
                "spec.template.spec.containers[name=web].image",
            ),
            _change("/spec/replicas", "replace", 6, 9, "spec.replicas"),
            _change(
                "/spec/template/spec/containers/0/env/1",
                "add",
                None,
                {"name": "DEBUG", "value": "1"},
                "spec.template.spec.containers[name=web].env[name=DEBUG]",
            ),
        ],
        who=("mallory", "kubectl-set", "patch"),
        patch=[{"op": "replace", "path": "/spec/replicas", "value": 6}],
        hidden={"deployment-revision": 1},
        ignored=(
            IgnoredField(
                "metadata.annotations[deployment.kubernetes.io/revision]",
                "extra",
                "deployment-revision",
                "the Deployment controller numbers its revisions",
            ),
        ),
    )
    yield _item(
        ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "ci-runner"),
        now - timedelta(days=2),
        "rbac.authorization.k8s.io/v1",
        "platform",
        "rbac/ci.yaml",
        31,
        "high",
        changes=[
            _change(
                "/rules/2",
                "add",
                None,
                {"apiGroups": ["*"], "resources": ["secrets"], "verbs": ["get", "list"]},
                "rules[2]",
            )
        ],
        who=("", "helm", ""),
        patch=[{"op": "remove", "path": "/rules/2"}],
    )
    yield _item(
        ObjectRef("", "ConfigMap", "payments", "limits"),
        now - timedelta(minutes=3),
        "v1",
        "shop",
        "deploy/prod/payments.yaml",
        77,
        "medium",
        changes=[
            _change(
                "/data/limits.yaml",
                "replace",
                "daily: 5000\nsingle: 900\ncurrency: EUR\n",
                "daily: 50000\nsingle: 900\ncurrency: EUR\n",
                "data[limits.yaml]",
            )
        ],
        who=("pat", "kubectl-patch", "patch"),
        grant="pat-0102-0200-7c1d",
        patch=[{"op": "replace", "path": "/data/limits.yaml", "value": "daily: 5000\nsingle: 900\ncurrency: EUR\n"}],
    )
    yield _item(
        ObjectRef("", "Secret", "payments", "psp"),
        now - timedelta(minutes=18),
        "v1",
        "shop",
        "deploy/prod/payments.yaml",
        102,
        "high",
        changes=[_change("/data/token", "replace", "***", "***", "data.token")],
        who=("pat", "kubectl-edit", "update"),
    )
    yield _item(
        ObjectRef("", "Service", "shop", "cart"),
        now - timedelta(hours=9),
        "v1",
        "shop",
        "deploy/prod/cart.yaml",
        40,
        "high",
        state="missing",
        who=("mallory", "", "delete"),
    )
    yield _item(
        ObjectRef("", "ConfigMap", "ml", "old-mig-layout"),
        now - timedelta(days=6),
        "v1",
        "platform",
        "",
        0,
        "low",
        state="orphaned",
        who=("", "kustomize-controller", ""),
        reason="Git declared it until 8f0c2b1d, in gpu/mig.yaml: nobody has removed it",
    )
    yield _item(
        UNKNOWN,
        now - timedelta(minutes=1),
        "apps/v1",
        "shop",
        "deploy/prod/search.yaml",
        5,
        "medium",
        state="unknown",
        who=("", "", ""),
        reason="the API server did not answer the dry-run: deadline exceeded",
    )


def many(number: int, now: datetime) -> Iterable[DriftItem]:
    """As many findings as asked for, of fifty namespaces and seven owners."""
    severities = ("critical", "high", "medium", "low", "info")
    for index in range(number):
        ref = ObjectRef("apps", "Deployment", f"team-{index % 50:02}", f"service-{index:05}")
        change = _change("/spec/replicas", "replace", 2, 3 + index % 5, "spec.replicas")
        yield _item(
            ref,
            now - timedelta(seconds=index),
            "apps/v1",
            "shop",
            f"deploy/{index}.yaml",
            8,
            severities[index % 5],
            changes=[change] * 3,
            who=("dana", "kubectl-scale", "patch"),
            team=(f"owner-{index % 7}", str(index % 7)),
        )


def _item(
    ref: ObjectRef,
    since: datetime,
    api_version: str,
    source: str,
    file: str,
    line: int,
    severity: Any,
    *,
    who: tuple[str, str, str],
    changes: Iterable[DriftChange] = (),
    team: tuple[str, str] = ("", ""),
    **more: Any,
) -> DriftItem:
    user, manager, verb = who
    confidence: Any = "admission" if user else "managedFields" if manager else "none"
    written = stamp(since - timedelta(seconds=1)) if user or manager else ""
    team, cost = TEAMS.get(ref.namespace, team) if not team[0] else team  # type: ignore[assignment] # two of one kind
    commit = COMMITS[source]
    changes = tuple(
        DriftChange(one.path, one.op, one.desired, one.live, one.klass, manager, "Update", written, one.field)
        for one in changes
    )
    return DriftItem(
        id=finding_id(ref),
        fingerprint="f",
        api_version=api_version,
        kind=ref.kind,
        namespace=ref.namespace,
        name=ref.name,
        state=more.pop("state", "drifted"),
        source=DriftSource(source, URLS[source], "", file, line, f"main@sha1:{commit}", commit, signer=SIGNER)
        if file
        else DriftSource(),
        changes=changes,
        attribution=Attribution(manager, user, written, confidence, ("platform-admins",) if user else (), verb),
        first_seen=stamp(since),
        last_seen=stamp(since + timedelta(seconds=1)),
        confidence="server",
        severity=severity,
        owner=Owner(str(team), str(cost), "", {"team": str(team)}, "namespace"),
        **{"patch": (), **more},
    )


def _change(path: str, op: Any, desired: Any, live: Any, field: str) -> DriftChange:
    sides = {name: value for name, value in (("desired", desired), ("live", live)) if value is not None}
    return DriftChange(path, op, klass="extra" if desired is None else "changed", field=field, **sides)


def _sources(state: State, now: datetime) -> None:
    ready = stamp(now - timedelta(hours=26))
    for name, ref in (("platform", "refs/heads/main"), ("shop", "refs/heads/release")):
        revision = f"{ref.rpartition('/')[2]}@sha1:{COMMITS[name]}"
        status = SourceStatus(
            name,
            "Ready",
            URLS[name],
            ref,
            "clusters/prod" if name == "platform" else "deploy/prod",
            attempted=revision,
            enforced=revision,
            signer=SIGNER,
            objects=144 if name == "platform" else 743,
            succeeded=stamp(now - timedelta(seconds=40)),
        )
        save_source(state, status, ready)
    broken = SourceStatus(
        "payments",
        "RenderFailed",
        "https://git.example.com/payments/deploy.git",
        "refs/heads/main",
        "helm",
        message="helm/templates/psp.yaml:14: nil pointer evaluating interface {}.token",
        attempted="main@sha1:9d1be0c2aa07",
        enforced="main@sha1:41f0a77c9e10",
        objects=38,
        succeeded=stamp(now - timedelta(hours=3)),
        stale=stamp(now - timedelta(hours=2)),
    )
    save_source(state, broken, stamp(now - timedelta(hours=3)))
    save_standing(state, {"platform": True, "shop": True, "payments": False}, {}, stamp(now))


def _watches(state: State, now: datetime) -> None:
    names = {"apps-v1": ["deployments", "statefulsets"], "core-v1": ["configmaps", "secrets", "services"]}
    names |= {"rbac.authorization.k8s.io-v1-fail": ["clusterroles"], "resource.k8s.io-v1-fail": ["deviceclasses"]}
    entries = [
        {
            "name": f"{name}.guard.setscrew.dev",
            "failurePolicy": "Fail" if "fail" in name else "Ignore",
            "resources": resources,
        }
        for name, resources in names.items()
    ]
    save_watch(state, REGISTERED, {"entries": entries})
    saw = {"state": "sees", "saw": stamp(now - timedelta(seconds=30)), "detail": ""}
    canary = {"state": "sees", "detail": "", "fix": "", "entries": {one["name"]: saw for one in entries}}
    save_watch(state, "canary", canary)
    save_watch(state, "failOpen", {"state": "counted", "detail": "", "fix": ""})


def _decisions(now: datetime) -> Iterable[dict[str, Any]]:
    for minutes, user, verb, ref, path, want, asked, code in (
        (
            300,
            "mallory",
            "UPDATE",
            ObjectRef("apps", "Deployment", "shop", "web"),
            "/spec/replicas",
            "6",
            "9",
            "audited",
        ),
        (95, "ci-bot", "DELETE", ObjectRef("", "Service", "shop", "cart"), "", "", "", "held"),
        (52, "dana", "UPDATE", CLASS, "/spec/selectors/0/cel/expression", _WANTED, "true", "drift"),
        (47, "dana", "UPDATE", CLASS, "/spec/selectors/0/cel/expression", _WANTED, _LIVE, "audited"),
        (18, "pat", "UPDATE", ObjectRef("", "Secret", "payments", "psp"), "/data/token", "***", "***", "audited"),
        (
            3,
            "pat",
            "PATCH",
            ObjectRef("", "ConfigMap", "payments", "limits"),
            "/data/limits.yaml",
            "daily: 5000",
            "daily: 50000",
            "granted",
        ),
    ):
        allowed = code in {"audited", "granted"}
        yield {
            "time": (now - timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "user": user,
            "operation": verb,
            "group": ref.group,
            "kind": ref.kind,
            "namespace": ref.namespace,
            "name": ref.name,
            "code": code,
            "allowed": allowed,
            "would": "drift" if allowed else "",
            "source": "shop",
            "policy": "default",
            "grant": "pat-0102-0200-7c1d" if code == "granted" else "",
            "paths": [{"path": path, "verdict": "held", "want": want, "was": want, "now": asked}] if path else [],
        }


def _grants(now: datetime) -> Iterable[Grant]:
    at = now.timestamp()
    scope = Scope(refs=("ConfigMap payments/limits",), paths=("/data",))
    yield Grant(
        "pat-0102-0200-7c1d",
        (Subject(user="pat"),),
        scope,
        "the limits of Black Friday are in the queue",
        at + 1800,
        at - 3600,
        "lena",
        "lena",
        created=at - 3600,
    )
    yield Grant(
        "oncall-0101-2210-aa04",
        (Subject(group="on-call"),),
        Scope(namespaces=("shop",)),
        "cart returns 500",
        at - 30_000,
        at - 50_000,
        "kim",
        "lena",
        revoked=at - 40_000,
        created=at - 50_000,
        revoked_by="lena",
        revoked_for="fixed in Git",
    )
