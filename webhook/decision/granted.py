"""Owns whether grants permit what is otherwise refused. Must not find violations.

Of several grants that name the subject and the object the strictest wins: each of them must permit every path, and the
one that ends first is named (a looser one beside it opens nothing).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler.compare.leaves import covered, leaves_between
from reconciler.compare.place import UNKNOWN
from reconciler.model.path import Element, ItemKey, Path, follow, index_of, pattern
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, child
from reconciler.policy.grant import Grant
from reconciler.policy.granting import spellings
from webhook.decision.identity import is_one_of
from webhook.decision.types import Identity
from webhook.decision.violation import Violation


def granted_by(
    grants: Sequence[Grant],
    identity: Identity,
    ref: ObjectRef,
    violations: Sequence[Violation],
    now: float,
    documents: Sequence[Tree] = (),
) -> Grant | None:
    """The grant under which `identity` may do it at `now` (Unix seconds), or None. No violations: a whole operation.

    `documents`: the object as Git wants it, as it was, as it is asked for; an index in a path counts in all of them.
    """
    named = [grant for grant in grants if grant.holds(now) and _names(grant, identity) and grant.scope.takes_in(ref)]
    if not named or not all(_permits(grant, violations, documents) for grant in named):
        return None
    return min(named, key=lambda grant: (grant.not_after, grant.id))


def scope_path(path: Path, documents: Iterable[Tree]) -> str:
    """`path` as the scope of a grant names it, so that the grant permits what is refused in these documents."""
    return pattern(by_index(path, documents))


def by_index(path: Path, documents: Iterable[Tree]) -> Path:
    """`path` with the index of each item in place of its keys; `path` itself where the documents do not agree on one.

    Otherwise somebody could move another item to the granted place before he changes it.
    """
    found: list[Element] = []
    nodes = list(documents)
    for element in path:
        if isinstance(element, ItemKey):
            places = [index_of(element, node) for node in nodes]
            at = _agreed(places, nodes)
            if at is None:
                return path
            found.append(at)
            nodes = [None if place is None else node[place] for place, node in zip(places, nodes, strict=True)]
        else:
            found.append(element)
            nodes = [child(node, element) if isinstance(element, str) else follow((element,), node) for node in nodes]
    return tuple(found)


def _agreed(places: Sequence[int | None], nodes: Sequence[Tree]) -> int | None:
    """The index that the item has in each list that holds it, and that no other item has in the rest of them."""
    there = {place for place in places if place is not None}
    if len(there) != 1:
        return None
    index = there.pop()
    others = (node for place, node in zip(places, nodes, strict=True) if place is None and isinstance(node, list))
    return None if any(len(one) > index for one in others) else index


def _names(grant: Grant, identity: Identity) -> bool:
    """Who approved a grant does not use it by way of a group; by name he is in it only where the rules allow that."""
    approved = identity.username.casefold() in spellings(grant.approver)
    return is_one_of(identity, (one for one in grant.subjects if not (approved and one.group)))


def _permits(grant: Grant, violations: Sequence[Violation], documents: Sequence[Tree]) -> bool:
    paths = grant.scope.paths
    if not paths:
        return True
    leaves = [leaf for one in violations for leaf in _leaves(one)]
    return bool(leaves) and all(covered(leaf, paths) or covered(by_index(leaf, documents), paths) for leaf in leaves)


def _leaves(one: Violation) -> list[Path]:
    """What a new object leaves out has no leaf: then the path itself is asked for."""
    was = ABSENT if one.was is UNKNOWN else one.was
    return list(leaves_between(one.path, was, one.now)) or [one.path]
