"""Owns the server's forms: under which state of the server each was taken, who still waits, when to ask again.

A form stays until a newer one is there; one that holds what nobody trusts is never taken. Must not publish.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Final

from reconciler.canonical.engine import Context, confirm
from reconciler.canonical.form import CanonicalObject
from reconciler.cluster.api import ApiClient
from reconciler.cluster.canonicalizer import ServerForm, canonical_forms
from reconciler.cluster.pace import DEFAULT, Rate
from reconciler.compare.unexplained import unexplained
from reconciler.limits import FORM_RETRY_SECONDS, FORM_RETRY_SECONDS_MOST
from reconciler.loop.assemble import Declared
from reconciler.loop.trust import Accused, Basis, Suspicion, View, accused, basis, mutating
from reconciler.model.ref import ObjectRef
from reconciler.snapshot.model import Entry

# No fingerprint: a form that an earlier process took is asked for anew, and holds until then.
_EARLIER: Final = ""


@dataclass(frozen=True, slots=True)
class _Held:
    """A server form, the fingerprint of the server that gave it, and on whose word it may hold mutations."""

    form: CanonicalObject
    state: str
    basis: Basis


@dataclass(slots=True)
class _Wait:
    """`token` is that of the cause when the wait was first looked at."""

    until: float
    seconds: float
    state: str
    cause: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class _Rest:
    """Nothing of these is due before `until`, as long as the server is seen so and nothing else becomes known."""

    declared: Collection[Declared]
    view: View
    until: float

    def holds(self, declared: Collection[Declared], view: View, now: float) -> bool:
        return declared is self.declared and view is self.view and now < self.until


@dataclass(slots=True)
class Forms:
    """Forms by the key of their manifest. `client` may only dry-run, at `rate`; `reader` may only read.

    Without a client the offline forms stay, and say so. `view` is what is known of the server; until it is given, every
    answer is taken.
    """

    client: ApiClient | None
    reader: ApiClient | None = None
    rate: Rate = DEFAULT
    view: View = field(default_factory=View)
    reasons: dict[str, str] = field(default_factory=dict)
    suspicions: dict[str, Suspicion] = field(default_factory=dict)
    _held: dict[str, _Held] = field(default_factory=dict)
    _waits: dict[str, _Wait] = field(default_factory=dict)
    # All objects are asked about each second, and at rest none is due.
    _rest: _Rest | None = None

    @property
    def confirmed(self) -> dict[str, CanonicalObject]:
        """The server forms in use, by key."""
        # Copied first: another thread may be taking forms.
        return {key: held.form for key, held in dict(self._held).items()}

    @property
    def causes(self) -> set[str]:
        """What refused objects wait for (`refusal.Refusal.cause`)."""
        return {wait.cause for wait in list(self._waits.values()) if wait.cause}

    @property
    def accused(self) -> list[Accused]:
        """Mutators whose effect on objects is not trusted."""
        return list(accused(list(self.suspicions.values()), self.view))

    def pending(self, declared: Collection[Declared], now: float) -> list[Declared]:
        """Objects without a form of the server as it is now whose next try is due; those without any form first.

        While nothing changes, the same collection is looked through again only when the first of them is due.
        """
        if self.client is None or (self._rest is not None and self._rest.holds(declared, self.view, now)):
            return []
        due = [one for one in declared if self._is_due(one, self.view.fingerprint(one), now)]
        until = min((wait.until for wait in self._waits.values()), default=inf)
        self._rest = None if due else _Rest(declared, self.view, until)
        return sorted(due, key=lambda one: one.key in self._held)

    def unasked(self, declared: Iterable[Declared]) -> list[Declared]:
        """Objects that the server has said nothing about yet, neither a form nor why not; none without a client."""
        known = self._held.keys() | self.reasons.keys()
        return [] if self.client is None else [one for one in declared if one.key not in known]

    def adopt(self, key: str, form: CanonicalObject, on: Basis) -> None:
        """Hold a form of an earlier process, taken on the word of `on`, until the server is asked anew."""
        self._rest = None
        self._held.setdefault(key, _Held(replace(form, reason=""), _EARLIER, on))

    def inherit(self, entries: Sequence[Entry], same: Collection[str], declared: Mapping[ObjectRef, Declared]) -> None:
        """Hold the server forms of the process before this one until all is asked anew: a restart weakens no guard.

        Only of sources that stand where they stood (`same`): then their objects are the same.
        """
        if self.client is None:
            return
        refs = mutating(entry.object.ref for entry in entries)
        for entry in entries:
            one = declared.get(entry.object.ref)
            if one is not None and one.rendered.provenance.source in same and entry.object.confidence == "server":
                self.adopt(one.key, entry.object, basis(entry.policy, refs))

    def note(self, tokens: Mapping[str, str]) -> None:
        """Tokens of causes as they are now: where one has changed since it was first seen, the wait is over."""
        self._rest = None
        for key, wait in list(self._waits.items()):
            token = tokens.get(wait.cause)
            if wait.token is None:
                wait.token = token
            elif token is not None and token != wait.token:
                self._waits.pop(key, None)

    def hold(self, pending: Iterable[Declared], reason: str, now: float) -> None:
        """Let these wait, because nothing can be asked at all."""
        for one in pending:
            self._refused(one, reason, "", now)

    def confirm(
        self,
        pending: list[Declared],
        contexts: Mapping[str, Context],
        now: float,
        unchanged: Callable[[], bool] = lambda: True,
    ) -> int:
        """Ask the server for each pending object; returns how many forms are new. Reasons are kept with the forms.

        `unchanged` is asked when all have answered: if the server has changed meanwhile, no answer counts.
        """
        if self.client is None or not pending:
            return 0
        by_identity = {id(one.rendered): one for one in pending}
        pairs = [(one.rendered, one.kind) for one in pending]
        answers = list(canonical_forms(self.client, pairs, rate=self.rate, reader=self.reader))
        if not unchanged():
            return 0
        found = ((by_identity[id(rendered)], answer) for rendered, answer in answers)
        return sum(self._take(one, answer, contexts[one.rendered.provenance.source], now) for one, answer in found)

    def forget(self, kept: Iterable[str]) -> None:
        """Drop what is known of manifests that no revision in use declares."""
        keep = set(kept)
        known: tuple[dict[str, Any], ...] = (self._held, self._waits, self.reasons, self.suspicions)
        for some in known:
            for key in some.keys() - keep:
                some.pop(key, None)

    def _is_due(self, one: Declared, state: str, now: float) -> bool:
        held, wait = self._held.get(one.key), self._waits.get(one.key)
        if held is not None and held.state == state:
            # The server may be again what it was when this form was taken.
            self._well(one.key)
            return False
        return wait is None or wait.state != state or wait.until <= now

    def _take(self, one: Declared, answer: ServerForm, context: Context, now: float) -> bool:
        """Whether the answer became the form of `one`."""
        if answer.tree is None:
            self._refused(one, answer.reason, answer.retryable_cause, now)
            self.suspicions.pop(one.key, None)
            return False
        suspicion = self._suspicion(one, answer, context)
        if suspicion is not None:
            self._refused(one, str(suspicion), "", now)
            self.suspicions[one.key] = suspicion
            return False
        form = confirm(one.form, answer.tree, answer.volatile, context)
        form = replace(form, notes=(*form.notes, *answer.warnings))
        self._held[one.key] = _Held(form, self.view.fingerprint(one), self.view.basis(one))
        self._well(one.key)
        return True

    def _suspicion(self, one: Declared, answer: ServerForm, context: Context) -> Suspicion | None:
        """What neither the offline form nor the form before explains, where somebody who is not trusted may act."""
        mutators = self.view.untrusted(one)
        if not mutators:
            return None
        strange = set(unexplained(one.form, answer.tree, context.secret_key)) - set(answer.volatile)
        held = self._held.get(one.key)
        if held is not None and held.basis <= self.view.basis(one):
            before = unexplained(held.form, answer.tree, context.secret_key)
            strange = {path for path in strange if any(_touch(path, other) for other in before)}
        return Suspicion(one.ref, mutators, tuple(sorted(strange))) if strange else None

    def _well(self, key: str) -> None:
        known: tuple[dict[str, Any], ...] = (self._waits, self.reasons, self.suspicions)
        for some in known:
            some.pop(key, None)

    def _refused(self, one: Declared, reason: str, cause: str, now: float) -> None:
        state, before = self.view.fingerprint(one), self._waits.get(one.key)
        again = before is not None and (before.state, before.cause) == (state, cause)
        seconds = min(before.seconds * 2, FORM_RETRY_SECONDS_MOST) if before and again else FORM_RETRY_SECONDS
        token = before.token if before and again else None
        self._waits[one.key] = _Wait(now + seconds, seconds, state, cause, token)
        self.reasons[one.key] = reason
        held = self._held.get(one.key)
        if held is not None and not held.basis <= self.view.basis(one):
            # It may hold what was wanted on the word of somebody who is trusted no longer.
            del self._held[one.key]


def _touch(one: str, other: str) -> bool:
    """Whether one place is, or lies within, the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
