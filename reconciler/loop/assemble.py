"""Owns the step from rendered objects of all sources to entries of a snapshot. Pure: edges hand everything in."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from itertools import chain
from typing import Final

import msgspec

from reconciler.canonical.autoscale import widen
from reconciler.canonical.engine import Context, UnknownKindError, canonicalize, located, manifest
from reconciler.canonical.form import CanonicalObject
from reconciler.loop.generated import with_first, without_generated
from reconciler.loop.owners import Owners
from reconciler.model.objects import RenderedObject
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree, child
from reconciler.policy.model import Policy, Rules, ScalerRule
from reconciler.policy.occasion import settled
from reconciler.policy.select import any_kind, policies_for
from reconciler.snapshot.model import Entry

_SHOWN: Final = 5
_NOBODY: Final = Owners()
_NO_SCOPE: Final = "-"
_BYTES = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Declared:
    """One object that a source declares: as sent by a client (`manifest`, with Secrets in clear), and its offline form.

    `key` changes with what the manifest says (not with values that each render makes anew) and with nothing else:
    server forms are kept under it. `written` is a digest of all of the object that its offline form is made of.
    `rivals` are policies of the same priority that match as well.
    """

    rendered: RenderedObject
    kind: KindInfo
    form: CanonicalObject
    policy: Policy
    key: str
    written: bytes
    rivals: tuple[str, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        """Identity with the namespace settled."""
        return self.form.ref


@dataclass(frozen=True, slots=True)
class Assembly:
    """All declared objects by ref, in the order of sources and files; `problems` name what was left out, and why.

    `rules` are those that hold for just these objects.
    """

    objects: Mapping[ObjectRef, Declared] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    scalers: tuple[ScalerRule, ...] = ()
    rules: Rules = field(default_factory=partial(Rules, ()))
    declared: tuple[Declared, ...] = field(init=False)

    def __post_init__(self) -> None:
        # One collection for all who ask: at rest nobody looks through it again.
        object.__setattr__(self, "declared", tuple(self.objects.values()))

    @property
    def versions(self) -> frozenset[str]:
        """In which API versions they are declared."""
        return frozenset(one.kind.api_version for one in self.objects.values())

    def entries(
        self, forms: Mapping[str, CanonicalObject], reasons: Mapping[str, str], before: Iterable[Entry] = ()
    ) -> tuple[Entry, ...]:
        """Entries for a snapshot: the confirmed form where there is one, else the offline form, with its reason.

        An autoscaler that any source declares widens the replicas that any source declares for its target. Generated
        values are those of `before`, the entries of the snapshot before.
        """
        first = {entry.object.ref: entry.object for entry in before}
        chosen = [
            with_first(
                replace(self._placed(one, forms.get(one.key)) or one.form, reason=reasons.get(one.key, "")),
                first.get(one.ref),
            )
            for one in self.objects.values()
        ]
        return tuple(
            Entry(form, one.policy)
            for form, one in zip(widen(chosen, self.scalers), self.objects.values(), strict=True)
        )

    @staticmethod
    def _placed(one: Declared, form: CanonicalObject | None) -> CanonicalObject | None:
        """A confirmed form outlives revisions; its provenance and what an autoscaler may do to it do not."""
        return None if form is None else replace(form, provenance=one.form.provenance, ranges=())


def assemble(
    sources: Iterable[tuple[Context, Iterable[RenderedObject]]],
    rules: Rules,
    before: Assembly | None = None,
    owners: Owners = _NOBODY,
    others: Iterable[Tree] = (),
) -> Assembly:
    """Canonicalize the objects of each source in turn. Of two that declare one object, `owners` say who keeps it.

    `before` was made with the same catalog and secret key: what is written as it was keeps its form. `others` are
    declared as well, by sources that are not among these.
    """
    sources = [(context, tuple(rendered)) for context, rendered in sources]
    rules = settled(rules, chain((one.tree for _, rendered in sources for one in rendered), others))
    known = before.objects if before is not None else {}
    objects: dict[ObjectRef, Declared] = {}
    problems = list[str]()
    tied: dict[tuple[str, ...], ObjectRef] = {}
    scope_of = lru_cache(partial(_scope, rules))
    for context, rendered in sources:
        for one in rendered:
            declared, problem = _declare(one, context, rules, known, scope_of(one.provenance.source))
            if declared is None:
                problems.append(problem)
            elif (first := objects.get(declared.ref)) is not None:
                theirs = owners.prefer(declared.ref, first.form.provenance.source, declared.form.provenance.source)
                kept, left = (declared, first) if theirs else (first, declared)
                objects[declared.ref] = kept
                problems.append(_twice(kept, left))
            else:
                objects[declared.ref] = declared
                tied.setdefault((declared.policy.name, *declared.rivals), declared.ref)
    problems += [_tie(names, ref) for names, ref in tied.items() if len(names) > 1]
    problems += [_not_stored(one.form) for one in objects.values() if one.form.dropped]
    problems += [_outdated(one.rendered) for one in objects.values() if one.rendered.written_as]
    return Assembly(objects, tuple(problems), rules.scalers, rules)


def carried(entries: Iterable[Entry], sources: Collection[str], assembly: Assembly) -> tuple[Entry, ...]:
    """Entries of `sources` by the policies of today, less those that another source has come to declare.

    On whose word a form was taken stays as it was: until it is asked for anew, it may hold what nobody trusts any more.
    """
    kept = (one for one in entries if one.source in sources and one.object.ref not in assembly.objects)
    guarded = ((one, policy_of(one.object, assembly.rules)) for one in kept)
    return tuple(
        replace(one, policy=replace(policy, trusted_mutators=one.policy.trusted_mutators))
        for one, policy in guarded
        if policy is not None
    )


def _declare(
    one: RenderedObject, context: Context, rules: Rules, known: Mapping[ObjectRef, Declared], scope: str
) -> tuple[Declared | None, str]:
    try:
        settled, kind = located(one, context)
    except UnknownKindError as error:
        return None, str(error)
    if any_kind(rules.never_guarded, settled.ref.group, settled.ref.kind):
        return None, f"{settled.ref}: objects of this kind are never guarded (neverGuarded), so it is left out"
    written = hashlib.sha256(_BYTES([settled.tree, settled.generated, settled.written_as, scope])).digest()
    before = known.get(settled.ref)
    if before is not None and before.written == written:
        form, key = replace(before.form, provenance=one.provenance), before.key
    else:
        form, key = canonicalize(settled, context), _key(settled, scope)
    policies = _policies_of(form, rules)
    if not policies:
        return None, f"{form.ref}: no DriftPolicy matches, so it is not guarded"
    return Declared(settled, kind, form, policies[0], key, written, tuple(one.name for one in policies[1:])), ""


def policy_of(form: CanonicalObject, rules: Rules) -> Policy | None:
    """The policy of a declared object, by its source and by its labels as Git declares them; None: unguarded."""
    return next(iter(_policies_of(form, rules)), None)


def _policies_of(form: CanonicalObject, rules: Rules) -> tuple[Policy, ...]:
    labels = child(form.want["metadata"], "labels")
    return policies_for(rules.policies, form.ref, form.provenance.source, labels if isinstance(labels, dict) else {})


def _scope(rules: Rules, source: str) -> str:
    """Stands for the rules that are for the objects of some sources only: the same object has another form there."""
    own = [rule for rule in rules.masks if any(fnmatchcase(source, pattern) for pattern in rule.sources)]
    return hashlib.sha256(_BYTES(own)).hexdigest() if own else _NO_SCOPE


def _key(settled: RenderedObject, scope: str) -> str:
    said = replace(settled, tree=without_generated(settled.tree, settled.generated))
    facts = [settled.ref, manifest(said), settled.generated]
    return hashlib.sha256(_BYTES(facts if scope == _NO_SCOPE else [*facts, scope])).hexdigest()


def _not_stored(form: CanonicalObject) -> str:
    """Not drift, since no server could store it; but somebody may have taken the field out of its definition."""
    shown = ", ".join(".".join(path) for path in list(form.dropped)[:_SHOWN])
    more = f" and {len(form.dropped) - _SHOWN} more" if len(form.dropped) > _SHOWN else ""
    return f"{form.ref}: {shown}{more}: no such field in the schema, so what Git declares there is not stored"


def _outdated(rendered: RenderedObject) -> str:
    return (
        f"{rendered.ref}: judged as {rendered.api_version}, but no longer served as Git has it: {rendered.written_as}"
    )


def _tie(names: tuple[str, ...], ref: ObjectRef) -> str:
    others = ", ".join(names[1:])
    return f"DriftPolicy {names[0]} has the same priority as {others} for {ref}: the stricter one, {names[0]}, applies"


def _twice(first: Declared, second: Declared) -> str:
    places = [f"{one.rendered.provenance.source}:{one.rendered.provenance.place}" for one in (first, second)]
    return f"{first.ref} is declared twice: {places[0]} keeps it, {places[1]} is left out"
