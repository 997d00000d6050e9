"""Owns what rules about GPU classes make of a write that would be admitted although it is not what Git says.

What a revision may not bring in by Git, nobody brings in past it: an error of a rule refuses the write, by whatever
right it would have passed. What Git says is never judged here, its revision was. Must not hold or load a rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from reconciler.canonical.versions import converted
from reconciler.canonical.volatile import live_form
from reconciler.compare.comparison import findings
from reconciler.compare.equal import same
from reconciler.compare.mask import clean
from reconciler.compare.place import UNKNOWN
from reconciler.limits import DENIAL_MESSAGE_CHARS, DENIAL_PATHS, STRAY_CONFIG_BYTES
from reconciler.model.kept import kept
from reconciler.model.own import SERVICE_ACCOUNT
from reconciler.model.path import pointer, readable
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, dig
from reconciler.policy.controllers import CONTROLLERS
from reconciler.policy.model import GpuClass, Policy
from reconciler.policy.select import any_kind, policy_for
from reconciler.snapshot.model import Entry
from webhook.decision import message
from webhook.decision.blast import blast
from webhook.decision.identity import is_controller, named_writer
from webhook.decision.rulebook import Rulebook, Scope
from webhook.decision.rules import Handling
from webhook.decision.types import Cause, Code, Decision, Request
from webhook.decision.undeclared import content
from webhook.decision.verdict import Verdict

if TYPE_CHECKING:
    from reconciler.gpu.problem import Problem

_REFUSED: Final[frozenset[Code]] = frozenset(
    {"conforms", "fragment", "granted", "recorded", "system-controller", "unguarded", "unverified", "writer-recorded"}
)
_WARNED: Final[frozenset[Code]] = frozenset({"audited", "not-adopted", "warned"})
_JUDGED: Final = _REFUSED | _WARNED
# These may be what Git says.
_AS_GIT: Final[frozenset[Code]] = frozenset({"conforms", "fragment"})
# Nobody has judged yet what a writer ahead of us brings: it may come with changes of other objects.
_AHEAD: Final[frozenset[Code]] = frozenset({"unverified", "writer-recorded"})
# What the control plane makes of others' objects is theirs to mend. Of kube-system it is no more: operators live there.
_MACHINERY: Final = ("system:apiserver", "system:kube-", "system:node:")
_CONTROLLERS: Final = frozenset(SERVICE_ACCOUNT + one.replace("/", ":") for one in CONTROLLERS)
_NODE: Final = ("", "Node")
_SELECTING: Final = ("nvidia.com/mig.config", "nvidia.com/device-plugin.config")
_CONFIG_MAP: Final = ("", "ConfigMap")
# Without one of these words no ConfigMap configures GPUs, unless Git or an operator's policy says that it does.
_WORDS: Final = re.compile(r"mig-configs|timeSlicing|migStrategy|\bmps\b|gpu-config-profiles")
_RULES_KEPT: Final = 4
_KINDS_KEPT: Final = 256
_SHOWN: Final = 4
_WARNING_CHARS: Final = 250
_LINE_CHARS: Final = 1000
_FIX_CHARS: Final = 500


def held_to_rules(
    verdict: Verdict, entry: Entry | None, handling: Handling | None, decided: Decision, rulebook: Rulebook
) -> Decision:
    """`decided`, or what the errors of rules make of it: a refusal, or a warning where nothing is refused.

    `entry` is the object as Git declares it, if it does.
    """
    if not decided.allowed or decided.code not in _JUDGED or handling not in {"object", "metadata"}:
        return decided
    if not _concerns(verdict, entry) or (decided.code in _AS_GIT and entry and _as_git_says(verdict, entry)):
        return decided
    request = verdict.request
    ref = entry.ref if entry else ObjectRef(request.group, request.kind, request.namespace, verdict.name)
    errors = rulebook(verdict, ref, _scope(verdict, entry, decided))
    if not errors:
        return decided
    policy = entry.policy if entry else policy_for(verdict.snapshot.rules.policies, ref, "", {})
    if decided.code in _WARNED or not _enforced(verdict, entry, policy):
        return _warned(decided, errors)
    return _refused(verdict, entry, ref, policy, decided, errors)


def _concerns(verdict: Verdict, entry: Entry | None) -> bool:
    """True where the write may change what a GPU class is: of all others no more is looked at."""
    request = verdict.request
    if request.operation not in {"CREATE", "UPDATE"}:
        return False
    if not _defining(verdict.snapshot.rules.gpu_classes)(request.group, request.kind):
        return False
    if not isinstance(request.object, dict):
        return False  # what brings no object brings no class
    kind = request.group, request.kind
    name = request.identity.username
    if kind == _NODE:
        # A node must come, and its agents must go on, whatever label they put: only people pick among classes.
        return request.operation == "UPDATE" and not name.startswith("system:") and _selects(request)
    if name.startswith(_MACHINERY) or name in _CONTROLLERS:
        return False
    if kind == _CONFIG_MAP and not _configures(request.object, entry):
        return False
    return request.operation == "CREATE" or not same(content(request.old), content(request.object))


@kept(_RULES_KEPT)
def _defining(classes: tuple[GpuClass, ...]) -> Callable[[str, str], bool]:
    """Whether a kind defines a class: asked of each write that is admitted."""
    kinds = tuple(dict.fromkeys(kind for row in classes if row.effect != "none" for kind in row.kinds))
    return lru_cache(_KINDS_KEPT)(lambda group, kind: any_kind(kinds, group, kind))


def _selects(request: Request) -> bool:
    return any(
        dig(request.old, "metadata", "labels", key) != dig(request.object, "metadata", "labels", key)
        for key in _SELECTING
    )


def _configures(tree: Tree, entry: Entry | None) -> bool:
    """Whether a ConfigMap configures GPUs, or does so in Git. Of strays only small ones: anyone may fill large ones."""
    texts = _texts(tree)
    if entry is None:
        return sum(map(len, texts)) <= STRAY_CONFIG_BYTES and any(map(_WORDS.search, texts))
    return any(map(_WORDS.search, (*texts, *_texts(entry.object.want))))


def _texts(tree: Tree) -> list[str]:
    data = dig(tree, "data")
    return [one for one in data.values() if isinstance(one, str)] if isinstance(data, dict) else []


def _as_git_says(verdict: Verdict, entry: Entry) -> bool:
    """True where a writer was verified, or all that changes becomes what Git says or said lately."""
    request, snapshot = verdict.request, verdict.snapshot
    writer = named_writer(request.identity, entry.policy.writers)
    if writer is not None and writer.verify == "Content":
        return True
    states = (UNKNOWN if request.operation == "CREATE" else request.old), request.object
    was, now = (one if one is UNKNOWN else _in_version(entry, live_form(one, snapshot.secret_key)) for one in states)
    if was is None or now is None:
        return True
    said = [entry, *(one.entry for one in snapshot.earlier(request.group, request.resource, *_name(verdict)))]
    return any(
        all(found.verdict == "masked" for found in findings(one.object, was, now, parse=verdict.parse)) for one in said
    )


def _in_version(entry: Entry, tree: Tree) -> Tree | None:
    """In the version of Git; None where nobody knows how to say it so: then no content has changed."""
    version = f"{entry.ref.group}/{entry.version}".removeprefix("/")
    return tree if dig(tree, "apiVersion") == version else converted(tree, version)


def _name(verdict: Verdict) -> tuple[str, str]:
    return verdict.request.namespace, verdict.name


def _scope(verdict: Verdict, entry: Entry | None, decided: Decision) -> Scope:
    """What operators keep beside the objects of Git is their own affair, unless it takes something away from these."""
    if decided.code in _AHEAD:
        return "itself"
    return "others" if entry is None and is_controller(verdict.request.identity) else "all"


def _enforced(verdict: Verdict, entry: Entry | None, policy: Policy | None) -> bool:
    """False where nothing is refused: what is only watched, and what a policy is to warn of or record."""
    request = verdict.request
    beside = () if entry else verdict.snapshot.of_resource(request.group, request.resource).enforced
    return (entry.adopted if entry else bool(beside)) and (policy is None or policy.action == "Deny")


def _warned(decided: Decision, errors: Sequence[Problem]) -> Decision:
    lines = [f"Setscrew: {one.rule}: {one.message}; {one.fix}" for one in errors[:_SHOWN]]
    warnings = (*decided.warnings, *(clean(line, limit=_WARNING_CHARS) for line in lines))
    audit = {**decided.audit, "rules": _ids(errors)} if decided.audit else decided.audit
    return replace(decided, warnings=warnings, audit=audit)


def _ids(errors: Sequence[Problem]) -> str:
    return " ".join(sorted({one.rule for one in errors}))


def _refused(
    verdict: Verdict,
    entry: Entry | None,
    ref: ObjectRef,
    policy: Policy | None,
    decided: Decision,
    errors: Sequence[Problem],
) -> Decision:
    causes = tuple(_cause(one) for one in errors[:DENIAL_PATHS])
    audit = (
        message.audit(verdict, entry, "gpu-rule", causes)
        if entry
        else message.snapshot_audit(verdict, "gpu-rule", policy)
    )
    hit = blast(verdict, ref, entry.object.want) if entry else blast(verdict, ref)
    return Decision(
        allowed=False,
        code="gpu-rule",
        message=_words(verdict, ref, decided, errors, hit.lines),
        causes=causes,
        audit={**audit, **hit.audit, "rules": _ids(errors)},
        guarded=True,
        users=hit.lines,
    )


def _cause(error: Problem) -> Cause:
    place = clean(_place(error), limit=200)
    return Cause(
        field=place,
        pointer=clean(pointer(error.path, None), limit=500),
        verdict="rule",
        want="",
        now="",
        message=clean(f"{place}: {error.rule}: {error.message}; {error.fix}"),
        why=clean(f"{error.rule}: {error.message}", limit=300),
        path=error.path,
        embedded=clean(pointer(error.embedded, None), limit=500),
    )


def _place(error: Problem) -> str:
    """`spec.config[0]`, or `data[config.yaml].mig-configs.halves[0]`."""
    if not error.embedded:
        return readable(error.path)
    below = readable(error.embedded)
    return f"{readable(error.path[:-1])}[{error.path[-1]}]{'' if below.startswith('[') else '.'}{below}"


def _words(verdict: Verdict, ref: ObjectRef, decided: Decision, errors: Sequence[Problem], users: Sequence[str]) -> str:
    request = verdict.request
    who = clean(request.identity.username, limit=100) or "somebody without a name"
    verb = "create" if request.operation == "CREATE" else "change"
    head = f"{who} may not {verb} {clean(str(ref), limit=200)} so: by a rule about GPU classes it cannot work."
    body = [f"  {clean(_place(one), limit=200)}: {one.rule}: {one.message}" for one in errors[:_SHOWN]]
    body += [f"  … and {len(errors) - _SHOWN} more"] if len(errors) > _SHOWN else []
    tail = [f"What to do: {fix}." for fix in dict.fromkeys(one.fix for one in errors[:_SHOWN])]
    if decided.code == "granted":
        tail.append("A grant permits what differs from Git, not what cannot work.")
    tail.append(f"More: setscrew check on a file with it, and {errors[0].rule} in docs/reference/gpu-rules.md.")
    return _fitted([clean(head)], [*body, *users], [clean(line, limit=_FIX_CHARS) for line in tail])


def _fitted(head: Sequence[str], body: Sequence[str], tail: Sequence[str]) -> str:
    """As many lines of the body as leave room for the rest: no message is without its end, what to do."""
    room = DENIAL_MESSAGE_CHARS - len("\n".join([*head, *tail]))
    shown = list[str]()
    for line in (clean(one, limit=_LINE_CHARS) for one in body):
        room -= len(line) + 1
        shown += [line] if room >= 0 else []
    return "\n".join([*head, *shown, *tail])
