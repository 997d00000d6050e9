"""Owns the judging of a soak by what was recorded: answers, audit log, controllers' log, and where all came to rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from setscrew.controlplane import ControlPlane
from tests.soak.actors import Tally
from tests.support import audit
from tests.support.kubelet import Kubelet
from tests.support.machinery import is_machinery

_SHOWN: Final = 10
# What the machinery must have done, else nothing was proven: what, whose write (a part of the name), verb, resource.
_WORK: Final = (
    ("autoscaled", "horizontal-pod-autoscaler", "update", "deployments/scale"),
    ("Jobs removed by their time to live", "ttl-after-finished-controller", "delete", "jobs"),
    ("namespaces emptied", "namespace-controller", "deletecollection", "configmaps"),
    ("Pods made", "replicaset-controller", "create", "pods"),
    ("collected", "generic-garbage-collector", "delete", "pods"),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happened, counted, and every violation in a line of its own."""

    counts: Counter[str]
    violations: tuple[str, ...]


def judge(plane: ControlPlane, kubelet: Kubelet, tallies: Iterable[Tally], found: Iterable[str]) -> Verdict:
    """All that the run has left behind; `found` are violations that are known already."""
    counts: Counter[str] = Counter()
    violations = [*found, *(f"a node was refused: {fault}" for fault in kubelet.faults)]
    for tally in tallies:
        counts += tally.counts
        violations += tally.wrong
    for event in audit.writes(plane):
        counts += _counted(event)
        violations += _violation(event)
    violations += [f"the controllers' log: {line}" for line in audit.controllers_name_us(plane)]
    violations += [f"nothing proven: {what}: 0" for what, *_ in _WORK if not counts[what]]
    return Verdict(counts, tuple(violations))


def _counted(event: dict[str, Any]) -> Counter[str]:
    found = Counter(["writes"])
    user = event["user"]["username"]
    if any(key.endswith(f"{audit.GUARD}/code") for key in event.get("annotations", {})):
        found["changes of guarded objects judged"] += 1
        found["changes of guarded objects by the cluster's own"] += is_machinery(user)
    found["writes that nobody judged in time"] += audit.unasked(event)
    place = event.get("objectRef", {})
    resource = "/".join(filter(None, (place.get("resource", ""), place.get("subresource", ""))))
    done = event.get("responseStatus", {}).get("code", 0) < 300
    found.update(
        what for what, who, verb, kind in _WORK if done and who in user and (verb, kind) == (event["verb"], resource)
    )
    return found


def _violation(event: dict[str, Any]) -> Iterator[str]:
    if audit.refused_by_us(event) and is_machinery(event["user"]["username"]):
        yield f"the cluster's own was refused: {audit.in_short(event)}"


def summary(verdict: Verdict, facts: Iterable[str]) -> str:
    """What is printed: the facts of the run, the counts, the violations (a few of each sort of them)."""
    counts = [f"  {number:>8}  {what}" for what, number in sorted(verdict.counts.items())]
    shown = [f"  {line[:400]}" for line in verdict.violations[:_SHOWN]]
    more = len(verdict.violations) - len(shown)
    end = [f"{len(verdict.violations)} violations", *shown, *([f"  and {more} more"] if more > 0 else [])]
    return "\n".join([*facts, *counts, *end])
