"""Owns the state store as the API asks for it. Must not decide who may see what, nor make anything of what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.model.ref import ObjectRef
from reconciler.policy.grant import Grant
from reconciler.report.days import Day
from reconciler.report.line import Line
from reconciler.report.moment import Moments
from reconciler.report.query import Matching, Query
from reconciler.report.resource import Wanted
from reconciler.report.unmanaged import Unmanaged
from reconciler.store import (
    blind,
    days,
    decisions,
    deliveries,
    findings,
    grants,
    guarded,
    history,
    in_sync,
    moments,
    namespaces,
    over,
    sources,
    totals,
    unmanaged,
    version,
)
from reconciler.store import query as queries
from reconciler.store.blind import REGISTERED
from reconciler.store.state import State
from reconciler.store.watched import read_watch
from setscrew.declared import NOTHING_PUBLISHED, Declared
from webhook.api.ports import Blindness, Measures, Observed


@dataclass(frozen=True, slots=True)
class StoredState:
    """The state store as `webhook.api.ports.ApiState` asks for it, and beside it what Git declares, where that is."""

    state: State
    declared: Declared | None = None

    def findings(self, filters: Mapping[str, str], limit: int) -> tuple[list[dict[str, Any]], int, dict[str, int]]:
        """See ApiState."""
        return findings.read_findings(self.state, filters, limit)

    def namespaces(self) -> dict[str, dict[str, str]]:
        """See ApiState."""
        return namespaces.read_namespaces(self.state)

    def finding(self, identity: str) -> dict[str, Any] | None:
        """See ApiState."""
        return findings.read_finding(self.state, identity)

    def matching(self, query: Query) -> Matching:
        """See ApiState."""
        labels = namespaces.read_namespaces(self.state) if query.labels else {}
        return queries.read_matching(self.state, query, labels)

    def lines(self, scope: frozenset[str] | None = None) -> list[Line]:
        """See ApiState."""
        return queries.read_lines(self.state, scope)

    def in_sync(self, query: Query) -> Matching:
        """See ApiState."""
        return in_sync.read_in_sync(self.state, query, namespaces.read_namespaces(self.state) if query.labels else {})

    def denials(self, since: str, scope: frozenset[str] | None = None) -> list[tuple[str, str, str, int]]:
        """See ApiState."""
        return queries.count_denials(self.state, since, scope)

    def counts(self) -> list[tuple[str, str, str, str, int]]:
        """See ApiState."""
        return findings.count_findings(self.state)

    def measures(self, now: datetime) -> Measures:
        """See ApiState."""
        found = tuple(totals.count_by_labels(self.state))
        return Measures(found, totals.read_totals(self.state), totals.grants_in_force(self.state, now.timestamp()))

    def observed(self) -> Observed:
        """See ApiState."""
        last, watch = findings.last_pass(self.state), read_watch(self.state)
        about = (last.hidden, last.expired, last.problems, watch.current_at, watch.unwatched)
        return Observed(last.observed_at, last.snapshot, last.managed, *about)

    def sources(self) -> list[dict[str, Any]]:
        """See ApiState."""
        return sources.read_sources(self.state)

    def decisions(self, filters: Mapping[str, str], limit: int, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """See ApiState."""
        return decisions.read_decisions(self.state, filters, limit, offset=offset)

    def guarded(self, filters: Mapping[str, str], limit: int) -> tuple[list[dict[str, Any]], int]:
        """See ApiState."""
        return guarded.read_guarded(self.state, filters, limit)

    def blindness(self, limit: int) -> Blindness:
        """See ApiState."""
        spans, total = blind.read_blind(self.state, limit)
        slipped, slipped_total = blind.read_slipped(self.state, limit)
        return Blindness(tuple(spans), total, tuple(slipped), slipped_total, blind.read_watches(self.state))

    def history(self, identity: str) -> list[dict[str, Any]]:
        """See ApiState."""
        return history.read_history(self.state, identity)

    def over(self, identity: str) -> dict[str, Any] | None:
        """See ApiState."""
        return over.read_over(self.state, identity)

    def fights(self, since: str, limit: int) -> list[dict[str, Any]]:
        """See ApiState."""
        return over.read_fights(self.state, since, limit)

    def days(self, until: str, scope: frozenset[str] | None = None) -> list[Day]:
        """See ApiState."""
        return days.read_days(self.state, until, scope=scope)

    def days_by_namespace(self, until: str, scope: frozenset[str] | None = None) -> dict[str, list[Day]]:
        """See ApiState."""
        return days.read_days_by_namespace(self.state, until, scope=scope)

    def unmanaged(self) -> Unmanaged:
        """See ApiState."""
        return unmanaged.read_unmanaged(self.state)

    def wanted(self, ref: ObjectRef) -> Wanted:
        """See ApiState."""
        return self.declared.find(ref) if self.declared is not None else NOTHING_PUBLISHED

    def kubernetes(self) -> str:
        """See ApiState."""
        return version.read_version(self.state)

    def epoch(self) -> str:
        """See ApiState."""
        return moments.read_epoch(self.state)

    def moments(self, after: int, limit: int) -> Moments:
        """See ApiState."""
        return moments.read_moments(self.state, after, limit)

    def grants(self) -> list[Grant]:
        """See ApiState."""
        return grants.read_grants(self.state)

    def registration(self) -> dict[str, Any]:
        """See ApiState."""
        return blind.read_watch(self.state, REGISTERED)

    def seen(self, receiver: str, delivery: str) -> bool:
        """See ApiState."""
        return deliveries.seen_delivery(self.state, receiver, delivery)

    def note(self, receiver: str, delivery: str, result: str, now: datetime) -> None:
        """See ApiState."""
        deliveries.note_delivery(self.state, receiver, delivery, result, now)
