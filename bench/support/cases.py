"""Owns what the benchmarks measure: one Deployment of about 10 KB in many copies, and four reviews of it.

Types, masks and policies are those that ship with Setscrew. What the API server would answer to a dry-run is written
out here (`_stored`), so that the benchmarks need no control plane. Must not time anything.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from reconciler.canonical.engine import Context, canonicalize, confirm
from reconciler.canonical.filled import field_set
from reconciler.canonical.form import CanonicalObject
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.policy.model import Policy
from reconciler.policy.select import policy_for
from reconciler.snapshot.model import Entry, MemorySnapshot, SourceState
from reconciler.store.snapshot_file import publish
from setscrew import configuration, statedir
from setscrew.cli.common import offline_context

NAMESPACE: Final = "shop"
NAME: Final = "web-000000"
UID: Final = "0d7e2f7e-93b1-4d6f-8a55-3f5f5b7b6c10"
KINDS: Final = ("unguarded", "allow", "deny", "create")
_DEFAULTS: Final = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}
_POD_DEFAULTS: Final = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_SPEC_DEFAULTS: Final = {
    "revisionHistoryLimit": 10,
    "progressDeadlineSeconds": 600,
    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
}


@dataclass(frozen=True, slots=True)
class Case:
    """One review as the API server sends it, and the code of the answer that it must get."""

    name: str
    body: bytes
    code: str

    @property
    def allowed(self) -> bool:
        """Whether the answer lets it through."""
        return self.code != "drift"


def cases() -> tuple[Case, ...]:
    """The four reviews: an object that Git does not declare, a harmless change, a refused change, a matching CREATE."""
    stored = _stored(declared())
    return (
        _case("unguarded", "unguarded", "UPDATE", _renamed(stored, "nobody-declares-this"), _touched),
        _case("allow", "conforms", "UPDATE", stored, _touched),
        _case("deny", "drift", "UPDATE", stored, _drifted),
        _case("create", "conforms", "CREATE", stored, copy.deepcopy),
    )


def object_bytes() -> int:
    """Size of the stored object as JSON."""
    return len(json.dumps(_stored(declared()), separators=(",", ":")))


def state_directory(
    directory: Path, count: int, crds: Sequence[Any] = (), more: Callable[[Context], Sequence[Entry]] = lambda _: ()
) -> Path:
    """A state directory whose current snapshot holds `count` copies of the Deployment, in server form.

    `crds` are definitions that the installation knows; `more` gives further entries.
    """
    rules = configuration.load(None).rules
    key = statedir.secret_key(statedir.prepare(directory))
    context = offline_context(rules, crds=crds, key=key)
    form = _confirmed(context)
    policy = policy_for(rules.policies, form.ref, "shop", {})
    if policy is None:
        raise RuntimeError("the built-in policies guard nothing")
    entries = (*(_entry(form, policy, f"web-{number:06}") for number in range(count)), *more(context))
    source = SourceState("shop", "https://git.example.com/deploy.git", "shop", "main@sha1:" + "a" * 40, "a" * 40, "x")
    publish(MemorySnapshot(entries, rules, {"shop": source}, key), directory / "snapshots")
    return directory


def _entry(form: CanonicalObject, policy: Policy, name: str) -> Entry:
    want = {**form.want, "metadata": {**form.want["metadata"], "name": name}}
    return Entry(replace(form, ref=form.ref._replace(name=name), want=want), policy)


def _confirmed(context: Context) -> CanonicalObject:
    tree = declared()
    place = Provenance("shop", "", "shop/base/web.yaml", 1, 0, "kustomize")
    return confirm(canonicalize(RenderedObject(tree, place), context), _stored(tree), (), context)


def declared(name: str = NAME, namespace: str = NAMESPACE) -> dict[str, Any]:
    """What stands in Git."""
    labels = {"app.kubernetes.io/name": "web", "app.kubernetes.io/part-of": "shop"}
    pod = {"containers": [_container(number) for number in range(3)], "serviceAccountName": "shop"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _container(number: int) -> dict[str, Any]:
    env = [{"name": f"SETTING_{index:02}", "value": f"https://backend-{index}.example.com"} for index in range(5)]
    return {
        "name": f"part-{number}",
        "image": f"registry.example.com/shop/part-{number}:1.4.{number}",
        "env": env,
        "ports": [{"name": "http", "containerPort": 8080 + number}],
        "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
    }


def _stored(git: dict[str, Any]) -> dict[str, Any]:
    """The object as the API server holds it: defaults, bookkeeping and status added."""
    tree = copy.deepcopy(git)
    tree["metadata"] |= {
        "uid": "5a1c7b1e-6a57-4f7c-9d0e-3f1f3f0a4c11",
        "resourceVersion": "4711",
        "generation": 3,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [_managed("argocd-controller", git)],
    }
    tree["spec"] |= copy.deepcopy(_SPEC_DEFAULTS)
    pod = tree["spec"]["template"]["spec"]
    pod |= {**copy.deepcopy(_POD_DEFAULTS), "serviceAccount": pod["serviceAccountName"]}
    pod["containers"] = [
        {**one, **_DEFAULTS, "ports": [{**port, "protocol": "TCP"} for port in one["ports"]]}
        for one in pod["containers"]
    ]
    tree["status"] = {"observedGeneration": 3, "replicas": 3, "readyReplicas": 3, "updatedReplicas": 3}
    return tree


def _managed(manager: str, git: dict[str, Any]) -> dict[str, Any]:
    context = offline_context(configuration.load(None).rules)
    form = canonicalize(RenderedObject(git, Provenance()), context)
    return {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": "apps/v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": field_set(form.want, form.filled, form.types),
    }


def _renamed(tree: dict[str, Any], name: str) -> dict[str, Any]:
    return {**tree, "metadata": {**tree["metadata"], "name": name}}


def _touched(tree: dict[str, Any]) -> dict[str, Any]:
    """A change that concerns nobody: an annotation that steers no tool, a new version, a new status."""
    new = copy.deepcopy(tree)
    new["metadata"]["annotations"] = {"example.com/seen": "yes"}
    new["metadata"]["resourceVersion"] = "4712"
    new["status"]["readyReplicas"] = 2
    return new


def _drifted(tree: dict[str, Any]) -> dict[str, Any]:
    """Another image, one more variable, other replicas."""
    new = _touched(tree)
    container = new["spec"]["template"]["spec"]["containers"][0]
    container["image"] = "registry.example.com/shop/part-0:debug"
    container["env"].append({"name": "EXTRA", "value": "1"})
    new["spec"]["replicas"] = 9
    return new


def _case(
    name: str, code: str, operation: str, old: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]
) -> Case:
    body = review(operation, ("apps", "v1", "deployments"), change(old), None if operation == "CREATE" else old)
    return Case(name, body, code)


def review(operation: str, resource: tuple[str, str, str], new: dict[str, Any], old: dict[str, Any] | None) -> bytes:
    """An AdmissionReview as the API server writes it; `resource` is group, version, resource."""
    group, version, plural = resource
    kind = {"group": group, "version": version, "kind": new["kind"]}
    request = {
        "uid": UID,
        "kind": kind,
        "resource": {"group": group, "version": version, "resource": plural},
        "requestKind": kind,
        "name": new["metadata"]["name"],
        "namespace": NAMESPACE,
        "operation": operation,
        "userInfo": {"username": "dana", "groups": ["system:authenticated"]},
        "object": new,
        "oldObject": old,
        "dryRun": False,
        "options": {"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "kubectl-edit"},
    }
    envelope = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return json.dumps(envelope, separators=(",", ":")).encode()
