"""Owns changes of a CustomResourceDefinition or APIService that Git does not declare, while Git's objects go by it.

A version that is no longer served takes all objects out of reach that Git has in it, as deleting the definition would;
an API that another server answers for does so too. Must not judge definitions that Git declares: they are content.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from reconciler.compare.equal import same
from reconciler.model.tree import Tree, dig
from reconciler.policy.model import Subject
from webhook.decision import deletion
from webhook.decision.answer import refuse_cascade
from webhook.decision.identity import is_one_of
from webhook.decision.types import Decision, Request
from webhook.decision.verdict import Verdict

_API_SERVER: Final = (Subject(user="system:apiserver"),)


def decide_definition(verdict: Verdict) -> Decision | None:
    """Refuse to stop serving a version that Git's objects are in, or to redirect their API; None for all else."""
    request, snapshot = verdict.request, verdict.snapshot
    if _redirects(request) and (inside := deletion.taken_along(verdict)):
        return refuse_cascade(verdict, inside, "delete-cascade", verb="redirect")
    ended = no_longer_served(request)
    if not ended:
        return None
    group, kind = str(dig(request.old, "spec", "group")), str(dig(request.old, "spec", "names", "kind"))
    used = [one for one in ended if snapshot.declares_version(group, one, kind)]
    if not used:
        return None
    verb = f"stop serving {', '.join(used)} of"
    return refuse_cascade(verdict, deletion.taken_along(verdict), "delete-cascade", verb=verb)


def _redirects(request: Request) -> bool:
    """True where somebody else than the API server itself says who answers for a group."""
    if (request.group, request.resource) != deletion.API_SERVICES or request.operation != "UPDATE":
        return False
    was, now = (dig(tree, "spec", "service") for tree in (request.old, request.object))
    return not same(was, now) and not is_one_of(request.identity, _API_SERVER)


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
