"""What the admission server tells of itself: any worker tells of all, and no scraper is in the way of a review."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPException
from pathlib import Path

import pytest
from cryptography import x509
from prometheus_client.parser import text_string_to_metric_families

from reconciler.limits import METRICS_CONNECTIONS
from tests.support.admission import RunningServer, a_review, admission_server, exchange
from tests.support.waiting import eventually
from webhook.settings import WORKERS

pytestmark = pytest.mark.integration

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(params=WORKERS)
def worker(request: pytest.FixtureRequest) -> dict[str, str]:
    return {"SETSCREW_ADMISSION_WORKER": request.param, "SETSCREW_DRAIN_SECONDS": "3"}


@pytest.fixture
def server(tmp_path: Path, worker: dict[str, str]) -> Iterator[RunningServer]:
    with admission_server(tmp_path, environment=worker) as running:
        eventually(lambda: told(running, "workers") == 2, "both workers serve")
        yield running


def scrape(server: RunningServer) -> Samples:
    """All samples by name and labels, without the prefix of all."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.settings.metrics_port}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {
            (sample.name.removeprefix("setscrew_admission_"), frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }


def told(server: RunningServer, name: str, **labels: str) -> float | None:
    """What one scrape says; None where it does not say it, or nobody answers."""
    try:
        return scrape(server).get((name, frozenset(labels.items())))
    except (OSError, HTTPException):
        return None


def workers_of(server: RunningServer) -> list[int]:
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return [int(word) for word in children.read_text().split()]


