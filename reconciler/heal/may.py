"""Owns whether an object may be put back at all. Must not say how, nor read anything: what is known is given.

In doubt nothing is written: healing rests on a form that the API server has confirmed, and on a revision in force.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from reconciler.model.tree import Tree, dig
from reconciler.policy.grant import Grant
from reconciler.report.drift import DriftItem
from reconciler.snapshot.model import Entry, SourceState

# What runs once: made anew it would run again. Whoever wants that deletes it, and its GitOps tool makes it.
_RUNS_ONCE: Final = frozenset(
    {
        ("", "Pod"),
        ("argoproj.io", "Workflow"),
        ("batch", "Job"),
        ("batch.volcano.sh", "Job"),
        ("cert-manager.io", "CertificateRequest"),
        ("jobset.x-k8s.io", "JobSet"),
        *(("kubeflow.org", f"{one}Job") for one in ("JAX", "MPI", "Paddle", "PyTorch", "TF", "XGBoost")),
        ("ray.io", "RayJob"),
        ("sparkoperator.k8s.io", "SparkApplication"),
        ("tekton.dev", "CustomRun"),
        ("tekton.dev", "PipelineRun"),
        ("tekton.dev", "TaskRun"),
        ("trainer.kubeflow.org", "TrainJob"),
        ("velero.io", "Backup"),
        ("velero.io", "Restore"),
        ("workload.codeflare.dev", "AppWrapper"),
    }
)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known besides the object: its source, why its newest revision is not in force ("": it is), all grants."""

    source: SourceState | None
    trouble: str = ""
    grants: Iterable[Grant] = ()
    now: float = 0.0


def wants(item: DriftItem, entry: Entry) -> bool:
    """Whether a finding is one to heal: what Git declares, is known to differ or to be away, and is to be put back."""
    return item.state in ("drifted", "missing") and entry.policy.heal == "Auto"


def barred(entry: Entry, known: Known) -> str:
    """Why nothing may be written to the object now, "" where it may."""
    source = known.source
    if source is None or not source.enforced:
        return "its source is only watched"
    if known.trouble or source.stale:
        return f"the newest revision of its source is not in force: {known.trouble or 'Git cannot be followed'}"
    if not entry.adopted:
        return "it was there before Git declared it, and is not adopted"
    held = next((one.id for one in known.grants if one.holds(known.now) and one.scope.takes_in(entry.ref)), "")
    return f"grant {held} lets people change it" if held else ""


def barred_as_it_is(entry: Entry, live: Tree | None) -> str:
    """Why the object, as the cluster holds it (None: not at all), may not be put back; "" where it may."""
    if isinstance(dig(live, "metadata", "deletionTimestamp"), str):
        return "it is being deleted"
    return barred_by_form(entry, gone=live is None)


def barred_by_form(entry: Entry, *, gone: bool) -> str:
    """Why an object that is declared so may not be made anew (`gone`) or changed; "" where it may."""
    if gone and entry.policy.fragment:
        return "Git declares only a part of it"
    if gone and _runs_once(entry):
        return "it runs once: made anew it would run again"
    if not gone and entry.object.confidence != "server":
        return "the API server has not confirmed its form"  # its reason is in the finding, and may quote values
    return ""


def _runs_once(entry: Entry) -> bool:
    """Whatever kind it is: what is to be deleted some time after it has finished finishes."""
    finishes = isinstance(dig(entry.object.want, "spec", "ttlSecondsAfterFinished"), int)
    return finishes or (entry.ref.group, entry.ref.kind) in _RUNS_ONCE
