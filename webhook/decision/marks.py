"""Owns the marks that a source's own tool puts on its objects: who may write them is asked of their value.

Helm names its release; Flux and Argo CD name the object that adopted it. Must not judge anything else.
"""

from __future__ import annotations

from reconciler.model.ref import ObjectRef
from reconciler.policy.model import SteeringRule
from reconciler.snapshot.model import SourceState


def mark_of(rule: SteeringRule, source: SourceState, ref: ObjectRef) -> str:
    """The value that the tool of `source` writes on the object under the key of `rule`; "" where it writes none."""
    adopter = source.adopter
    if not rule.value or (adopter.kind != rule.adopter if rule.adopter else not source.release):
        return ""
    return rule.value.format(
        release=source.release,
        namespace=source.namespace,
        adopter=adopter.name,
        adopterNamespace=adopter.namespace,
        group=ref.group,
        kind=ref.kind,
        objectNamespace=ref.namespace or source.namespace,
        objectName=ref.name,
    )
