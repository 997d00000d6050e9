"""Owns the judging of an object's content: which findings a policy, a mask's writer or a delegation permits.

Must not judge metadata (webhook.decision.metadata) or whole-object operations (webhook.decision.decide).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from reconciler.canonical.engine import VOLATILE
from reconciler.canonical.form import Mask
from reconciler.compare.comparison import concerned, findings
from reconciler.compare.equal import Blank, blank
from reconciler.compare.leaves import adds, changed_leaves, covered, shrinks
from reconciler.compare.place import UNKNOWN, Finding
from reconciler.embedded.parser import Parser, read_json
from reconciler.model.kept import kept
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree
from reconciler.policy.closed import closed_paths
from reconciler.policy.exclusive import is_named
from reconciler.policy.model import Delegation, Policy, Rules
from reconciler.policy.select import any_kind
from reconciler.snapshot.model import Entry
from webhook.decision.identity import has_real_token, is_controller, is_one_of, named_writer
from webhook.decision.types import Identity, Operation
from webhook.decision.violation import Violation, from_finding

# Of each policy of the snapshot in force, and of rules before; of each, the kinds that are asked about.
_RULES_KEPT: Final = 64
_KINDS_KEPT: Final = 256


def judge_content(
    entry: Entry,
    rules: Rules,
    identity: Identity,
    operation: Operation,
    was: Tree,
    now: Tree,
    parse: Parser = read_json,
) -> list[Violation]:
    """Violations of the held metadata and all content between `was` (UNKNOWN on CREATE) and `now`.

    `parse` reads documents inside strings.
    """
    if was is not UNKNOWN and not concerned(entry.metadata, was, now):
        return []
    found = list(findings(entry.object, was, now, parse=parse))
    delegations = delegations_for(entry.policy, entry.ref, rules, identity, operation) if found else []
    return [from_finding(one) for one in found if not _permitted(one, entry, rules, identity, delegations)]


def delegations_for(
    policy: Policy, ref: ObjectRef, rules: Rules, identity: Identity, operation: Operation, *, declared: bool = True
) -> list[Delegation]:
    """Delegations that hold for this identity, object and operation; `declared`: whether Git declares the object."""
    return [
        delegation
        for delegations in (policy.delegate, rules.delegations)
        for delegation in _concerning(delegations)(ref.group, ref.kind)
        if operation in (delegation.operations or ("UPDATE",))
        and not (declared and delegation.undeclared_only)
        and is_named(delegation, ref)
        and is_one_of(identity, delegation.to)
    ]


@kept(_RULES_KEPT)
def _concerning(delegations: tuple[Delegation, ...]) -> Callable[[str, str], tuple[Delegation, ...]]:
    """Those of a kind, of which the answer is kept in its turn."""

    def of_kind(group: str, kind: str) -> tuple[Delegation, ...]:
        return tuple([one for one in delegations if any_kind(one.kinds, group, kind)])

    return lru_cache(_KINDS_KEPT)(of_kind)


def _permitted(finding: Finding, entry: Entry, rules: Rules, identity: Identity, delegations: list[Delegation]) -> bool:
    if delegations and _delegated(finding, delegations):
        return True
    verdict = finding.verdict
    if verdict in ("extra", "masked") and all_free(changed_leaves(finding), rules.free_template_keys):
        return (
            True  # `kubectl rollout restart` writes a free annotation of the Pod template, maybe with the map around it
        )
    if verdict == "masked":
        return finding.mask is not None and _mask_permits(finding, finding.mask, entry, identity)
    return (
        _outside_policy(finding, entry, rules)
        or _in_range(finding, entry, identity)
        or _taken_out(finding, entry, identity)
        or _left_out(finding, entry, identity)
    )


def _mask_permits(finding: Finding, mask: Mask, entry: Entry, identity: Identity) -> bool:
    """The named writers; anyone where the server makes the value: on CREATE, in a container that is new, on request."""
    if finding.was is UNKNOWN or finding.fresh or entry.policy.fragment or is_one_of(identity, mask.to):
        return True
    if mask.allocated and ABSENT in (finding.was, finding.now):
        return True
    writer = named_writer(identity, entry.policy.writers)
    if writer is None:
        return False
    # `rules: []` of an aggregated role in Git: its tool sends the empty list each time, and the controller fills it.
    emptied = isinstance(finding.was, list) and blank(finding.now, Blank.EMPTY) and writer.verify == "Content"
    # A rule that names nobody hides what comes out differently with each write, so with those of Git's own writers too.
    # Nobody can verify such a value; what the server makes anew even of a dry-run comes with a tenant's writes as well.
    return emptied or (not mask.to and (has_real_token(identity) or mask.rule == VOLATILE))


def _outside_policy(finding: Finding, entry: Entry, rules: Rules) -> bool:
    """Paths that the policy or the form's confidence leaves unguarded."""
    policy, extra = entry.policy, finding.verdict == "extra"
    if extra and not finding.whole and (policy.fragment or _is_open(finding, entry, rules)):
        return True
    if finding.filled and policy.fragment:
        return True
    # Whatever the form: no server writes into the documents inside strings.
    if entry.object.confidence != "offline" or finding.inside is not None or not (extra or finding.filled):
        return False
    if finding.filled and finding.was is not UNKNOWN:
        # Servers put their defaults into whatever they store: one of another version has no such default.
        return finding.was is ABSENT and finding.now is ABSENT
    # An unconfirmed form knows no defaults: what was there may be one, so only what is newly added counts.
    return finding.was is UNKNOWN or finding.fresh or not adds(finding.was, finding.now)


def _is_open(finding: Finding, entry: Entry, rules: Rules) -> bool:
    if entry.policy.undeclared != "Allow":
        return False
    if finding.inside is not None and finding.inside.closed:
        return False
    return not covered(finding.path, closed_paths(rules, entry.ref.group, entry.ref.kind))


def _in_range(finding: Finding, entry: Entry, identity: Identity) -> bool:
    """An autoscaler that Git declares for this target moves replicas between its bounds."""
    ranges = [one for one in entry.object.ranges if finding.path == one.path and one.admits(finding.now)]
    return bool(ranges) and any(is_one_of(identity, one.to) for one in ranges)


def _taken_out(finding: Finding, entry: Entry, identity: Identity) -> bool:
    """A writer verified by content removes extras also piece by piece."""
    if finding.verdict != "extra" or finding.whole or not shrinks(finding.was, finding.now):
        return False
    writer = named_writer(identity, entry.policy.writers)
    return writer is not None and writer.verify == "Content"


def _left_out(finding: Finding, entry: Entry, identity: Identity) -> bool:
    """A controller that writes a custom resource back leaves out what is false, 0 or "" to it: so does the report."""
    zero = finding.now is ABSENT and finding.want is not ABSENT and blank(finding.want, Blank.ZERO)
    return zero and is_controller(identity) and entry.object.semantics.zero_is_absent(finding.path) is not None


def _delegated(finding: Finding, delegations: list[Delegation]) -> bool:
    patterns = [pattern for delegation in delegations for pattern in delegation.paths]
    return all(covered(leaf, patterns) for leaf in changed_leaves(finding))


def all_free(leaves: Iterable[Path], keys: tuple[str, ...]) -> bool:
    """True if every leaf is an annotation or label of a template with one of `keys`."""
    return all(
        len(leaf) >= 4 and leaf[-1] in keys and leaf[-3] == "metadata" and leaf[-2] in ("annotations", "labels")
        for leaf in leaves
    )
