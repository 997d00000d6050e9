"""Owns the axes of the decision table and the request that stands for a point of their product. Must not assert.

Axes are made of the code's own types where it has them, so that a new operation or subresource has no row at first.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, get_args

import yaml

from reconciler.canonical.engine import canonicalize, confirm
from reconciler.canonical.form import CanonicalObject
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.policy.grant import Grant, Scope
from reconciler.policy.model import Action, Rules, Subject
from reconciler.policy.select import policy_for
from reconciler.snapshot.model import Entry, MemorySnapshot
from tests.support.decisions import CASES, KEY, SOURCE, context, manifests, patched, rules_with
from tests.support.identities import identity
from webhook.decision.decide import decide
from webhook.decision.review import decode
from webhook.decision.rules import SUBRESOURCES
from webhook.decision.types import Decision, Operation

MAIN: Final = "main"  # the object itself: "" in a review
IDENTITIES: Final = {
    "person": "alice",
    "masters": "root",
    "writer": "argo",
    "impersonated-writer": "impersonated argo",
    "delegated": "job",
    "impersonated-delegated": "impersonated job",
    "garbage-collector": "garbage-collector",
    "namespace-controller": "namespace-controller",
    "canonicalizer-dry": "canonicalizer",
    "canonicalizer": "canonicalizer",
}
_APP: Final = "/spec/template/spec/containers/0"
_WRONG: Final = json.dumps({"spec": {"paused": True}})
# What a request does to an object. `masked` asks for an object whose replicas Git leaves out.
PATHS: Final[Mapping[str, Any]] = {
    "held": [{"op": "replace", "path": f"{_APP}/image", "value": "registry.example/other:1"}],
    "default": {"spec": {"revisionHistoryLimit": 5}},
    "masked": {"spec": {"replicas": 4}},
    "extra": [{"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "sidecar", "image": "x"}}],
    "free": {"metadata": {"labels": {"color": "blue"}}},
    "steering": {"metadata": {"annotations": {"setscrew.dev/anything": "yes"}}},
    "finalizer": {"metadata": {"finalizers": None}},
    "owner": {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "ghost", "uid": "0"}]}},
    "last-applied": {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": _WRONG}}},
    "order": [{"op": "move", "from": f"{_APP}/env/0", "path": f"{_APP}/env/1"}],
    "duplicate": [{"op": "add", "path": f"{_APP}/env/-", "value": {"name": "MODE", "value": "x"}}],
    "none": {},
}
AXES: Final[Mapping[str, tuple[str, ...]]] = {
    "operation": get_args(Operation),
    "managed": ("declared", "undeclared", "exclusive", "lever", "fragment", "container", "terminating"),
    "subresource": (MAIN, *(name for name in SUBRESOURCES if name), "unknown"),
    "identity": tuple(IDENTITIES),
    "path": tuple(PATHS),
    "policy": (
        *get_args(Action),
        *("undeclared-allow", "undecidable-allow", "opt-out", "offline", "not-adopted", "granted"),
    ),
}
Point = Mapping[str, str]
_OPT_OUT: Final = {"metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}}}
_LEVER: Final = {"apiVersion": "setscrew.dev/v1alpha1", "kind": "GitSource", "metadata": {"name": "shop"}, "spec": {}}


@dataclass(frozen=True, slots=True)
class TableRow:
    """A class of points and their answer, "deny drift"; of several rows that take a point in, the first has it."""

    number: int
    values: Mapping[str, frozenset[str]]
    answer: str


@cache
def table() -> tuple[TableRow, ...]:
    """The rows of tests/cases/decision/table.yaml: an axis that a row leaves out may have any value."""
    document = yaml.safe_load((CASES / "table.yaml").read_text())
    sets = {name: text.split() for name, text in document["sets"].items()}
    return tuple(_row(number, row, sets) for number, row in enumerate(document["rows"]))


def _row(number: int, row: Mapping[str, str], sets: Mapping[str, Sequence[str]]) -> TableRow:
    values = {}
    for axis, known in AXES.items():
        words = [value for word in row.get(axis, "").split() for value in sets.get(word, [word])]
        unknown = set(words) - set(known)
        assert not unknown, f"row {number}: {axis} has no {unknown}"
        values[axis] = frozenset(words or known)
    extra = set(row) - set(AXES) - {"answer"}
    assert not extra, f"row {number}: no axis {extra}"
    return TableRow(number, values, row["answer"])


def uncovered(rows: Sequence[TableRow], axes: Sequence[str] = tuple(AXES)) -> dict[str, str] | None:
    """A point that no row takes in; None where the rows cover the whole product."""
    if not axes:
        return None if rows else {}
    axis, rest = axes[0], axes[1:]
    for value in AXES[axis]:
        missing = uncovered([row for row in rows if value in row.values[axis]], rest)
        if missing is not None:
            return {axis: value, **missing}
    return None


def examples(row: TableRow, rows: Sequence[TableRow], most: int) -> list[Point]:
    """Up to `most` points that are this row's own, the same in each run; none: earlier rows have them all."""
    choose = random.Random(row.number)  # noqa: S311 - a sample
    found = (_own(row, rows[: row.number], tuple(AXES), choose) for _ in range(most))
    return list({tuple(point.values()): point for point in found if point is not None}.values())


