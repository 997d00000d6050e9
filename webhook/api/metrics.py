"""Owns `/metrics`: gauges read from the state when asked, counters of this process. No label holds an object's name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import product
from typing import get_args

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from reconciler.limits import BLIND_SHOWN, METRIC_SERIES
from reconciler.model.blind import CANARY_STATES, BlindCause
from reconciler.report.drift import SEVERITIES
from reconciler.report.totals import COUNTED, Counted, Totals
from webhook.api.ports import ApiSettings, ApiState


class StateCollector(Collector):
    """Turns the state into gauges at each scrape."""

    def __init__(self, state: ApiState, settings: ApiSettings) -> None:
        self._state = state
        self._settings = settings

    def describe(self) -> list[Metric]:
        """Nothing: registering must not read the state."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All gauges; raises StoreError, so that a scrape fails rather than showing zeros."""
        measures = self._state.measures(self._settings.now())
        yield from self._drift(measures.findings)
        yield from self._totals(measures.totals)
        yield self._exceptions(measures.grants)
        yield self._managed()
        yield self._hidden()
        yield self._age()
        yield from self._sources()
        yield from self._blind()

    def _drift(self, findings: Sequence[Counted]) -> Iterator[Metric]:
        labels = ["cluster", "namespace", "group", "kind", "source", "state", "severity"]
        family = GaugeMetricFamily("setscrew_drift_resources", "Objects that are not as Git says", labels=labels)
        oldest = GaugeMetricFamily("setscrew_drift_oldest_seconds", "How long the oldest of them is so", labels=labels)
        now = self._settings.now()
        for one in _folded(findings, namespaces=self._settings.metric_namespaces):
            where = [self._settings.cluster, *one[:6]]
            family.add_metric(where, one.objects)
            oldest.add_metric(where, max(0.0, (now - datetime.fromisoformat(one.oldest)).total_seconds()))
        yield from (family, oldest)

    def _totals(self, totals: Totals) -> Iterator[Metric]:
        labels = ["cluster", "state", "severity"]
        for name, told, counted in (
            ("setscrew_drift_detected", "Objects that came to differ from Git", totals.detected),
            ("setscrew_drift_resolved", "Objects that differ no longer", totals.resolved),
        ):
            family = CounterMetricFamily(name, told, labels=labels)
            for key in product(COUNTED, SEVERITIES):
                family.add_metric([self._settings.cluster, *key], counted[key])
            yield family
        for name, told, spreads in (
            ("setscrew_time_to_detect_seconds", "From the write to the finding", totals.detecting),
            ("setscrew_time_to_resolve_seconds", "From the finding to its end", totals.resolving),
        ):
            histogram = HistogramMetricFamily(name, told, labels=["cluster", "severity"])
            for severity, spread in spreads.items():
                histogram.add_metric([self._settings.cluster, severity], spread.buckets(), spread.total)
            yield histogram

    def _exceptions(self, grants: int) -> Metric:
        family = GaugeMetricFamily("setscrew_exceptions_active", "Grants that hold now", labels=["cluster"])
        family.add_metric([self._settings.cluster], grants)
        return family

    def _managed(self) -> Metric:
        labels = ["cluster", "group", "kind", "source"]
        family = GaugeMetricFamily("setscrew_managed_resources", "Objects that Git declares", labels=labels)
        for key, count in sorted(self._state.observed().managed.items()):
            name, _, source = key.partition("|")
            kind, _, group = name.partition(".")
            family.add_metric([self._settings.cluster, group, kind, source], count)
        return family

    def _hidden(self) -> Metric:
        labels = ["cluster", "rule"]
        family = GaugeMetricFamily("setscrew_hidden_fields", "Differing fields that a named rule hides", labels=labels)
        for rule, count in self._state.observed().hidden.items():
            family.add_metric([self._settings.cluster, rule], count)
        return family

    def _age(self) -> Metric:
        family = GaugeMetricFamily(
            "setscrew_report_age_seconds", "Since the cluster was last compared in full", labels=["cluster"]
        )
        observed = self._state.observed().observed_at
        if observed:
            age = (self._settings.now() - datetime.fromisoformat(observed)).total_seconds()
            family.add_metric([self._settings.cluster], max(0.0, age))
        return family

    def _sources(self) -> Iterator[Metric]:
        labels = ["cluster", "source"]
        ready = GaugeMetricFamily(
            "setscrew_source_ready", "1 while a source is fetched, rendered and enforced", labels=labels
        )
        last = GaugeMetricFamily(
            "setscrew_source_last_success_timestamp_seconds", "When a source could last be followed", labels=labels
        )
        info = GaugeMetricFamily("setscrew_source_info", "What is enforced of a source", labels=[*labels, "revision"])
        fetch = GaugeMetricFamily(
            "setscrew_git_fetch_duration_seconds", "How long Git took for what is enforced", labels=labels
        )
        stale = GaugeMetricFamily("setscrew_source_stale", "1 while Git could not be asked for long", labels=labels)
        objects = GaugeMetricFamily("setscrew_source_objects", "Objects that a source declares", labels=labels)
        for source in self._state.sources():
            where = [self._settings.cluster, str(source["name"])]
            ready.add_metric(where, float(source["state"] == "Ready"))
            stale.add_metric(where, float(source["stale"]))
            objects.add_metric(where, source["objects"])
            if source["lastSuccess"]:
                last.add_metric(where, datetime.fromisoformat(source["lastSuccess"]).timestamp())
            if source["enforced"]:
                info.add_metric([*where, source["enforced"]], 1)
            if source["fetchSeconds"]:
                fetch.add_metric(where, source["fetchSeconds"])
        yield from (ready, last, info, fetch, stale, objects)

    def _blind(self) -> Iterator[Metric]:
        found, cluster = self._state.blindness(2 * BLIND_SHOWN), self._settings.cluster
        causes = {span["cause"] for span in found.spans if not span["until"]}
        blind = GaugeMetricFamily("setscrew_blind", "1 while writes pass unjudged", labels=["cluster", "cause"])
        for cause in get_args(BlindCause):
            blind.add_metric([cluster, cause], float(cause in causes))
        yield blind
        canary = found.watches.get("canary", {})
        stands = GaugeMetricFamily("setscrew_canary_state", "1 for how the canary stands", labels=["cluster", "state"])
        for state in CANARY_STATES:
            stands.add_metric([cluster, state], float(canary.get("state") == state))
        yield stands
        saw = GaugeMetricFamily(
            "setscrew_canary_last_success_timestamp_seconds",
            "Since when at the latest each entry that can be proved has been refusing",
            labels=["cluster"],
        )
        if canary.get("saw"):
            saw.add_metric([cluster], datetime.fromisoformat(canary["saw"]).timestamp())
        yield saw
        passed = CounterMetricFamily(
            "setscrew_fail_open_writes", "Calls that the API server let pass unanswered", labels=["cluster", "entry"]
        )
        for entry, calls in sorted(found.watches.get("failOpen", {}).get("calls", {}).items()):
            passed.add_metric([cluster, entry], calls)
        yield passed


def _folded(findings: Sequence[Counted], *, namespaces: bool) -> Sequence[Counted]:
    """As they are, or summed over namespaces: where these are not wanted, or would make too many series."""
    if namespaces and len(findings) <= METRIC_SERIES:
        return findings
    sums: dict[tuple[str, ...], Counted] = {}
    for one in findings:
        sums[one[1:6]] = one._replace(namespace="").joined(sums.get(one[1:6]))
    return list(sums.values())


def make_registry(state: ApiState, settings: ApiSettings) -> tuple[CollectorRegistry, Counter]:
    """A registry of this app alone, and its counter of deliveries."""
    registry = CollectorRegistry()
    registry.register(StateCollector(state, settings))
    labels = ("receiver", "provider", "result")
    deliveries = Counter("setscrew_webhook_deliveries", "Pushes taken", labels, registry=registry)
    return registry, deliveries
