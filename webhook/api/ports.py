"""Owns what the API server is given from outside: the state it reads, the reconciler it pokes. No behaviour here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from reconciler.limits import API_STREAM_SECONDS, PUSH_BODY_BYTES
from reconciler.model.ref import ObjectRef
from reconciler.policy.grant import Grant
from reconciler.report.days import Day
from reconciler.report.line import Line
from reconciler.report.links import NO_HOSTS, GitHost
from reconciler.report.moment import Moments
from reconciler.report.query import Matching, Query
from reconciler.report.resource import Wanted
from reconciler.report.totals import Counted, Totals
from reconciler.report.unmanaged import Unmanaged
from webhook.api.access import Callers, Readers
from webhook.api.configuration import Receivers

Refresh = Callable[[str], None]
"""Asks the reconciler to look at one source now; returns at once. Raises OSError where it cannot be asked."""


@dataclass(frozen=True, slots=True)
class Observed:
    """The last full pass: when, which snapshot, and how many objects are guarded, by `Kind.group|source`.

    `current_at`: up to when changes since are known; `unwatched`: why those of some kinds are not.

    `hidden`: how many fields each named rule hid; `expired`: what is to be said of rules whose day has passed;
    `problems`: what of the desired state is left out or ambiguous.
    """

    observed_at: str = ""
    snapshot: str = ""
    managed: Mapping[str, int] = field(default_factory=dict)
    hidden: Mapping[str, int] = field(default_factory=dict)
    expired: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    current_at: str = ""
    unwatched: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Blindness:
    """When the guard did not see writes: spans, open and newest first, and how many are remembered.

    `slipped` are writes of guarded objects that went through unjudged, newest first, of `slipped_total`. `watches` say
    by name (`canary`, `failOpen`, `auditLog`) how each way to know of it stands.
    """

    spans: tuple[Mapping[str, Any], ...] = ()
    total: int = 0
    slipped: tuple[Mapping[str, Any], ...] = ()
    slipped_total: int = 0
    watches: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measures:
    """What only metrics ask for: findings by label, what was counted since ever, and how many grants hold."""

    findings: tuple[Counted, ...] = ()
    totals: Totals = field(default_factory=Totals)
    grants: int = 0


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """What the API server can be told. `now` reads the time; `token` guards everything but hooks and health.

    `receivers` may give other secrets from one call to the next, never other names. `metric_namespaces`: metrics of
    findings name namespaces. `readers`: further tokens, each for some namespaces. `callers`: who else may read, by
    the cluster's word. `git_hosts`: hosts of Git, by name,
    to whose pages is linked beside those that are known. `stream_seconds`: for how long a stream of events lasts.
    """

    token: bytes
    now: Callable[[], datetime]
    receivers: Receivers = dict
    readers: Readers = dict
    callers: Callers | None = None
    cluster: str = "default"
    push_body_bytes: int = PUSH_BODY_BYTES
    metric_namespaces: bool = True
    version: str = ""
    git_hosts: Mapping[str, GitHost] = field(default_factory=lambda: NO_HOSTS)
    stream_seconds: float = API_STREAM_SECONDS


class ApiState(Protocol):
    """The state store as the API sees it. Every call may raise StoreError."""

    def findings(self, filters: Mapping[str, str], limit: int) -> tuple[list[dict[str, Any]], int, dict[str, int]]:
        """A page of findings, how many match, how many by state."""

    def namespaces(self) -> dict[str, dict[str, str]]:
        """The labels of each namespace, as they were last seen."""

    def finding(self, identity: str) -> dict[str, Any] | None:
        """One finding."""

    def matching(self, query: Query) -> Matching:
        """All findings that a query chooses, in its order; to be closed."""

    def lines(self, scope: frozenset[str] | None = None) -> list[Line]:
        """The lines of all findings, in these namespaces."""

    def in_sync(self, query: Query) -> Matching:
        """What a query chooses of what enforced sources declare and has no finding."""

    def denials(self, since: str, scope: frozenset[str] | None = None) -> list[tuple[str, str, str, int]]:
        """Changes that were refused since then (RFC 3339), in these namespaces: (namespace, kind, source, how many)."""

    def counts(self) -> list[tuple[str, str, str, str, int]]:
        """(group, kind, source, state, how many)."""

    def measures(self, now: datetime) -> Measures:
        """What only metrics ask for."""

    def observed(self) -> Observed:
        """The last full pass."""

    def sources(self) -> list[dict[str, Any]]:
        """All sources, with `name`, `url`, `ref`, `state`."""

    def decisions(self, filters: Mapping[str, str], limit: int, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """A page of decisions, newest first, after `offset` newer ones, and how many match."""

    def guarded(self, filters: Mapping[str, str], limit: int) -> tuple[list[dict[str, Any]], int]:
        """A page of what enforced sources declare, each with `adopted`, `since` and `commit`, and how many match."""

    def blindness(self, limit: int) -> Blindness:
        """The newest spans and slipped writes, up to `limit` of each."""

    def history(self, identity: str) -> list[dict[str, Any]]:
        """What happened to the object with that id, oldest first: `event`, `time`, and what else was noted."""

    def over(self, identity: str) -> dict[str, Any] | None:
        """The last finding of the object with that id that is over, as it last was, with `resolvedAt`."""

    def fights(self, since: str, limit: int) -> list[dict[str, Any]]:
        """Objects that healing fights over since then (RFC 3339), the last first: `id`, `time`, `opponent`, names."""

    def days(self, until: str, scope: frozenset[str] | None = None) -> list[Day]:
        """The last 30 days, oldest first, the last that of `until` (RFC 3339), in these namespaces."""

    def days_by_namespace(self, until: str, scope: frozenset[str] | None = None) -> dict[str, list[Day]]:
        """The same of each namespace in which something happened."""

    def unmanaged(self) -> Unmanaged:
        """How many objects of guarded kinds no source declares."""

    def wanted(self, ref: ObjectRef) -> Wanted:
        """What the current snapshot says of an object. Never raises: what is wrong with the snapshot stands in it."""

    def kubernetes(self) -> str:
        """The version of the cluster's API server, as it was last seen: `v1.36.3`, "" for never."""

    def epoch(self) -> str:
        """What tells this store from any other: numbers of moments are those of one store."""

    def moments(self, after: int, limit: int) -> Moments:
        """What has happened to findings after that moment, oldest first, up to `limit`."""

    def grants(self) -> list[Grant]:
        """All grants that there ever were, newest first."""

    def registration(self) -> dict[str, Any]:
        """What the API server last took of our registration: `entries`, each `name`, `failurePolicy`, `resources`."""

    def seen(self, receiver: str, delivery: str) -> bool:
        """True when this delivery was taken before."""

    def note(self, receiver: str, delivery: str, result: str, now: datetime) -> None:
        """Remember a delivery."""
