"""Owns the building of decisions from cases: snapshot, AdmissionReview and expectation. Must not assert."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonpatch
import yaml

from reconciler.canonical.autoscale import widen
from reconciler.canonical.engine import Context, canonicalize, confirm
from reconciler.canonical.form import CanonicalObject
from reconciler.gpu.users.model import Census
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.policy.grant import Grant, Scope
from reconciler.policy.model import Policy, Rules
from reconciler.policy.parse import parse_rules
from reconciler.policy.reader import subject
from reconciler.policy.select import policy_for
from reconciler.render.embedded_loader import load_embedded
from reconciler.schema.catalog import Catalog
from reconciler.snapshot.model import Adopter, Earlier, Entry, MemorySnapshot, SourceState
from reconciler.store.schema_data import load_builtin
from setscrew.configuration import builtin_policies, documents, mig_table
from tests.support.identities import identity
from webhook.decision.decide import decide
from webhook.decision.look import CURRENT, NOT_ASKED, Look
from webhook.decision.review import decode
from webhook.decision.types import Decision, Request
from webhook.decision.verdict import uncounted

CASES: Final = Path(__file__).parent.parent / "cases" / "decision"
KEY: Final = b"the key of these cases"
COMMITS: Final = {"newest": "ab" * 20, "between": "b2" * 20, "oldest": "a1" * 20}
SOURCE: Final = SourceState(
    name="shop",
    url="https://git.example/shop.git",
    path="prod",
    revision="main@sha1:" + "ab" * 20,
    commit="ab" * 20,
    subject="Sell more",
    history=tuple((commit, f"The {name} commit") for name, commit in COMMITS.items()),
    release="shop-release",
    namespace="shop",
)
Case = Mapping[str, Any]


@cache
def builtin_rules() -> Rules:
    """The shipped policies."""
    return replace(parse_rules(documents(builtin_policies())), mig_models=mig_table().models)


@cache
def manifests(name: str) -> tuple[Any, Any]:
    """What Git says and what the API server makes of it."""
    git, live = yaml.safe_load_all((CASES / "objects" / f"{name}.yaml").read_text())
    return git, live


def rules_with(policy: Mapping[str, Any] | None, more: Mapping[str, Any] | None = None, *, bare: bool = False) -> Rules:
    """The shipped rules (`bare`: without their policies), with a policy of priority 0 in front where a case brings one.

    `more` are specs of further policies by name.
    """
    rules = replace(builtin_rules(), policies=()) if bare else builtin_rules()
    if more:
        given = [("case", {"kind": "DriftPolicy", "metadata": {"name": name}, "spec": more[name]}) for name in more]
        both = (*parse_rules(given).policies, *rules.policies)
        rules = replace(rules, policies=tuple(sorted(both, key=lambda one: -one.priority)))
    if policy is None:
        return rules
    base = {"writers": yaml.safe_load((builtin_policies() / "default.yaml").read_text())["spec"]["writers"]}
    document = {"kind": "DriftPolicy", "metadata": {"name": "case"}, "spec": {**base, **policy}}
    own: tuple[Policy, ...] = parse_rules([("case", document)]).policies
    return replace(rules, policies=(*own, *rules.policies))


@cache
def own_definitions() -> list[Any]:
    """The definitions of our own kinds."""
    files = sorted((builtin_policies().parent / "manifests" / "crds").glob("*s.yaml"))
    return [yaml.safe_load(file.read_text()) for file in files]


def context(rules: Rules, names: Iterable[str] = ("crd",)) -> Context:
    """Packaged kinds, our own, and the CRDs among `names`."""
    crds = [manifests(name)[0] for name in {*names, "crd"} if manifests(name)[0]["kind"] == "CustomResourceDefinition"]
    crds += own_definitions()
    return Context(Catalog((load_builtin(),), rules, crds), rules, KEY, parse=load_embedded)


def canonical(name: str, rules: Rules, *, confidence: str = "server", volatile: Iterable[str] = ()) -> CanonicalObject:
    """The form of one object of the cases."""
    git, live = copy.deepcopy(manifests(name))
    place = Provenance(SOURCE.name, SOURCE.revision, f"prod/{name}.yaml", 3)
    form = canonicalize(RenderedObject(git, place), context(rules))
    return form if confidence == "offline" else confirm(form, live, volatile, context(rules))


def snapshot(
    names: Iterable[str],
    policy: Mapping[str, Any] | None = None,
    *,
    confidence: str = "server",
    volatile: Iterable[str] = (),
    adopted: bool = True,
    policies: Mapping[str, Any] | None = None,
    bare: bool = False,
) -> MemorySnapshot:
    """A snapshot of some objects of the cases; `policies` and `bare` as `rules_with` has them."""
    rules = rules_with(policy, policies, bare=bare)
    forms = [canonical(name, rules, confidence=confidence, volatile=volatile) for name in names]
    entries = []
    for form in widen(forms, rules.scalers):
        chosen = policy_for(rules.policies, form.ref, SOURCE.name, {})
        assert chosen is not None
        entries.append(Entry(form, chosen, adopted))
    return MemorySnapshot(tuple(entries), rules, {SOURCE.name: SOURCE}, KEY, "d" * 64)


def patched(tree: Any, patch: Any) -> Any:
    """`tree` after a JSON patch; a mapping in place of a patch is merged (null removes)."""
    if isinstance(patch, list):
        return jsonpatch.apply_patch(copy.deepcopy(tree), patch)
    return _merged(copy.deepcopy(tree), patch)


def _merged(tree: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    out = dict(tree) if isinstance(tree, Mapping) else {}
    for key, value in patch.items():
        out[key] = _merged(out.get(key), value)
        if value is None:
            del out[key]
    return out


def review(case: Case) -> bytes:
    """The AdmissionReview of a case: `was` = live + `drift`, `now` = was + `patch`."""
    _, live = manifests(case["object"])
    operation, subresource = case.get("operation", "UPDATE"), case.get("subresource", "")
    old = patched(live, case.get("drift", {}))
    new = patched(old, case.get("patch", {}))
    if "scale" in case:
        subresource = "scale"
        old, new = ({"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": spec} for spec in case["scale"])
    kind = context(builtin_rules()).catalog.kind(*_gvk(live))
    assert kind is not None
    own = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    request: dict[str, Any] = {
        "uid": "u-1",
        "kind": {"group": "autoscaling", "version": "v1", "kind": "Scale"} if subresource == "scale" else own,
        "resource": {"group": kind.group, "version": kind.version, "resource": kind.resource},
        "subResource": subresource,
        "name": live["metadata"]["name"],
        "namespace": live["metadata"].get("namespace", live["metadata"]["name"] if kind.kind == "Namespace" else ""),
        "operation": operation,
        "userInfo": identity(case.get("as", "alice")),
        "object": None if operation == "DELETE" else new,
        "oldObject": None if operation == "CREATE" else old,
        "dryRun": bool(case.get("dryRun", False)),
    }
    if "manager" in case:
        request = _merged(request, _managed(case["manager"], operation))
    request = _merged(request, {key: value for key, value in case.get("request", {}).items() if value is not None})
    for key, value in case.get("request", {}).items():
        if value is None:
            request[key] = None
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


def _managed(manager: str, operation: str) -> dict[str, Any]:
    """What a field manager leaves in a review: its name in the options, and an entry in the object's managedFields."""
    out: dict[str, Any] = {"options": {"kind": f"{operation.capitalize()}Options", "fieldManager": manager}}
    if operation != "DELETE":
        out["object"] = {"metadata": {"managedFields": [{"manager": manager, "operation": "Apply", "time": "now"}]}}
    return out


