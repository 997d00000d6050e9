"""Owns `/metrics`: gauges read from the state when asked, counters of this process. No label holds an object's name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

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
        yield self._ready()

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

    def _ready(self) -> Metric:
        family = GaugeMetricFamily(
            "setscrew_source_ready", "1 while a source is fetched, rendered and enforced", labels=["cluster", "source"]
        )
        for source in self._state.sources():
            family.add_metric([self._settings.cluster, str(source["name"])], float(source["state"] == "Ready"))
        return family


def make_registry(state: ApiState, settings: ApiSettings) -> tuple[CollectorRegistry, Counter]:
    """A registry of this app alone, and its counter of deliveries."""
    registry = CollectorRegistry()
    registry.register(StateCollector(state, settings))
    labels = ("receiver", "provider", "result")
    deliveries = Counter("setscrew_webhook_deliveries", "Pushes taken", labels, registry=registry)
    return registry, deliveries
