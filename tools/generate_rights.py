"""Writes docs/reference/rights.md from the manifests: `python tools/generate_rights.py`.

Every rule of every role stands in the page with its reason, which is given here: a rule without one, or a reason without
its rule, is an error. tests/unit/docs/test_rights.py fails while the page and the manifests differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

TOP: Final = Path(__file__).resolve().parents[1]
PAGE: Final = TOP / "docs" / "reference" / "rights.md"
# Every file of the manifests that gives a right; a test looks for others.
FILES: Final = (
    "base/rbac.yaml",
    "base/rbac-replicas.yaml",
    "base/rbac-callers.yaml",
    "events/rbac.yaml",
    "components/gpu/rbac.yaml",
    "components/healing/rbac.yaml",
)
_AGGREGATED: Final = "setscrew.dev/aggregate-to-"
# The API server's own roles, for people.
_GATHERED: Final = "rbac.authorization.k8s.io/aggregate-to-"


@dataclass(frozen=True, slots=True)
class Feature:
    """What rights are for: `roles` by name, each with a reason for each of its rules, in the order of the file."""

    title: str
    text: str
    roles: Mapping[str, Sequence[str]]


FEATURES: Final = (
    Feature(
        "Read and compare",
        "In every installation.",
        {
            "setscrew-reconciler": (
                "what Git declares may be of any kind, Secrets and definitions included, so reading is no narrower than Git is",
                "count the calls that the API server let pass because nobody answered",
                "put back the policies that hold canonicalizer and canary, where they are gone; RBAC cannot narrow `create` by name",
                "put them back where somebody has changed them",
            ),
        },
    ),
    Feature(
        "Refuse",
        "In every installation but that of the overlay `report-only`.",
        {
            "setscrew-registration": (
                "register the webhook; RBAC cannot narrow `create` by name",
                "keep the registration as Git and policies want it, and its certificates",
            ),
        },
    ),
    Feature(
        "Configuration by objects",
        "In every installation.",
        {"setscrew-status": ("say how a GitSource, DriftPolicy or DriftGrant stands; never what stands in it",)},
    ),
    Feature(
        "Canonical forms",
        "In every installation. `setscrew-canonicalizer` may do nothing but dry-runs: a ValidatingAdmissionPolicy "
        "(`manifests/base/canonicalizer-policy.yaml`) refuses all else, also where somebody gives it more. "
        "[Why the groups are listed](../decisions/0003-canonicalizer-rights.md).",
        {
            "setscrew-canonicalizer-token": (
                "work as these two for an hour at a time; to impersonate them would be a right over every identity named",
            ),
            "setscrew-canonicalizer": (
                "ask the API server what it would make of an object; listed, since `*` would cover token, exec and proxy",
                "the same, of the groups that Kubernetes and the common GitOps tools have",
                "the same, of registrations; not of admission policies, which no policy could hold it from",
                "dry-runs of roles and bindings are checked for escalation, too",
            ),
            "setscrew-canonicalizer-custom": (),
        },
    ),
    Feature(
        "Proof that the guard sees",
        "In every installation. `setscrew-canary` may do nothing but dry-run updates, which the guard must refuse "
        "(`manifests/base/canary-policy.yaml`).",
        {
            "setscrew-canary": (
                "whatever the canonicalizer may update, so that the guard alone stands in its way",
                "the same, of the groups that Kubernetes and the common GitOps tools have",
                "dry-runs of roles and bindings are checked for escalation, too",
            ),
            "setscrew-canary-custom": (),
        },
    ),
    Feature(
        "GPU classes",
        "With the overlay `prevent-gpu`. Dry-runs alone, as above.",
        {
            "setscrew-canonicalizer-gpu": ("canonical forms of the kinds in `policies/gpu` that Kubernetes does not have",),
            "setscrew-canary-gpu": ("prove that they are guarded",),
        },
    ),
    Feature(
        "Two replicas",
        "In every installation in a cluster; `setscrew run` needs none of it. Which objects of these names the pods may "
        "really write is held by the policy of our own objects (`manifests/components/levers`).",
        {
            "setscrew-shared": (
                "make the Lease by which one leads; RBAC cannot narrow `create` by name",
                "hold it, and give it back",
                "make the keys and the certificate that replicas share, once; RBAC cannot narrow `create` by name",
                "hand a renewed certificate to the other replicas",
                "hand the public half of the signing key to the other replicas",
                "put back what drifts as the healer, which has no right until somebody gives it one",
                "say on its own Pod whether it leads, and by which snapshot it judges; that it is its own says the policy",
            ),
            "setscrew-published": ("publish snapshots, and carry a follower's wish to look at Git to the leader",),
        },
    ),
    Feature(
        "Readers of the report",
        "In every installation in a cluster. Who has a token of the cluster reads the report of the namespaces where RBAC lets "
        "him `get` `driftreports` of `setscrew.dev`, a resource of that name alone; `update` has a source looked at.",
        {
            "setscrew-callers": (
                "have the API server say whose a token is",
                "have it say what that one may",
            ),
            "driftreports-viewer": ("read the findings of what one may view; the API server itself gathers it into `view`",),
        },
    ),
    Feature(
        "Healing",
        "`setscrew-healer` has no right until somebody gives it one: by the component `healing`, or "
        "[by hand](../how-to/heal.md). These are real writes.",
        {
            "setscrew-healer": (),
            "setscrew-healer-workloads": (
                "put configuration and Services back",
                "put workloads back",
                "put autoscalers back",
                "put schedules back; Jobs would run again",
                "put ingresses and network policies back",
                "put budgets back",
            ),
        },
    ),
    Feature(
        "Events",
        "With the component `events`, which is part of the overlay `monitoring`; else nothing is told in the cluster.",
        {"setscrew-events": ("tell findings and decisions at their objects, which may stand in any namespace",)},
    ),
)
_HEAD: Final = """\
# Rights

