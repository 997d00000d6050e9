"""Owns the making of grants on this machine: from documents to the store, from the store to the published file.

Neither Git nor the reconciler nor the cluster is needed: whoever can write the state directory can grant, nobody else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from reconciler.errors import UsageError
from reconciler.policy import grant_file
from reconciler.policy.grant import Grant
from reconciler.policy.granting import name_of, parse_grant
from reconciler.policy.model import GrantRules
from reconciler.store.grants import add_grant, find_grant, publish_grants, read_grants, revoke_grant
from reconciler.store.private_file import write_private
from reconciler.store.state import State

# Who made a grant that no person made here. The record of decisions names who made an object of the cluster.
CONFIGURED: Final = "configuration"
CLUSTER: Final = "cluster"
Document = tuple[str, Mapping[str, Any]]


def create(
    state: State, state_dir: Path, documents: Iterable[Document], rules: GrantRules, now: float, created_by: str
) -> list[Grant]:
    """Make grants of `documents` and put them in force; all of them are read before the first is made.

    `now` is Unix seconds. Raises UsageError for what is wrong or not allowed, StoreError.
    """
    asked = [(parse_grant(tree, where, rules, now, created_by), tree, where) for where, tree in documents]
    made = []
    for grant, tree, where in asked:
        stands = add_grant(state, grant, _spec(tree), now)
        if stands.revoked or stands.not_after <= now:
            hint = "ids are never used again: give it another name"
            raise UsageError(f"grant {grant.id!r} was made before, and has ended", where=where, hint=hint)
        made.append(stands)
    publish(state, state_dir, now)
    return made


def revoke(state: State, state_dir: Path, identity: str, now: float, *, by: str, reason: str) -> Grant:
    """Revoke a grant at once; one that has ended stays as it is. Raises UsageError for an unknown id, StoreError."""
    if any(one.id == identity and one.created_by == CLUSTER and one.holds(now) for one in read_grants(state)):
        hint = f"setscrew grant revoke {identity} --kubeconfig …, or kubectl delete driftgrant {identity}"
        raise UsageError(f"grant {identity!r} is an object of the cluster, and holds in every replica", hint=hint)
    grant = revoke_grant(state, identity, now, by=by, reason=reason)
    publish(state, state_dir, now)
    return grant


def take_configured(
    state: State,
    state_dir: Path,
    documents: Iterable[Document],
    rules: GrantRules,
    now: float,
    say: Callable[[str], None],
) -> None:
    """Make grants of the documents of a configuration, each once; what is wrong with one is said and stops nothing.

    A document stays in its directory when its grant has ended, and makes no second one. Raises StoreError.
    """
    for where, tree in documents:
        try:
            if find_grant(state, name_of(tree, where), _spec(tree)) is None:
                grant = parse_grant(tree, where, rules, now, CONFIGURED)
                add_grant(state, grant, _spec(tree), now)
        except UsageError as error:
            say(str(error))
    publish(state, state_dir, now)


def publish(state: State, state_dir: Path, now: float) -> None:
    """Write what may hold from `now` on where the admission server reads it. Raises StoreError."""
    publish_grants(state, now, lambda data: write_private(state_dir / grant_file.NAME, data.decode()))


def _spec(tree: Mapping[str, Any]) -> str:
    # YAML has types of its own for times and dates.
    return json.dumps(tree.get("spec"), sort_keys=True, default=str)
