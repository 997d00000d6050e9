"""Owns confirmed forms: which objects still wait for the server engine, when to try again. Must not publish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from reconciler.canonical.engine import Context, confirm
from reconciler.canonical.form import CanonicalObject
from reconciler.cluster.api import ApiClient
from reconciler.cluster.canonicalizer import canonical_forms
from reconciler.limits import FORM_RETRY_SECONDS, FORM_RETRY_SECONDS_MOST
from reconciler.loop.assemble import Declared


@dataclass(slots=True)
class _Wait:
    until: float
    seconds: float


@dataclass(slots=True)
class Forms:
    """Forms by the key of their manifest. `client` may only dry-run, `reader` may only read.

    Without a client the offline forms stay, and say so.
    """

    client: ApiClient | None
    reader: ApiClient | None = None
    confirmed: dict[str, CanonicalObject] = field(default_factory=dict)
    _waits: dict[str, _Wait] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def pending(self, declared: Iterable[Declared], now: float) -> list[Declared]:
        """Objects without a server form whose next try is due."""
        if self.client is None:
            return []
        wanted = [one for one in declared if one.key not in self.confirmed]
        return [one for one in wanted if (wait := self._waits.get(one.key)) is None or wait.until <= now]

    def retry_now(self) -> None:
        """The cluster has changed in a way that may have been the cause: try everything again."""
        self._waits.clear()

    def confirm(self, pending: list[Declared], contexts: Mapping[str, Context], now: float) -> int:
        """Ask the server for each pending object; returns how many forms are new. Reasons are kept with the forms."""
        if self.client is None or not pending:
            return 0
        by_identity: dict[int, Declared] = {id(one.rendered): one for one in pending}
        pairs = [(one.rendered, one.kind) for one in pending]
        new = 0
        for rendered, answer in canonical_forms(self.client, pairs, reader=self.reader):
            one = by_identity[id(rendered)]
            if answer.tree is None:
                self._wait(one, answer.reason, now)
                continue
            context = contexts[one.rendered.provenance.source]
            form = confirm(one.form, answer.tree, answer.volatile, context)
            self.confirmed[one.key] = replace(form, notes=(*form.notes, *answer.warnings))
            self._waits.pop(one.key, None)
            self.reasons.pop(one.key, None)
            new += 1
        return new

    def forget(self, kept: Iterable[str]) -> None:
        """Drop forms of manifests that no revision in use declares."""
        keep = set(kept)
        self.confirmed = {key: form for key, form in self.confirmed.items() if key in keep}
        self._waits = {key: wait for key, wait in self._waits.items() if key in keep}
        self.reasons = {key: reason for key, reason in self.reasons.items() if key in keep}

    def _wait(self, one: Declared, reason: str, now: float) -> None:
        before = self._waits.get(one.key)
        seconds = min(before.seconds * 2, FORM_RETRY_SECONDS_MOST) if before else FORM_RETRY_SECONDS
        self._waits[one.key] = _Wait(now + seconds, seconds)
        self.reasons[one.key] = reason