Written by `tools/generate_rights.py` from the manifests; do not edit.

What each part of Setscrew may do at the API server, and why. Tests hold that the real API server gives each account just this,
and that two replicas work with it. Nobody here may impersonate anybody or delete anything, but the pods what they have published.

Reading is wide, since Git may declare anything: whoever has a token of `setscrew-reconciler` reads every Secret of the cluster. Such
tokens are mounted into the two containers alone, for an hour each. The account `setscrew-admission` has no right at all.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One rule of one role. `namespace` "": everywhere."""

    feature: str
    role: str
    who: tuple[str, ...]
    namespace: str
    rule: Mapping[str, Any]
    why: str


def rows() -> list[Row]:
    """Every rule of the manifests. Raises ValueError for one without a reason, and for a reason without a rule."""
    documents = [tree for name in FILES for tree in _read(name)]
    roles = {tree["metadata"]["name"]: tree for tree in documents if tree["kind"] in {"Role", "ClusterRole"}}
    known = [name for feature in FEATURES for name in feature.roles]
    if sorted(known) != sorted(roles):
        raise ValueError(f"roles without a reason, or reasons without a role: {sorted(set(known) ^ set(roles))}")
    return [row for feature in FEATURES for name in feature.roles for row in _rows(feature, roles[name], documents)]


def _rows(feature: Feature, role: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    name, rules, reasons = role["metadata"]["name"], role["rules"], feature.roles[role["metadata"]["name"]]
    if len(rules) != len(reasons):
        raise ValueError(f"{name} has {len(rules)} rules and {len(reasons)} reasons")
    who = _bound(role, documents)
    if not who:
        raise ValueError(f"{name} is bound to nobody")
    for rule, why in zip(rules, reasons, strict=True):
        yield Row(feature.title, name, who, role["metadata"].get("namespace", ""), rule, why)


def _bound(role: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Who has it: by a binding, or through the role that gathers it by its label."""
    labels = role["metadata"].get("labels", {})
    gathering = [
        tree["metadata"]["name"]
        for tree in documents
        for one in tree.get("aggregationRule", {}).get("clusterRoleSelectors", ())
        if one["matchLabels"].items() <= labels.items()
    ]
    names = {role["metadata"]["name"], *gathering}
    bindings = [tree for tree in documents if "roleRef" in tree and tree["roleRef"]["name"] in names]
    everybody = [key.removeprefix(_GATHERED) for key in labels if key.startswith(_GATHERED)]
    return tuple(sorted({*everybody, *(subject["name"] for tree in bindings for subject in tree["subjects"])}))


def _read(name: str) -> list[dict[str, Any]]:
    return [tree for tree in yaml.safe_load_all((TOP / "manifests" / name).read_text("utf-8")) if tree]


def page() -> str:
    """The whole page."""
    found = rows()
    return "\n".join([_HEAD, *(_section(one, [row for row in found if row.feature == one.title]) for one in FEATURES)])


def _section(feature: Feature, found: Sequence[Row]) -> str:
    lines = [
        f"## {feature.title}\n",
        f"{feature.text}\n",
        "| who | may | of | where | why | role |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {', '.join(f'`{one}`' for one in row.who)} | {', '.join(row.rule['verbs'])} | {_objects(row.rule)} "
            f"| {f'`{row.namespace}`' if row.namespace else 'everywhere'} | {row.why} | `{row.role}` |"
            for row in found
        ),
    ]
    empty = [name for name, reasons in feature.roles.items() if not reasons]
    gathers = "\n`{}` has no rule of its own: it gathers ClusterRoles by their label.\n"
    return "\n".join([*lines, *(gathers.format(name) for name in empty), ""] if empty else [*lines, ""])


def _objects(rule: Mapping[str, Any]) -> str:
    if "nonResourceURLs" in rule:
        return ", ".join(f"`{path}`" for path in rule["nonResourceURLs"])
    groups = [group for group in rule["apiGroups"] if group]
    kinds = rule["resources"]
    if groups == ["*"]:
        return "everything"
    if kinds == ["*"]:
        return f"all of {', '.join(f'`{one}`' for one in groups)}"
    text = ", ".join(f"`{one}`" for one in kinds) + (f" of {', '.join(f'`{one}`' for one in groups)}" if groups else "")
    names = rule.get("resourceNames")
    return f"{text} named {', '.join(f'`{one}`' for one in names)}" if names else text


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