def _own(row: TableRow, earlier: Sequence[TableRow], axes: Sequence[str], choose: random.Random) -> Point | None:
    """A point of the row, by chance, that no earlier row takes in."""
    if any(all(row.values[axis] <= one.values[axis] for axis in axes) for one in earlier):
        return None
    if not axes:
        return {}
    axis, rest = axes[0], axes[1:]
    values = sorted(row.values[axis])
    for value in choose.sample(values, len(values)):
        point = _own(row, [one for one in earlier if value in one.values[axis]], rest, choose)
        if point is not None:
            return {axis: value, **point}
    return None


def answer_at(point: Point) -> str:
    """What is decided at a point: `allow`, `warn`, `deny` or `refresh`, and the code."""
    snapshot = _snapshot(point["managed"], point["policy"])
    grants = [_GRANT, _LEVER_GRANT] if point["policy"] == "granted" else []
    decision = decide(decode(json.dumps(_review(point)).encode()), snapshot, 0.0, grants=grants)
    return f"{_word(decision)} {decision.code}"


def _word(decision: Decision) -> str:
    if decision.allowed:
        return "warn" if decision.warnings else "allow"
    return "refresh" if decision.needs_refresh else "deny"


_GRANT: Final = Grant("g-1", (Subject(group="system:authenticated"),), Scope(), "the table", not_after=3600.0)
# One for everything is for everything but the guard's own levers: these are named.
_LEVER_GRANT: Final = replace(_GRANT, id="g-2", scope=Scope(kinds=("setscrew.dev/GitSource",)))


@cache
def _snapshot(managed: str, policy: str) -> MemorySnapshot:
    rules = _rules(managed, policy)
    entries = []
    for name in ("web", "queue"):
        form = _form(name, rules, policy)
        chosen = policy_for(rules.policies, form.ref, SOURCE.name, {})
        assert chosen is not None
        entries.append(Entry(form, chosen, adopted=policy != "not-adopted"))
    return MemorySnapshot(tuple(entries), rules, {SOURCE.name: SOURCE}, KEY, "d" * 64)


def _rules(managed: str, policy: str) -> Rules:
    """The shipped rules, with the settings of a point in every policy."""
    delegate = [{"paths": ["/**"], "kinds": ["*"], "to": [{"serviceAccount": "shop/ci-job"}]}]
    own: dict[str, Any] = {"delegate": delegate, "fragment": managed == "fragment"}
    if managed == "exclusive":
        own |= {"exclusive": True, "match": [{"kinds": ["apps/*"]}]}
    settings: dict[str, Any] = {"action": policy} if policy in get_args(Action) else {}
    settings |= {"undeclared": "Allow"} if policy == "undeclared-allow" else {}
    settings |= {"undecidable": "Allow"} if policy == "undecidable-allow" else {}
    rules = rules_with(own)
    return replace(rules, policies=tuple(replace(one, **settings) for one in rules.policies))


