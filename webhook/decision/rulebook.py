"""Owns what the rules about GPU classes say of one write, and what they may look at beside it. Must not decide.

Git's side of it is the snapshot, the cluster's what is published of it. The rules themselves are a large part of the
program that most processes never need: they are loaded with the first write that they are asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, Protocol

from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree
from reconciler.snapshot.model import SnapshotView
from webhook.decision.verdict import Verdict

if TYPE_CHECKING:
    from reconciler.gpu.problem import Problem

Scope = Literal["all", "itself", "others"]
# Kinds that say which GPU models there are, as a census names them.
_FLEET: Final = frozenset({"Node", "resource.k8s.io/ResourceSlice", "*"})
Objects = dict[tuple[str, str], dict[ObjectRef, Tree]]


class Rulebook(Protocol):
    """See `new_errors`."""

    def __call__(self, verdict: Verdict, ref: ObjectRef, scope: Scope) -> Sequence[Problem]:
        """The errors, those of each rule together. May raise to be asked again elsewhere."""


def new_errors(verdict: Verdict, ref: ObjectRef, scope: Scope) -> Sequence[Problem]:
    """What the write breaks that was not broken before.

    "itself": only what shows in the object, as where the writer is ahead of the snapshot and may change others, too.
    "others": only what shows beside others, as where the object is the writer's own affair.
    """
    from reconciler.gpu import single
    from reconciler.gpu.mig_table import MigTable
    from reconciler.gpu.operator_maps import CONFIG_MAP, NODE

    now, was = verdict.request.objects.whole()
    table, parse = MigTable(verdict.snapshot.rules.mig_models), verdict.parse
    live = _live(verdict)
    models = {NODE: live.get(NODE, {})}
    itself = single.new_errors(ref, was, now, models, parse, table) if scope != "all" else ()
    if scope == "itself":
        return itself
    objects = {kind: live.get(kind, {}) for kind in single.beside((ref.group, ref.kind))}
    for kind in objects:
        objects[kind] |= _declared(verdict.snapshot, verdict.snapshot.refs_of(*kind))
    as_git, as_live = _maps(verdict.snapshot, single.named_by(ref, now, objects)), live.get(CONFIG_MAP, {})
    found: Sequence[Problem] = ()
    # What the operator reads may differ from Git under a grant, and be newer than what is published: either will do.
    for maps in ({**as_live, **as_git}, {**as_git, **as_live}):
        objects[CONFIG_MAP] = maps
        found = single.new_errors(ref, was, now, objects, parse, table)
        if not found or as_live.keys().isdisjoint(as_git):
            break
    return [one for one in found if one not in itself]


def _declared(snapshot: SnapshotView, refs: Sequence[ObjectRef]) -> dict[ObjectRef, Tree]:
    entries = ((ref, snapshot.by_ref(ref)) for ref in refs)
    return {ref: entry.object.want for ref, entry in entries if entry is not None}


def _maps(snapshot: SnapshotView, names: frozenset[str]) -> dict[ObjectRef, Tree]:
    """A ClusterPolicy does not say in which namespace its ConfigMaps are."""
    refs = snapshot.refs_of("", "ConfigMap") if names else ()
    return _declared(snapshot, [ref for ref in refs if ref.name in names])


def _live(verdict: Verdict) -> Objects:
    """What the cluster holds of the kinds that rules look at, with a stand-in for the nodes of each GPU model."""
    from reconciler.gpu.users.fleet import strangers
    from reconciler.gpu.world import by_kind

    census = verdict.census()
    seen = census.neighbours if census is not None else ()
    known = census is not None and not _FLEET & census.unseen.keys()
    return by_kind(seen if known else (*seen, *strangers()))
