"""Holds the admission server as it runs: gunicorn over TLS in a process of its own, the decision stubbed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.limits import ADMISSION_THREADS, HANDSHAKE_SECONDS
from tests.support.admission import NAMES, ROOT, RunningServer, a_review, admission_server, exchange, free_port
from tests.support.waiting import eventually
from webhook.settings import WORKERS, AdmissionSettings
from webhook.tls.files import ensure

pytestmark = pytest.mark.integration

FORBIDDEN = ("flask", "kubernetes", "git", "yaml", "sqlalchemy", "cryptography", "reconciler.render", "webhook.api")


@pytest.fixture(scope="module", params=WORKERS)
def worker(request: pytest.FixtureRequest) -> dict[str, str]:
    """Each kind of worker holds the same."""
    return {"SETSCREW_ADMISSION_WORKER": request.param, "SETSCREW_DRAIN_SECONDS": "1", "STUB_SLOW_SECONDS": "2"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, worker: dict[str, str]) -> Iterator[RunningServer]:
    with admission_server(tmp_path_factory.mktemp("admission"), environment=worker) as running:
        yield running


def test_reviews_are_answered_over_a_connection_that_stays(server: RunningServer) -> None:
    connection = server.connect()
    for number in range(20):
        status, body = exchange(connection, a_review(f"u{number}"), "/validate/apps/v1")
        assert (status, body["response"]["uid"]) == (200, f"u{number}")


def test_the_connection_is_tls_1_3_and_speaks_http_1_1(server: RunningServer) -> None:
    connection = server.connect()
    connection.connect()
    assert connection.sock.version() == "TLSv1.3"


@pytest.mark.parametrize(
    ("body", "content_type", "path", "status"),
    [
        (b'{"apiVersion":', "application/json", "/validate", 400),
        (b"{}", "application/json", "/validate", 400),
        (b"{}", "text/plain", "/validate", 415),
        (b"{}", "application/json", "/elsewhere", 404),
    ],
)
def test_broken_reviews_have_their_status(
    server: RunningServer, body: bytes, content_type: str, path: str, status: int
) -> None:
    connection = server.connect()
    connection.request("POST", path, body, {"Content-Type": content_type})
    response = connection.getresponse()
    problem = json.loads(response.read())
    assert (response.status, problem["status"]) == (status, status)


def test_line_30_a_body_of_20_mb_is_413_without_being_read(server: RunningServer) -> None:
    connection = server.connect()
    connection.putrequest("POST", "/validate")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "20000000")
    connection.endheaders()
    assert connection.getresponse().status == 413


def test_line_30_a_chunked_body_of_20_mb_is_413(server: RunningServer) -> None:
    connection = server.connect()

    def chunks() -> Iterator[bytes]:
        for _ in range(320):
            yield b" " * 65536

    # The server answers and closes while we are still sending.
    with contextlib.suppress(OSError):
        connection.request("POST", "/validate", chunks(), {"Content-Type": "application/json"}, encode_chunked=True)
    assert connection.getresponse().status == 413


def test_line_30_a_review_of_6_mb_is_judged_in_under_a_second(server: RunningServer) -> None:
    review = a_review("big")
    review["request"]["object"]["data"] = review["request"]["oldObject"]["more"] = "x" * 3_000_000
    body = json.dumps(review).encode()
    connection = server.connect()

    def judged() -> bool:
        began = time.monotonic()
        status, answer = exchange(connection, body)
        assert (status, answer["response"]["uid"]) == (200, "big")
        return time.monotonic() - began < 1

    assert eventually(judged, "one that nothing else on this machine delays")


def test_line_32_a_decision_that_raises_is_a_denial_and_the_next_request_is_fine(server: RunningServer) -> None:
    connection = server.connect()
    status, body = exchange(connection, a_review(verdict="boom"))
    assert (status, body["response"]["allowed"]) == (200, False)
    assert exchange(connection, a_review())[1]["response"]["allowed"]
    assert "do-not-log-this-value" not in server.log.read_text()


def test_line_29_silent_clients_do_not_delay_a_good_one(server: RunningServer) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.settings.port)) for _ in range(40)]
    for client in silent:
        client.send(b"\x16")
    half = [server.connect() for _ in range(10)]
    for connection in half:
        connection.putrequest("POST", "/validate")
        connection.putheader("Content-Length", "100")
        connection.endheaders()
    began = time.monotonic()
    assert server.post(a_review())[0] == 200
    # Before any of them is let go.
    assert time.monotonic() - began < HANDSHAKE_SECONDS - 1
    for client in silent:
        client.close()


def test_requests_may_be_cut_anywhere_and_follow_each_other_at_once(server: RunningServer) -> None:
    body = json.dumps(a_review("cut")).encode()
    head = f"POST /validate HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    one = head.encode() + body
    connection = server.connect()
    connection.connect()
    connection.sock.sendall(one[:30])
    time.sleep(0.1)
    connection.sock.sendall(one[30:-5])
    time.sleep(0.1)
    connection.sock.sendall(one[-5:] + one + b"HEAD /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
    with closing(connection.sock.makefile("rb")) as answers:
        answered = answers.read()
    assert answered.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert answered.count(b'"uid": "cut"') == 2


def test_line_29_clients_that_stay_silent_are_let_go(server: RunningServer) -> None:
    before_tls = socket.create_connection(("127.0.0.1", server.settings.port), timeout=30)
    after_tls = server.connect(timeout=30)
    after_tls.connect()
    after_tls.sock.send(b"POST /validate HTTP/1.1\r\nHost:")
    assert after_tls.sock.recv(1) == b""
    with before_tls:
        assert before_tls.recv(1) == b""


def test_a_slow_decision_holds_up_neither_health_nor_the_rest(server: RunningServer) -> None:
    slow = a_review("slow", verdict="slow")
    slow["request"]["object"]["data"] = "x" * 300_000
    thread = threading.Thread(target=server.post, args=(slow,))
    thread.start()
    time.sleep(0.2)
    assert server.post(a_review())[0] == 200
    assert server.text("/healthz")[0] == 200
    assert thread.is_alive()
    thread.join()


def test_a_fall_back_worker_without_a_free_thread_sends_reviews_away_and_stays_healthy(tmp_path: Path) -> None:
    """Each review of a writer waits for the reconciler, which is there and says nothing."""
    environment = {"SETSCREW_ADMISSION_WORKER": "gthread", "SETSCREW_ADMISSION_WORKERS": "1"}
    review = json.dumps(a_review(verdict="refresh")).encode()
    with admission_server(tmp_path, environment=environment) as server, socket.socket(socket.AF_UNIX) as reconciler:
        reconciler.bind(str(server.settings.refresh_socket))
        reconciler.listen(100)
        connections = [server.connect() for _ in range(2 * ADMISSION_THREADS)]
        for connection in connections:
            connection.connect()
        for connection in connections:
            connection.request("POST", "/validate", review, {"Content-Type": "application/json"})
        assert server.text("/healthz") == (200, "ok")
        answers = [connection.getresponse() for connection in connections]
        shed = [answer for answer in answers if answer.status == 503]
        assert {answer.status for answer in answers} == {200, 503}
        assert {(answer.headers["Retry-After"], answer.headers["Connection"]) for answer in shed} == {("1", "close")}


def test_decisions_reach_the_socket_of_the_state_store(server: RunningServer) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(server.settings.decisions_socket))
        channel.settimeout(5)
        server.post(a_review("logged", verdict="deny"))
        records = iter(lambda: json.loads(channel.recv(65536)), None)
        record = next(record for record in records if record["uid"] == "logged")
    server.settings.decisions_socket.unlink()
    assert (record["user"], record["code"], record["allowed"]) == ("alice", "drift", False)
    assert record["paths"][0]["path"] == "/spec/replicas"


def test_a_new_certificate_is_served_without_a_restart(tmp_path: Path, worker: dict[str, str]) -> None:
    with admission_server(tmp_path, environment=worker) as server:
        kept = server.connect()
        exchange(kept, a_review())
        before = kept.sock.getpeercert()
        assert ensure(tmp_path / "tls", (*NAMES, "one-more.example"), datetime.now(UTC)).reasons

        def renewed() -> bool:
            fresh = server.connect()
            assert exchange(fresh, a_review())[0] == 200
            assert exchange(kept, a_review())[0] == 200
            return bool(fresh.sock.getpeercert() != before)

        assert eventually(renewed, "the new certificate is served")


def test_line_24_not_ready_means_503_until_the_first_snapshot(tmp_path: Path, worker: dict[str, str]) -> None:
    with admission_server(tmp_path, environment=worker, ready=False) as server:
        connection = server.connect()
        connection.request("POST", "/validate", json.dumps(a_review()), {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert (response.status, response.headers["Retry-After"], response.headers["Connection"]) == (503, "1", "close")
        server.settings.pointer.touch()
        assert server.post(a_review())[0] == 200


def test_line_19_sigterm_ends_reviews_under_way_and_idle_connections(tmp_path: Path, worker: dict[str, str]) -> None:
    with admission_server(tmp_path, environment=worker) as server:
        idle = [server.connect() for _ in range(10)]
        for connection in idle:
            assert exchange(connection, a_review())[0] == 200
        slow = a_review("slow", verdict="slow")
        slow["request"]["object"]["data"] = "x" * 300_000
        answers: list[int] = []
        thread = threading.Thread(target=lambda: answers.append(server.post(slow)[0]))
        thread.start()
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        idle[0].request("POST", "/validate", json.dumps(a_review()), {"Content-Type": "application/json"})
        response = idle[0].getresponse()
        assert (response.status, response.headers["Connection"]) == (200, "close")
        assert server.process.wait(30) == 0
        assert "SIGKILL" not in server.log.read_text()
        thread.join()
        assert answers == [200]
        assert "Traceback" not in server.log.read_text()


def test_sigterm_while_a_worker_boots_is_not_lost(tmp_path: Path, worker: dict[str, str]) -> None:
    with admission_server(tmp_path, environment=worker | {"STUB_BOOT_SECONDS": "100"}, wait=False) as server:
        eventually(lambda: server.log.read_text().count("Booting worker") == 2, "both workers boot")
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)
        assert "SIGKILL" not in server.log.read_text()


def test_line_39_a_worker_that_dies_is_replaced(tmp_path: Path, worker: dict[str, str]) -> None:
    with admission_server(tmp_path, environment=worker) as server:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        assert eventually(lambda: len(children.read_text().split()) == 2, "two workers")
        victim = int(children.read_text().split()[0])
        os.kill(victim, signal.SIGKILL)

        def replaced() -> bool:
            workers = children.read_text().split()
            return len(workers) == 2 and str(victim) not in workers

        assert eventually(replaced, "two workers again")
        assert server.post(a_review())[0] == 200


def started(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "webhook.server"],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"SETSCREW_ADMISSION_PORT": "http"}, "'http' is not a whole number"),
        ({"SETSCREW_ADMISSION_HOST": "192.0.2.1"}, "192.0.2.1:"),
        ({"SETSCREW_TLS_KEY": "/nowhere/tls.key"}, "the serving certificate cannot be loaded"),
        ({"SETSCREW_STATE_DIR": ""}, "SETSCREW_STATE_DIR"),
    ],
)
def test_what_cannot_start_says_so_in_one_line(tmp_path: Path, changes: dict[str, str], says: str) -> None:
    ensure(tmp_path / "tls", NAMES, datetime.now(UTC))
    settings = AdmissionSettings.in_directory(tmp_path, port=free_port())
    done = started({**settings.environment(), **changes})
    assert done.returncode > 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_taken_port_is_one_line_at_once(tmp_path: Path) -> None:
    ensure(tmp_path / "tls", NAMES, datetime.now(UTC))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = started(AdmissionSettings.in_directory(tmp_path, port=port).environment())
    assert done.returncode > 1
    assert f"127.0.0.1:{port}: cannot listen: Address already in use" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_worker_imports_nothing_that_renders_stores_or_talks_to_the_cluster() -> None:
    code = (
        "import json, sys\n"
        "import webhook.server.serve, webhook.server.worker, webhook.server.threaded, webhook.server.feed\n"
        "import webhook.decision.decide, webhook.decision.review\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert not [name for name in loaded if name.startswith(tuple(f"{bad}." for bad in FORBIDDEN)) or name in FORBIDDEN]
