"""Owns what DriftGrant objects grant, alike in every replica: their own times count, not when somebody read them. Pure.

Must not store a grant, nor put one in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from reconciler.errors import UsageError
from reconciler.limits import GRANTS_IN_FORCE
from reconciler.model.tree import Tree, dig
from reconciler.policy.grant import Grant
from reconciler.policy.granting import parse_grant
from reconciler.policy.model import GrantRules
from setscrew.grants import CLUSTER
from setscrew.incluster.objects import INVALID, Fault, key_of

TOO_MANY: Final = "TooMany"


@dataclass(frozen=True, slots=True)
class Read:
    """Grants by name, and why others are none."""

    grants: Mapping[str, Grant] = field(default_factory=dict)
    faults: Mapping[str, Fault] = field(default_factory=dict)


def grants_of(objects: Iterable[Tree], rules: GrantRules, now: float) -> Read:
    """What DriftGrant objects grant at `now` (Unix seconds); of too many that have not ended, the oldest count."""
    grants, faults = dict[str, Grant](), dict[str, Fault]()
    holding = 0
    for made, tree in sorted(((_made(tree), tree) for tree in objects), key=lambda pair: (pair[0], key_of(pair[1]))):
        name = key_of(tree)[1]
        try:
            grant = parse_grant(tree, "the object", rules, made, CLUSTER)
        except UsageError as error:
            faults[name] = Fault(INVALID, str(error))
            continue
        if not grant.revoked and grant.not_after > now:
            holding += 1
            if holding > GRANTS_IN_FORCE:
                most = f"{GRANTS_IN_FORCE} grants are in force, no more may be; revoke what nobody needs"
                faults[name] = Fault(TOO_MANY, most)
                continue
        grants[name] = grant
    return Read(grants, faults)


def revoked_since(grant: Grant, status: Mapping[str, Any], now: float) -> Grant:
    """The grant with the time since when its status says that it is revoked: the object says only that it is."""
    if not grant.revoked:
        return grant
    try:
        since = datetime.fromisoformat(str(status.get("revoked"))).timestamp()
    except ValueError:
        since = float(int(now))
    return replace(grant, revoked=since)


def _made(tree: Tree) -> float:
    """When the API server made the object; Unix seconds."""
    try:
        return datetime.fromisoformat(str(dig(tree, "metadata", "creationTimestamp"))).timestamp()
    except ValueError:
        return 0.0
