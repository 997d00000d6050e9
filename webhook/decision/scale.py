"""Owns the `scale` subresource: a write to one path of the object. Must not read the object itself."""

from __future__ import annotations

from reconciler.model.path import split_pattern
from reconciler.model.tree import ABSENT, Tree, dig
from reconciler.snapshot.model import Entry, SnapshotView
from webhook.decision.content import judge_content
from webhook.decision.types import Identity
from webhook.decision.violation import Violation


def _path(entry: Entry) -> tuple[str, ...]:
    """Where the object keeps its replicas (custom resources: the CRD's specReplicasPath)."""
    return split_pattern(entry.object.kind.replicas_path or "/spec/replicas")


def as_object(entry: Entry, tree: Tree) -> Tree:
    """The object as far as a Scale tells: its replicas at the right path, nothing else."""
    value = dig(tree, "spec", "replicas")
    # `replicas: 0` is left out of the wire form.
    out: Tree = 0 if value in (ABSENT, None) else value
    for part in reversed(_path(entry)):
        out = {part: out}
    return out


def judge(entry: Entry, snapshot: SnapshotView, identity: Identity, was: Tree, now: Tree) -> list[Violation]:
    """Violations at the replicas path."""
    path = _path(entry)
    found = judge_content(entry, snapshot.rules, identity, "UPDATE", was, now)
    return [violation for violation in found if violation.path[: len(path)] == path]
