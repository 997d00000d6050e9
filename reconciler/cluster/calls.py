"""Owns reading how the API server's calls of our entries have ended since it began. Must not judge the numbers."""

from __future__ import annotations

from typing import Final, NamedTuple

from reconciler.cluster.api import ApiClient
from reconciler.cluster.samples import read_samples
from reconciler.model.own import ENTRY_SUFFIX

_PREFIX: Final = "apiserver_admission_webhook_"
_TOTAL: Final = f"{_PREFIX}request_total"
_REJECTED: Final = f"{_PREFIX}rejection_count"
_OPEN: Final = f"{_PREFIX}fail_open_count"


class Calls(NamedTuple):
    """How many there were; `refused` failed and refused the write, `passed` failed and let it pass."""

    all: int = 0
    refused: int = 0
    passed: int = 0


def read_calls(client: ApiClient) -> Calls:
    """The calls of the API server that answers, as its metrics count them. Raises ClusterError."""
    found = dict.fromkeys((_TOTAL, _REJECTED, _OPEN), 0)
    for sample in read_samples(client, *found):
        failed = sample.name != _REJECTED or sample.labels.get("error_type") == "calling_webhook_error"
        if failed and sample.labels.get("name", "").endswith(ENTRY_SUFFIX):
            found[sample.name] += int(sample.value)
    return Calls(found[_TOTAL], found[_REJECTED], found[_OPEN])
