"""Owns the metrics of the admission server: the board as Prometheus text. Must not serve it, nor count."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from reconciler.limits import ADMISSION_CONNECTIONS, WEBHOOK_TIMEOUT_SECONDS
from reconciler.snapshot.model import SnapshotView
from webhook.server.board import BOUNDS, BUCKET, COLUMN, DECISION, OTHER_STATUS, STATUS, Board

PREFIX: Final = "setscrew_admission_"


@dataclass(frozen=True, slots=True)
class Exposition(Collector):
    """All workers' numbers, and the snapshot of the one that is asked. Each metric: docs/reference/metrics.md."""

    board: Board
    snapshot: Callable[[], SnapshotView | None]
    clock: Callable[[], float]

    def text(self) -> bytes:
        """The answer to a scrape."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def describe(self) -> list[Metric]:
        """Nothing: names are not looked at when registering."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families."""
        yield from self._decisions()
        yield from self._snapshot()
        yield from self._counters()
        yield from self._gauges()

    def _decisions(self) -> Iterator[Metric]:
        decisions = CounterMetricFamily(
            f"{PREFIX}decisions", "Reviews judged, by code and verdict", labels=["code", "allowed"]
        )
        replies = CounterMetricFamily(f"{PREFIX}replies", "HTTP answers to reviews, by status", labels=["status"])
        judged = {key: self.board.total(column) for key, column in DECISION.items()}
        for (code, allowed), count in judged.items():
            if count:
                decisions.add_metric([code, "true" if allowed else "false"], count)
        replies.add_metric(["200"], sum(judged.values()))
        for status, column in STATUS.items():
            replies.add_metric([str(status) if status != OTHER_STATUS else "other"], self.board.total(column))
        yield decisions
        yield replies
        counts = accumulate(self.board.total(BUCKET + number) for number in range(len(BOUNDS) + 1))
        bounds = [*(str(bound) for bound in BOUNDS), "+Inf"]
        took = HistogramMetricFamily(f"{PREFIX}review_seconds", "From the whole body to the answer")
        took.add_metric([], list(zip(bounds, counts, strict=True)), self._total("seconds"))
        yield took

    def _snapshot(self) -> Iterator[Metric]:
        snapshot = self.snapshot()
        used = GaugeMetricFamily(f"{PREFIX}snapshot_info", "The snapshot in use", labels=["digest"])
        sources = GaugeMetricFamily(f"{PREFIX}source_info", "The sources in it", labels=["source", "commit"])
        if snapshot is not None:
            used.add_metric([snapshot.digest], 1)
            for source in snapshot.sources.values():
                sources.add_metric([source.name, source.commit], 1)
        yield used
        yield sources
        # The oldest that any worker judges with: all have moved on once it has.
        times = [published for published in self.board.gauges("published") if published]
        if times:
            yield _gauge("snapshot_published_seconds", "When the snapshot in use was published, Unix time", min(times))
            age = max(0.0, self.clock() - min(times))
            yield _gauge("snapshot_age_seconds", "Since the snapshot in use was published", age)

    def _counters(self) -> Iterator[Metric]:
        yield _counter("records_lost", "Records of decisions that nobody will see", self._total("lost"))
        yield _counter("connections_refused", "Connections above the limit of a worker", self._total("refused"))
        yield _counter("worker_restarts", "Workers that ended before the server did", self._total("restarts"))

    def _gauges(self) -> Iterator[Metric]:
        board = self.board
        yield _gauge("workers", "Workers that serve", len(board.living()))
        yield _gauge("ready", "1 while reviews are judged", self._ready())
        yield _gauge("draining", "1 while the server ends", max(board.gauges("draining"), default=0))
        yield _gauge("reviews_in_flight", "Reviews in hand", sum(board.gauges("reviews")))
        yield _gauge("connections", "Open connections", sum(board.gauges("connections")))
        limit = ADMISSION_CONNECTIONS * len(board.living())
        yield _gauge("connections_limit", "Connections that all workers take", limit)
        yield _gauge("records_queued", "Records that wait for the reconciler", sum(board.gauges("queued")))
        problems = max(board.gauges("snapshot_problem"), default=0)
        yield _gauge("snapshot_problem", "1 while a newer snapshot cannot be used", problems)
        yield _gauge("grants_active", "Grants that hold now", max(board.gauges("grants"), default=0))
        problems = max(board.gauges("grants_problem"), default=0)
        yield _gauge("grants_problem", "1 while newer grants cannot be used", problems)
        ends = [end for end in board.gauges("certificate_end") if end]
        if ends:
            yield _gauge("certificate_not_after_seconds", "When the certificate in use ends, Unix time", min(ends))

    def _ready(self) -> bool:
        board = self.board
        blocked = board.blocked(time.monotonic(), WEBHOOK_TIMEOUT_SECONDS)
        judging = bool(board.living()) and all(board.gauges("published"))
        return judging and not blocked and not any(board.gauges("draining"))

    def _total(self, name: str) -> float:
        return self.board.total(COLUMN[name])


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, told, float(value))


def _counter(name: str, told: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, told, value)