def _gvk(tree: Any) -> tuple[str, str, str]:
    group, _, version = tree["apiVersion"].rpartition("/")
    return group, version, tree["kind"]


def judged(case: Case, census: Callable[[], Census | None] = uncounted) -> tuple[Request, Decision]:
    """The request of a case, and what is decided."""
    if "neighbours" in case:
        published = Census("2026-01-01T00:00:00Z", neighbours=tuple(case["neighbours"]))
        return judged({key: value for key, value in case.items() if key != "neighbours"}, lambda: published)
    held = snapshot(
        case.get("snapshot", [case["object"]]),
        case.get("policy"),
        confidence=case.get("confidence", "server"),
        volatile=case.get("volatile", ()),
        adopted=case.get("adopted", True),
        policies=case.get("policies"),
        bare=case.get("bare", False),
    )
    request = decode(review(case))
    source = replace(SOURCE, adopter=Adopter(**case.get("adopter", {})))
    before = tuple(earlier(case["object"], one) for one in case.get("earlier", ()))
    held = replace(held, sources={SOURCE.name: source}, before=before)
    grants = [_grant(one) for one in case.get("grants", ())]
    given: dict[str, Any] = {"look": _look(case), "grants": grants, "parse": load_embedded, "census": census}
    return request, decide(request, held, case.get("now", 0.0), **given)


def earlier(name: str, said: Mapping[str, Any]) -> Earlier:
    """What an earlier `commit` (a name of COMMITS) wanted of an object: Git's manifest with a `patch`."""
    rules = builtin_rules()
    git, live = manifests(name)
    place = Provenance(SOURCE.name, SOURCE.revision, f"prod/{name}.yaml", 3)
    changed, stored = patched(git, said["patch"]), patched(live, said["patch"])
    form = confirm(canonicalize(RenderedObject(changed, place), context(rules)), stored, (), context(rules))
    form = widen([form, *(canonical(one, rules) for one in said.get("beside", ()))], rules.scalers)[0]
    policy = policy_for(rules.policies, form.ref, SOURCE.name, {})
    assert policy is not None
    return Earlier(Entry(form, policy), COMMITS[said["commit"]])


def _look(case: Case) -> Look:
    """`refreshed: true` is a look that has found nothing newer; `look` says what one has seen, `since` by name."""
    if "look" not in case:
        return CURRENT if case.get("refreshed", False) else NOT_ASKED
    said = case["look"]
    return Look(
        asked=True,
        answered=said.get("answered", False),
        ahead=frozenset(said.get("ahead", ())),
        failed=said.get("failed", {}),
        since={SOURCE.name: COMMITS[said.get("since", "newest")]},
    )


def _grant(said: Mapping[str, Any]) -> Grant:
    return Grant(
        id=said.get("id", "g-1"),
        subjects=tuple(subject(one, "case") for one in said["to"]),
        scope=Scope(*(tuple(said.get(name, ())) for name in ("refs", "kinds", "namespaces", "paths"))),
        reason="a case",
        not_after=said.get("until", 3600.0),
        not_before=said.get("from", 0.0),
        revoked=said.get("revoked", 0.0),
    )
