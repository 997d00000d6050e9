"""Owns objects as people name them on the command line, `deploy/web`, and which findings are theirs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from reconciler.errors import UsageError
from reconciler.report.formats.words import group_of

# As kubectl shortens the kinds of Kubernetes itself.
_SHORT: Final = {
    "cj": "cronjob", "cm": "configmap", "crd": "customresourcedefinition", "deploy": "deployment", "ds": "daemonset",
    "ep": "endpoints", "hpa": "horizontalpodautoscaler", "ing": "ingress", "limits": "limitrange",
    "netpol": "networkpolicy", "no": "node", "ns": "namespace", "pc": "priorityclass", "pdb": "poddisruptionbudget",
    "po": "pod", "pv": "persistentvolume", "pvc": "persistentvolumeclaim", "quota": "resourcequota",
    "rc": "replicationcontroller", "rs": "replicaset", "sa": "serviceaccount", "sc": "storageclass",
    "sts": "statefulset", "svc": "service", "vap": "validatingadmissionpolicy",
}  # fmt: skip


class Target(NamedTuple):
    """An object as it was named: `kind` in lower case, `group` "" for any, `name` exact."""

    kind: str
    group: str
    name: str

    def __str__(self) -> str:
        """As kubectl takes it."""
        return f"{self.kind}{f'.{self.group}' if self.group else ''}/{self.name}"

    def is_of(self, item: Mapping[str, Any]) -> bool:
        """True for a finding of it: its kind, in singular or plural, of its group."""
        kind, group = str(item["kind"]).lower(), group_of(item)
        if item["name"] != self.name or _SHORT.get(self.kind, self.kind) not in (kind, *_plurals(kind)):
            return False
        # `deployment.v1.apps` is what kubectl takes as well.
        return self.group in ("", group) or self.group.partition(".")[2] == group != ""


def parse_target(text: str) -> Target:
    """Raises UsageError for what is no KIND/NAME."""
    kind, slash, name = text.partition("/")
    if not slash or not kind or not name or "/" in name:
        raise UsageError(f"{text[:100]!r} is no KIND/NAME", hint="such as deployment/web, or --kind Deployment for all")
    short, _, group = kind.lower().partition(".")
    return Target(short, group, name)


def only(report: Mapping[str, Any], targets: Sequence[Target]) -> dict[str, Any]:
    """The report with the findings of these objects alone, and their number."""
    items = [item for item in report["items"] if any(one.is_of(item) for one in targets)]
    counts = Counter(str(item["state"]) for item in items)
    summary = dict(report.get("summary", {})) | {"total": len(items)}
    summary |= {name: counts[name] for name in ("drifted", "missing", "extra", "orphaned", "unknown")}
    return {**report, "summary": summary, "items": items}


def without(items: Iterable[Mapping[str, Any]], targets: Iterable[Target]) -> list[Target]:
    """Those of which nothing is among the items."""
    known = list(items)
    return [one for one in targets if not any(one.is_of(item) for item in known)]


def _plurals(kind: str) -> tuple[str, ...]:
    return f"{kind}s", f"{kind}es", f"{kind[:-1]}ies"
