"""Owns `/metrics`: gauges read from the state when asked, counters of this process. No label holds an object's name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import get_args

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from reconciler.limits import BLIND_SHOWN
from reconciler.model.blind import CANARY_STATES, BlindCause
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
        yield self._drift()
        yield self._managed()
        yield self._hidden()
        yield self._age()
        yield from self._sources()
        yield from self._blind()

    def _drift(self) -> Metric:
        labels = ["cluster", "group", "kind", "source", "state"]
        family = GaugeMetricFamily("setscrew_drift_resources", "Objects that are not as Git says", labels=labels)
        for group, kind, source, state, count in self._state.counts():
            family.add_metric([self._settings.cluster, group, kind, source, state], count)
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
        for source in self._state.sources():
            where = [self._settings.cluster, str(source["name"])]
            ready.add_metric(where, float(source["state"] == "Ready"))
            if source["lastSuccess"]:
                last.add_metric(where, datetime.fromisoformat(source["lastSuccess"]).timestamp())
            if source["enforced"]:
                info.add_metric([*where, source["enforced"]], 1)
            if source["fetchSeconds"]:
                fetch.add_metric(where, source["fetchSeconds"])
        yield from (ready, last, info, fetch)

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


def make_registry(state: ApiState, settings: ApiSettings) -> tuple[CollectorRegistry, Counter]:
    """A registry of this app alone, and its counter of deliveries."""
    registry = CollectorRegistry()
    registry.register(StateCollector(state, settings))
    labels = ("receiver", "provider", "result")
    deliveries = Counter("setscrew_webhook_deliveries", "Pushes taken", labels, registry=registry)
    return registry, deliveries
