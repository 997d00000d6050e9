"""Owns reading the API server's own count of calls that it let pass unanswered. Must not judge the numbers.

The counters are those of one process: `started` tells one API server behind an address from the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.samples import METRICS, read_samples
from reconciler.errors import ClusterError
from reconciler.model.own import ENTRY_SUFFIX

_FAIL_OPEN: Final = "apiserver_admission_webhook_fail_open_count"
_STARTED: Final = "process_start_time_seconds"


@dataclass(frozen=True, slots=True)
class Count:
    """`started`: when that API server began, Unix seconds. `calls`: by our entries' names, how many failed open."""

    started: float
    calls: Mapping[str, int] = field(default_factory=dict)


def read_count(client: ApiClient) -> Count:
    """The count of the API server that answers. Raises ClusterError."""
    calls: Counter[str] = Counter()
    started = 0.0
    for sample in read_samples(client, _FAIL_OPEN, _STARTED):
        if sample.name == _STARTED:
            started = sample.value
        elif (name := sample.labels.get("name", "")).endswith(ENTRY_SUFFIX):
            calls[name] += int(sample.value)
    if not started:
        raise ClusterError(f"its metrics do not say when it began ({_STARTED})", where=METRICS)
    return Count(started, calls)
