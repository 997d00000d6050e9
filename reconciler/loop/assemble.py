"""Owns the step from rendered objects of all sources to entries of a snapshot. Pure: edges hand everything in."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from reconciler.canonical.autoscale import widen
from reconciler.canonical.engine import Context, UnknownKindError, canonicalize, located, manifest
from reconciler.canonical.form import CanonicalObject
from reconciler.loop.generated import with_first, without_generated
from reconciler.model.objects import RenderedObject
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import child
from reconciler.policy.model import Policy, Rules, ScalerRule
from reconciler.policy.select import any_kind, policies_for
from reconciler.snapshot.model import Entry

_SHOWN: Final = 5
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
    """All declared objects by ref, in the order of sources and files; `problems` name what was left out, and why."""

    objects: Mapping[ObjectRef, Declared] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    scalers: tuple[ScalerRule, ...] = ()

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
    sources: Iterable[tuple[Context, Iterable[RenderedObject]]], rules: Rules, before: Assembly | None = None
) -> Assembly:
    """Canonicalize the objects of each source in turn. Of two that declare one object, the earlier keeps it.

    `before` was made with the same catalog and secret key: what is written as it was keeps its form.
    """
    known = before.objects if before is not None else {}
    objects: dict[ObjectRef, Declared] = {}
    problems: list[str] = []
    tied: dict[tuple[str, ...], ObjectRef] = {}
    for context, rendered in sources:
        for one in rendered:
            declared, problem = _declare(one, context, rules, known)
            if declared is None:
                problems.append(problem)
            elif (first := objects.get(declared.ref)) is not None:
                problems.append(_twice(first, declared))
            else:
                objects[declared.ref] = declared
                tied.setdefault((declared.policy.name, *declared.rivals), declared.ref)
    problems += [_tie(names, ref) for names, ref in tied.items() if len(names) > 1]
    problems += [_not_stored(one.form) for one in objects.values() if one.form.dropped]
    return Assembly(objects, tuple(problems), rules.scalers)


def carried(
    entries: Iterable[Entry], sources: Collection[str], declared: Mapping[ObjectRef, Declared]
) -> tuple[Entry, ...]:
    """Entries of `sources`, less those that another source has come to declare."""
    return tuple(entry for entry in entries if entry.source in sources and entry.object.ref not in declared)


def _declare(
    one: RenderedObject, context: Context, rules: Rules, known: Mapping[ObjectRef, Declared]
) -> tuple[Declared | None, str]:
    try:
        settled, kind = located(one, context)
    except UnknownKindError as error:
        return None, str(error)
    if any_kind(rules.never_guarded, settled.ref.group, settled.ref.kind):
        return None, f"{settled.ref}: objects of this kind are never guarded (neverGuarded), so it is left out"
    written = hashlib.sha256(_BYTES([settled.tree, settled.generated])).digest()
    before = known.get(settled.ref)
    if before is not None and before.written == written:
        form, key = replace(before.form, provenance=one.provenance), before.key
    else:
        form, key = canonicalize(settled, context), _key(settled)
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


def _key(settled: RenderedObject) -> str:
    said = replace(settled, tree=without_generated(settled.tree, settled.generated))
    return hashlib.sha256(_BYTES([settled.ref, manifest(said), settled.generated])).hexdigest()


def _not_stored(form: CanonicalObject) -> str:
    """Not drift, since no server could store it; but somebody may have taken the field out of its definition."""
    shown = ", ".join(".".join(path) for path in list(form.dropped)[:_SHOWN])
    more = f" and {len(form.dropped) - _SHOWN} more" if len(form.dropped) > _SHOWN else ""
    return f"{form.ref}: {shown}{more}: no such field in the schema, so what Git declares there is not stored"


def _tie(names: tuple[str, ...], ref: ObjectRef) -> str:
    others = ", ".join(names[1:])
    return f"DriftPolicy {names[0]} has the same priority as {others} for {ref}: the stricter one, {names[0]}, applies"


def _twice(first: Declared, second: Declared) -> str:
    places = [f"{one.rendered.provenance.source}:{one.rendered.provenance.place}" for one in (first, second)]
    return f"{first.ref} is declared twice: {places[0]} keeps it, {places[1]} is left out"
