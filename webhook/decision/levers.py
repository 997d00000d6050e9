"""Owns the guard's own levers: who may change GitSource, DriftPolicy and DriftGrant, their status, their definitions.

Whoever could suspend a source or set a policy to Audit by hand would need no other way around the guard; nor would
whoever could take their definitions away. Must not judge the fields of a lever that Git declares: they are content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from reconciler.canonical.volatile import live_form
from reconciler.compare.equal import same
from reconciler.compare.leaves import covered, leaves_between, shrinks
from reconciler.errors import UsageError
from reconciler.model.own import GRANTORS, GROUP, INSTALLERS, LEVERS, NAMESPACE, RECONCILER_ACCOUNT
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, child, dig
from reconciler.policy.exclusive import is_named
from reconciler.policy.granting import KIND as GRANT
from reconciler.policy.granting import is_subject, username
from reconciler.policy.model import Match, Policy, Subject
from reconciler.policy.reader import subject
from reconciler.policy.select import any_kind, policy_for
from reconciler.snapshot.model import Entry
from webhook.decision.answer import admit, admit_unlisted, allow, refuse_lever
from webhook.decision.definitions import no_longer_served
from webhook.decision.deletion import DEFINITIONS
from webhook.decision.identity import GARBAGE_COLLECTOR, is_one_of, named_writer
from webhook.decision.types import Decision, Request
from webhook.decision.verdict import Verdict

_INSTALLERS: Final = (Subject(group=INSTALLERS),)
_GRANTORS: Final = (Subject(group=GRANTORS),)
_OURSELVES: Final = (Subject(service_account=f"{NAMESPACE}/{RECONCILER_ACCOUNT}"),)
# A lever is never unguarded: this holds where no policy of the snapshot says anything of it.
_NO_POLICY: Final = Policy("own-levers", failure_policy="Fail")
_SHOWN: Final = 3
_PAGE: Final = "docs/operations/emergency.md"


@dataclass(frozen=True, slots=True)
class Lever:
    """The lever that a request is about. `definition`: what is changed is the definition of all of its kind."""

    verdict: Verdict
    kind: str
    entry: Entry | None
    definition: bool

    @property
    def ref(self) -> ObjectRef:
        """The object itself, as denials and grants name it."""
        request = self.verdict.request
        return ObjectRef(request.group, request.kind, "", self.verdict.name)

    def policies(self) -> list[Policy]:
        """All policies that are for this lever by the name of its kind: one for everything makes nobody its writer."""
        lever, entry = ObjectRef(GROUP, self.kind, "", self.verdict.name), self.entry
        labels = child(entry.metadata, "labels") if entry is not None else ABSENT
        placed = lever, entry.source if entry is not None else "", labels if isinstance(labels, dict) else {}
        found = ((one, _by_name(one.match)) for one in self.verdict.snapshot.rules.policies)
        return [one for one, match in found if match and policy_for((replace(one, match=match),), *placed)]


def lever_of(verdict: Verdict, entry: Entry | None) -> Lever | None:
    """Which of our own kinds a request touches, in itself or by ending its definition; None: it touches none.

    Of the grants only those count that name a lever, and none for grants: nobody prolongs his own.
    """
    kind = _kind(verdict.request, verdict.name)
    if not kind:
        return None
    named = (one for one in verdict.grants if _names_levers(one.scope.refs, one.scope.kinds))
    grants = () if kind == GRANT else tuple(named)
    return Lever(replace(verdict, grants=grants), kind, entry, verdict.request.group != GROUP)


def decide_lever(lever: Lever) -> Decision | None:
    """Answer a write to a lever; None: Git declares it, and it is judged like anything that Git declares."""
    verdict, entry = lever.verdict, lever.entry
    request = verdict.request
    if request.subresource == "status":
        return _status(lever)
    if request.subresource:
        return allow("not-configuration")
    if entry is None and request.operation == "DELETE" and _is_terminating(request):
        return admit_unlisted(verdict, "terminating")
    was, now = (_form(tree, verdict.snapshot.secret_key) for tree in (request.old, request.object))
    if entry is None and request.operation == "UPDATE" and same(was, now):
        return admit_unlisted(verdict, "unchanged")
    if entry is None and _is_let_go(request, was, now):
        return admit_unlisted(verdict, "system-controller")
    policies = lever.policies()
    installs = _installs(lever, policies)
    if not installs and (_grants(lever) or _is_delegated(lever, policies, was, now)):
        why = _not_for_grantors(request) if lever.kind == GRANT else ""
        return _refused(lever, policies, why) if why else _admitted(lever, policies)
    if installs:
        return _admitted(lever, policies)
    return None if entry is not None else _refused(lever, policies)


def _kind(request: Request, name: str) -> str:
    if request.group == GROUP:
        return LEVERS.get(request.resource, "")
    if (request.group, request.resource) != DEFINITIONS:
        return ""
    plural, _, group = name.partition(".")
    ends = request.operation == "DELETE" or no_longer_served(request)
    return LEVERS.get(plural, "") if ends and group == GROUP else ""


def _status(lever: Lever) -> Decision:
    """The status of a lever says what the guard does: nobody else says so."""
    if is_one_of(lever.verdict.request.identity, (*_OURSELVES, *_INSTALLERS)):
        return allow("not-configuration")
    return _refused(lever, lever.policies(), "its status is what Setscrew itself says of it")


def _is_terminating(request: Request) -> bool:
    return dig(request.old, "metadata", "deletionTimestamp") not in (ABSENT, None)


def _is_let_go(request: Request, was: Mapping[str, Tree], now: Mapping[str, Tree]) -> bool:
    """True where the garbage collector takes its finalizer from one that is going: somebody deleted it by right."""
    if not (_is_terminating(request) and is_one_of(request.identity, GARBAGE_COLLECTOR)):
        return False
    before, after = (child(tree, "metadata") for tree in (was, now))
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return False
    before, after = dict(before), dict(after)
    return shrinks(before.pop("finalizers", []), after.pop("finalizers", [])) and same(
        {**was, "metadata": before}, {**now, "metadata": after}
    )


def _installs(lever: Lever, policies: Sequence[Policy]) -> bool:
    """True for those who may change every lever in reach of a policy: installers, and writers whom nobody verifies."""
    identity = lever.verdict.request.identity
    unverified = (writer for one in policies for writer in one.writers if writer.verify == "None")
    return is_one_of(identity, _INSTALLERS) or named_writer(identity, unverified) is not None


def _grants(lever: Lever) -> bool:
    return lever.kind == GRANT and not lever.definition and is_one_of(lever.verdict.request.identity, _GRANTORS)


def _is_delegated(lever: Lever, policies: Sequence[Policy], was: Tree, now: Tree) -> bool:
    """True if policies let this identity do just that: the whole operation, or each leaf that an update changes."""
    request, ref = lever.verdict.request, ObjectRef(GROUP, lever.kind, "", lever.verdict.name)
    if lever.definition:
        return False
    paths: list[str] = []
    for one in (delegation for policy in policies for delegation in policy.delegate):
        named = any_kind(one.kinds, GROUP, lever.kind) and is_named(one, ref)
        held = one.undeclared_only and lever.entry is not None
        asked = request.operation in (one.operations or ("UPDATE",))
        if named and asked and not held and is_one_of(request.identity, one.to):
            if request.operation != "UPDATE":
                return True
            paths += one.paths
    return bool(paths) and all(covered(leaf, paths) for leaf in leaves_between((), was, now))


def _not_for_grantors(request: Request) -> str:
    """Why a grant is not one that a mere grantor may write; "" where it is."""
    if request.operation == "DELETE":
        return ""
    for tree in (request.old, request.object):
        if _is_for(request, dig(tree, "spec", "subjects")):
            return "nobody grants himself: you are a subject of it, by name or by a group"
    scope = dig(request.object, "spec", "scope")
    if _names_levers(_words(scope, "refs"), _words(scope, "kinds")):
        return "it would cover what steers the guard itself, which only an installer may grant"
    return ""


def _is_for(request: Request, subjects: Tree) -> bool:
    """True if the requester is among these subjects; one that cannot be read may be anybody."""
    try:
        found = tuple(subject(one, "subjects") for one in subjects) if isinstance(subjects, list) else ()
    except UsageError:
        return True
    identity = request.identity
    groups = {group.casefold() for group in identity.groups}
    return is_subject(identity.username, found) or any(
        is_one_of(identity, (one,), token=False) or (bool(one.group) and username(one).casefold() in groups)
        for one in found
    )


def _names_levers(refs: Iterable[str], kinds: Iterable[str]) -> bool:
    """True for a scope that spells our own group: one for everything is for everything but the guard itself."""
    return any(GROUP in pattern for pattern in (*refs, *kinds))


def _words(tree: Tree, key: str) -> list[str]:
    found = child(tree, key)
    return [str(one) for one in found] if isinstance(found, list) else []


def _by_name(match: Iterable[Match]) -> tuple[Match, ...]:
    return tuple(one for one in match if any(kind.startswith(f"{GROUP}/") for kind in one.kinds))


def _admitted(lever: Lever, policies: Sequence[Policy]) -> Decision:
    if lever.entry is not None:
        return admit(lever.verdict, lever.entry, "writer-recorded")
    return admit_unlisted(lever.verdict, "writer-recorded", _first(policies))


def _refused(lever: Lever, policies: Sequence[Policy], why: str = "") -> Decision:
    """`why`: what neither a grant nor a look at Git could make right."""
    policy, final = _first(policies), bool(why)
    reason = why or "it steers the guard itself, and no source declares it"
    lines = (reason, *_way_out(lever, policies, named=final))
    verdict = replace(lever.verdict, grants=()) if final else lever.verdict
    serving = () if final else policies
    return refuse_lever(verdict, lever.ref, policy, serving, lines, grantable=lever.kind != GRANT and not final)


def _first(policies: Sequence[Policy]) -> Policy:
    """The policy that says what becomes of a refusal: they stand with the highest priority first."""
    highest = [one for one in policies if one.priority == policies[0].priority]
    return min(highest, key=lambda one: (("Deny", "Warn", "Audit").index(one.action), one.name), default=_NO_POLICY)


def _way_out(lever: Lever, policies: Sequence[Policy], *, named: bool) -> Iterator[str]:
    """Who may, and what to do where nobody of them is at hand."""
    unverified = (writer for one in policies for writer in one.writers if writer.verify == "None")
    subjects = list(dict.fromkeys(username(one) for writer in unverified for one in writer.subjects))
    shown = ", ".join(subjects[:_SHOWN]) + (" …" if len(subjects) > _SHOWN else "")
    grantors = f", for grants also the group {GRANTORS}" if lever.kind == GRANT and not lever.definition else ""
    by_policy = f"by policy: {shown or 'nobody'}"
    yield f"Who may: Git, by a source that declares it; the group {INSTALLERS}{grantors}; {by_policy}."
    asked = "ask one of them" if named else "declare it in Git, or act as an installer"
    yield f"What to do: {asked}. Where nobody can: {_PAGE}; `setscrew register --remove` is the off-switch."


def _form(tree: Tree, secret_key: bytes) -> Mapping[str, Tree]:
    """What counts of a lever: all but the labels and annotations that steer nobody."""
    if not isinstance(tree, dict):
        return {}
    form = live_form(tree, secret_key)
    metadata = form.get("metadata", {})
    kept = {name: value for name, value in metadata.items() if name not in ("labels", "annotations")}
    steering = [
        (field, key, value)
        for field in ("annotations", "labels")
        for found in (metadata.get(field),)
        for key, value in (found.items() if isinstance(found, dict) else ())
        if key.partition("/")[0] == GROUP
    ]
    return {**form, "metadata": kept, "steering": steering}
