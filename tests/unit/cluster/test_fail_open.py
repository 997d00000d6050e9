"""The API server's counters: ours alone are read, with the time at which that API server began."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from reconciler.cluster.fail_open import read_count
from reconciler.errors import ClusterError

METRICS = b"""\
# HELP apiserver_admission_webhook_fail_open_count [ALPHA] Admission webhook fail open count
# TYPE apiserver_admission_webhook_fail_open_count counter
apiserver_admission_webhook_fail_open_count{name="apps-v1.guard.setscrew.dev",type="validating"} 12
apiserver_admission_webhook_fail_open_count{name="other.example.com",type="validating"} 7
apiserver_admission_webhook_fail_open_count{name="core-v1.guard.setscrew.dev",type="validating"} 1e+06
apiserver_admission_webhook_fail_open_counter_of_another{name="core-v1.guard.setscrew.dev"} 5
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.79541002345e+09
"""


@dataclass
class Server:
    """Stands for ApiClient."""

    text: bytes

    def lines(self, path: str) -> Iterator[bytes]:
        assert path == "/metrics"
        yield from self.text.splitlines(keepends=True)


def test_only_our_entries_are_counted() -> None:
    found = read_count(Server(METRICS))  # type: ignore[arg-type]
    assert found.started == 1795410023.45
    assert found.calls == {"apps-v1.guard.setscrew.dev": 12, "core-v1.guard.setscrew.dev": 1_000_000}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        METRICS.replace(b"process_start", b"other_start"),
        METRICS.replace(b"} 12\n", b"} twelve\n"),
        METRICS.replace(b"} 12\n", b"} NaN\n"),
    ],
    ids=["nothing", "without a start", "no number", "NaN"],
)
def test_metrics_that_cannot_be_read_are_an_error_and_no_zero(text: bytes) -> None:
    with pytest.raises(ClusterError, match="metrics"):
        read_count(Server(text))  # type: ignore[arg-type]
