"""Owns the judging of a writer's write against the last revisions of Git. Must not judge fields itself.

A GitOps controller may act by a revision that Git has had between the one that was enforced when its write arrived and
the newest: that is no drift. A revision older than that is a rollback around Git, and is named.
"""

from __future__ import annotations

from collections.abc import Callable

from reconciler.snapshot.model import Earlier, Entry
from webhook.decision.identity import is_controller, is_one_of, named_writer
from webhook.decision.verdict import Verdict


def explaining(verdict: Verdict, entry: Entry, conforms: Callable[[Entry], bool]) -> Earlier | None:
    """The newest earlier revision that the write of a named writer conforms to, once Git has been asked; or None."""
    if not verdict.look.asked:
        return None
    writer = named_writer(verdict.request.identity, entry.policy.writers)
    if writer is None or writer.verify != "Content":
        return None
    return next((one for one in _earlier(verdict, entry) if conforms(one.entry)), None)


def scaled_by_bounds_of_before(verdict: Verdict, entry: Entry, conforms: Callable[[Entry], bool]) -> Earlier | None:
    """The newest earlier revision whose autoscaler may do this; or None.

    An autoscaler goes by the bounds that the cluster holds, and Git's new ones are written there a moment later.
    """
    identity = verdict.request.identity
    if verdict.request.subresource != "scale" or not is_controller(identity):
        return None
    earlier = _earlier(verdict, entry)
    scaled = (one for one in earlier if any(is_one_of(identity, bounds.to) for bounds in one.entry.object.ranges))
    return next((one for one in scaled if conforms(one.entry)), None)


def _earlier(verdict: Verdict, entry: Entry) -> tuple[Earlier, ...]:
    ref = entry.ref
    return verdict.snapshot.earlier(ref.group, entry.object.kind.resource, ref.namespace, ref.name)


def in_window(verdict: Verdict, older: Earlier) -> bool:
    """True if that revision is newer than the one that was enforced when the review arrived."""
    name = older.entry.source
    source = verdict.snapshot.sources.get(name)
    order = [commit for commit, _ in source.history] if source is not None else []
    since = verdict.look.since.get(name, "")
    return older.last in order and since in order and order.index(older.last) < order.index(since)
