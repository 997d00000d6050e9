"""Owns the judging of a writer's write against the last revisions of Git. Must not judge fields itself.

A GitOps controller may act by a revision that Git has had between the one that was enforced when its write arrived and
the newest: that is no drift. A revision older than that is a rollback around Git, and is named.
"""

from __future__ import annotations

from collections.abc import Callable

from reconciler.snapshot.model import Earlier, Entry
from webhook.decision.identity import named_writer
from webhook.decision.verdict import Verdict


def explaining(verdict: Verdict, entry: Entry, conforms: Callable[[Entry], bool]) -> Earlier | None:
    """The newest earlier revision that the write of a named writer conforms to, once Git has been asked; or None."""
    request = verdict.request
    writer = named_writer(request.identity, entry.policy.writers)
    if not verdict.look.asked or writer is None or writer.verify != "Content":
        return None
    ref, resource = entry.object.ref, entry.object.kind.resource
    earlier = verdict.snapshot.earlier(ref.group, resource, ref.namespace, ref.name)
    return next((one for one in earlier if conforms(one.entry)), None)


def in_window(verdict: Verdict, older: Earlier) -> bool:
    """True if that revision is newer than the one that was enforced when the review arrived."""
    name = older.entry.object.provenance.source
    source = verdict.snapshot.sources.get(name)
    order = [commit for commit, _ in source.history] if source is not None else []
    since = verdict.look.since.get(name, "")
    return older.last in order and since in order and order.index(older.last) < order.index(since)
