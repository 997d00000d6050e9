"""Owns changes of a CustomResourceDefinition that Git does not declare, while objects that Git declares go by it.

A version that is no longer served takes all objects out of reach that Git has in it, as deleting the definition would.
Must not judge definitions that Git declares: they are content.
"""

from __future__ import annotations

from collections.abc import Collection

from reconciler.model.tree import Tree, dig
from webhook.decision import deletion
from webhook.decision.answer import refuse_cascade
from webhook.decision.types import Decision, Request
from webhook.decision.verdict import Verdict


def decide_definition(verdict: Verdict) -> Decision | None:
    """Refuse to stop serving a version that Git's objects are in; None for every other change."""
    old, snapshot = verdict.request.old, verdict.snapshot
    group, kind = str(dig(old, "spec", "group")), str(dig(old, "spec", "names", "kind"))
    used = [one for one in no_longer_served(verdict.request) if snapshot.declares_version(group, one, kind)]
    if not used:
        return None
    verb = f"stop serving {', '.join(used)} of"
    return refuse_cascade(verdict, deletion.taken_along(verdict), "delete-cascade", verb=verb)


def no_longer_served(request: Request) -> Collection[str]:
    """Versions that an update of a definition takes out of service, sorted; none for any other request."""
    if (request.group, request.resource) != deletion.DEFINITIONS or request.operation != "UPDATE":
        return ()
    return sorted(_served(request.old) - _served(request.object))


def _served(definition: Tree) -> set[str]:
    """None where the request leaves the spec as it is: equal members are not decoded."""
    versions = dig(definition, "spec", "versions")
    served = [one for one in versions if dig(one, "served") is True] if isinstance(versions, list) else []
    return {str(dig(one, "name")) for one in served}