@cache
def _manifests(name: str, policy: str) -> tuple[Any, Any]:
    git, live = manifests(name)
    patch = _OPT_OUT if policy == "opt-out" else {}
    return patched(git, patch), patched(live, patch)


def _form(name: str, rules: Rules, policy: str) -> CanonicalObject:
    git, live = copy.deepcopy(_manifests(name, policy))
    place = Provenance(SOURCE.name, SOURCE.revision, f"prod/{name}.yaml", 3)
    form = canonicalize(RenderedObject(git, place), context(rules))
    return form if policy == "offline" else confirm(form, live, (), context(rules))


def _review(point: Point) -> dict[str, Any]:
    old, new, kind, place = _objects(point)
    subresource = "" if point["subresource"] == MAIN else point["subresource"]
    gone, operation = point["managed"] == "terminating", point["operation"]
    if gone:
        stamp = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
        old, new = patched(old, stamp), patched(new, stamp)
    request = {
        "uid": "u-1",
        "kind": {"group": "autoscaling", "version": "v1", "kind": "Scale"} if subresource == "scale" else kind,
        "resource": place,
        "subResource": subresource,
        "name": old["metadata"]["name"],
        "namespace": old["metadata"].get("namespace", ""),
        "operation": operation,
        "userInfo": identity(IDENTITIES[point["identity"]]),
        "object": None if operation == "DELETE" else new,
        "oldObject": None if operation == "CREATE" else old,
        "dryRun": point["identity"] == "canonicalizer-dry",
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def _objects(point: Point) -> tuple[Any, Any, dict[str, str], dict[str, str]]:
    """Object before and after, kind and resource."""
    path = point["path"]
    if point["managed"] in ("lever", "container"):
        return _around(point)
    name = "queue" if path == "masked" else "web"
    kind = {"group": "apps", "version": "v1", "kind": "StatefulSet" if name == "queue" else "Deployment"}
    place = {"group": "apps", "version": "v1", "resource": f"{kind['kind'].lower()}s"}
    _, live = _manifests(name, point["policy"])
    stray = {"metadata": {"name": "stray"}} if point["managed"] in ("undeclared", "exclusive") else {}
    before = {"metadata": {"finalizers": ["example.com/wait"]}} if path == "finalizer" else {}
    old = patched(patched(live, stray), before)
    if point["subresource"] == "scale":
        scale = {"kind": "Scale", "metadata": old["metadata"], "spec": {"replicas": old["spec"]["replicas"]}}
        return scale, patched(scale, {"spec": {"replicas": 7}} if path in ("held", "masked") else {}), kind, place
    if point["subresource"] == "status" and path == "held":
        return old, patched(old, {"metadata": {"labels": {"tier": "back"}}}), kind, place
    return old, patched(old, PATHS[path]), kind, place


def _around(point: Point) -> tuple[Any, Any, dict[str, str], dict[str, str]]:
    """A lever, or a namespace that Git does not declare and that holds what Git declares: any path is a change."""
    if point["managed"] == "lever":
        change: Any = {} if point["path"] == "none" else {"spec": {"suspend": True}}
        kind = {"group": "setscrew.dev", "version": "v1alpha1", "kind": "GitSource"}
        place = {"group": "setscrew.dev", "version": "v1alpha1", "resource": "gitsources"}
        return _LEVER, patched(_LEVER, change), kind, place
    _, old = manifests("namespace")
    change = {} if point["path"] == "none" else {"metadata": {"labels": {"color": "blue"}}}
    kind = {"group": "", "version": "v1", "kind": "Namespace"}
    return old, patched(old, change), kind, {"group": "", "version": "v1", "resource": "namespaces"}
