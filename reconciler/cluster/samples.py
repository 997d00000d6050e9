"""Owns reading samples of the API server's own metrics. Must not know what they mean."""

from __future__ import annotations

import math
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from reconciler.cluster.api import ApiClient
from reconciler.errors import ClusterError

METRICS: Final = "/metrics"


def read_samples(client: ApiClient, *names: str) -> list[Sample]:
    """All samples of these metrics, of the API server that answers; values are finite. Raises ClusterError."""
    # Its metrics are megabytes: only these lines are parsed.
    wanted = tuple(f"{name}{end}".encode() for name in names for end in "{ ")
    text = b"".join(line for line in client.lines(METRICS) if line.startswith(wanted))
    try:
        families = list(text_string_to_metric_families(text.decode()))
    except (ValueError, KeyError) as error:
        raise _unreadable(type(error).__name__) from None
    found = [sample for family in families for sample in family.samples]
    if not all(math.isfinite(sample.value) for sample in found):
        raise _unreadable("a value is no number")
    return found


def _unreadable(why: str) -> ClusterError:
    return ClusterError(f"its metrics cannot be read: {why}", where=METRICS)