def ended(client: socket.socket) -> bool:
    """True once the server has closed the connection."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def judged(server: RunningServer, count: int, **review: str) -> None:
    """So many reviews, each over a connection of its own, so that both workers take part."""
    for _ in range(count):
        assert server.post(a_review(**review))[0] == 200


def test_line_40_each_answer_tells_of_all_workers(server: RunningServer) -> None:
    judged(server, 30)
    judged(server, 10, verdict="deny")
    assert server.post({"request": {}})[0] == 400
    for _ in range(10):
        found = scrape(server)
        assert found["decisions_total", frozenset({("code", "conforms"), ("allowed", "true")})] == 30
        assert found["decisions_total", frozenset({("code", "drift"), ("allowed", "false")})] == 10
        assert found["replies_total", frozenset({("status", "200")})] == 40
        assert found["replies_total", frozenset({("status", "400")})] == 1
        assert found["review_seconds_count", frozenset()] == 40
        assert found["review_seconds_bucket", frozenset({("le", "+Inf")})] == 40
        assert 0 < found["review_seconds_sum", frozenset()] < 40


def test_a_review_that_holds_up_the_loop_is_told_with_its_time(server: RunningServer) -> None:
    judged(server, 1, verdict="slow")
    found = scrape(server)
    assert found["review_seconds_bucket", frozenset({("le", "0.5")})] == 0
    assert found["review_seconds_sum", frozenset()] >= 1


def test_what_a_worker_counted_outlives_it(server: RunningServer) -> None:
    judged(server, 20)
    for victim in workers_of(server):
        os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: told(server, "worker_restarts_total") == 2, "both deaths are counted")
    assert eventually(lambda: told(server, "workers") == 2, "two workers again")
    judged(server, 5)
    assert told(server, "decisions_total", code="conforms", allowed="true") == 25


def test_the_state_of_the_workers_is_told(server: RunningServer) -> None:
    found = scrape(server)
    assert found["ready", frozenset()] == 1
    assert found["draining", frozenset()] == 0
    assert found["snapshot_info", frozenset({("digest", "d" * 64)})] == 1
    assert found["snapshot_published_seconds", frozenset()] == 1_700_000_000
    assert found["snapshot_age_seconds", frozenset()] > 1_000_000
    assert found["snapshot_problem", frozenset()] == found["grants_problem", frozenset()] == 0
    certificate = x509.load_pem_x509_certificate((server.settings.certificate).read_bytes())
    ends = certificate.not_valid_after_utc.timestamp()
    assert eventually(lambda: told(server, "certificate_not_after_seconds") == ends, "the end of the certificate")
    kept = [server.connect() for _ in range(7)]
    for connection in kept:
        exchange(connection, a_review())
    assert eventually(lambda: told(server, "connections") == 7, "open connections are counted")
    assert told(server, "connections_limit") == 4_000


def test_reviews_in_hand_and_lost_records_are_told(server: RunningServer) -> None:
    slow = a_review("slow", verdict="slow")
    slow["request"]["object"]["data"] = "x" * 300_000
    thread = threading.Thread(target=server.post, args=(slow,))
    thread.start()
    assert eventually(lambda: told(server, "reviews_in_flight") == 1, "the slow review is in hand")
    thread.join()
    assert eventually(lambda: told(server, "reviews_in_flight") == 0, "it has been judged")
    # Nobody listens where records go.
    assert eventually(lambda: told(server, "records_queued") == 1, "its record waits")
    assert told(server, "records_lost_total") == 0


def test_silent_scrapers_are_let_go_and_delay_no_review(server: RunningServer) -> None:
    with ExitStack() as stack:
        place = ("127.0.0.1", server.settings.metrics_port)
        silent = [stack.enter_context(socket.create_connection(place, timeout=30)) for _ in range(100)]
        assert len(silent) > 2 * METRICS_CONNECTIONS
        judged(server, 5)
        assert eventually(lambda: told(server, "ready") == 1, "metrics are answered again")
        assert all(map(ended, silent))


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /other HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"HEAD /metrics?x=1 HTTP/1.1\r\n\r\n", b"200"),
        (b"GET /" + b"x" * 10_000, b""),
        (b"\r\n\r\n", b"405"),
    ],
)
def test_another_request_gets_a_status_or_nothing(server: RunningServer, request_: bytes, status: bytes) -> None:
    with closing(socket.create_connection(("127.0.0.1", server.settings.metrics_port), timeout=30)) as client:
        client.sendall(request_)
        with closing(client.makefile("rb")) as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")
    assert head[9:12] == status
    assert body == b""


def test_while_it_drains_it_says_so_and_judges_on(server: RunningServer) -> None:
    kept = server.connect()
    exchange(kept, a_review())
    server.process.send_signal(signal.SIGTERM)
    assert eventually(lambda: told(server, "draining") == 1, "draining is told")
    assert told(server, "ready") == 0
    assert server.text("/readyz") == (503, "draining")
    assert server.text("/healthz")[0] == 200
    kept.request("POST", "/validate", json.dumps(a_review()), {"Content-Type": "application/json"})
    response = kept.getresponse()
    assert (response.status, response.headers["Connection"]) == (200, "close")
    assert server.process.wait(20) == 0


def test_line_40_a_loop_that_stands_still_makes_all_workers_unready_and_none_unhealthy(
    tmp_path: Path, worker: dict[str, str]
) -> None:
    with admission_server(tmp_path, environment=worker | {"STUB_SLOW_SECONDS": "8"}) as server:
        eventually(lambda: told(server, "workers") == 2, "both workers serve")
        thread = threading.Thread(target=server.post, args=(a_review(verdict="slow"),))
        thread.start()
        # A connection that this worker takes before it stands still would wait for its end.
        assert eventually(server.requests, "the review is being judged")
        assert eventually(lambda: server.text("/readyz") == (503, "a worker is blocked"), "it is not ready")
        assert server.text("/healthz") == (200, "ok")
        assert told(server, "ready") == 0
        assert eventually(lambda: server.text("/readyz") == (200, "ok"), "it is ready again")
        thread.join()


def test_line_40_threads_that_do_not_end_make_it_unready_and_not_unhealthy(
    tmp_path: Path, worker: dict[str, str]
) -> None:
    with admission_server(tmp_path, environment=worker | {"STUB_SLOW_SECONDS": "8"}) as server:
        slow = a_review("slow", verdict="slow")
        slow["request"]["object"]["data"] = "x" * 300_000
        # Both threads of each worker, whichever takes a connection.
        threads = [threading.Thread(target=server.post, args=(slow,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        assert eventually(lambda: server.text("/readyz") == (503, "a worker is blocked"), "it is not ready")
        assert server.text("/healthz") == (200, "ok")
        for thread in threads:
            thread.join()
        assert eventually(lambda: server.text("/readyz") == (200, "ok"), "it is ready again")
