"""Lines 8, 18, 24 and 30 of docs/reference/reliability.md: deadlines, idle connections, a start under load, memory."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler.limits import ADMISSION_KEEPALIVE_SECONDS
from reconciler.store.snapshot_file import publish
from tests.support import decisions
from tests.support.admission import RunningServer, a_review, admission_server, exchange
from tests.support.waiting import eventually
from webhook.server.feed import KEY_FILE

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

REAL = "from webhook.server.__main__ import main\nraise SystemExit(main())\n"
DRIFT = decisions.review({"object": "web", "patch": {"spec": {"replicas": 5}}})
# The API server drops a connection that has been idle for so long.
IDLE_SECONDS = 90
# gunicorn's own default, between whose end and the next POST lies an error: gaps lie around and above it.
GAPS = [1.8 + number / 30 for number in range(60)]
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with admission_server(tmp_path_factory.mktemp("admission")) as running:
        yield running


def large(uid: str, verdict: str = "allow") -> dict[str, object]:
    """A review that is judged beside the loop, as everything over 256 KB is."""
    review = a_review(uid, verdict)
    review["request"]["object"]["data"] = review["request"]["oldObject"]["more"] = "x" * (3 * MEGABYTE - 4096)
    return review


def test_line_08_a_decision_that_takes_longer_than_the_timeout_of_the_call_is_refused_before_it(
    server: RunningServer,
) -> None:
    # "slow" takes a second and would then be admitted.
    status, body = server.post(large("late", "slow"), "/validate?timeout=1s")
    assert (status, body["response"]["allowed"]) == (200, False)
    assert "could not judge this request in time" in body["response"]["status"]["message"]


def test_line_18_a_connection_may_be_idle_longer_than_the_api_server_keeps_one() -> None:
    assert ADMISSION_KEEPALIVE_SECONDS >= IDLE_SECONDS + 10


def test_line_18_calls_with_gaps_between_them_find_their_connection_open(server: RunningServer) -> None:
    def spaced(gap: float) -> tuple[list[int], bool]:
        connection = server.connect()
        statuses = [exchange(connection, a_review())[0]]
        first = connection.sock
        for _ in range(2):
            time.sleep(gap)
            statuses.append(exchange(connection, a_review())[0])
        return statuses, connection.sock is first

    with ThreadPoolExecutor(len(GAPS)) as pool:
        assert list(pool.map(spaced, GAPS)) == [([200, 200, 200], True)] * len(GAPS)


def outcome(server: RunningServer) -> str:
    """What becomes of a write that Git does not want: refused, told to come again, or nobody there."""
    connection = server.connect(timeout=5)
    try:
        connection.request("POST", "/validate", DRIFT, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = json.loads(answer.read())
    except (OSError, http.client.HTTPException):
        return "nobody"
    finally:
        connection.close()
    if answer.status == 503:
        return f"again in {answer.headers['Retry-After']}, {answer.headers['Connection']}"
    if answer.status != 200:
        return f"status {answer.status}"
    return "ADMITTED" if body["response"]["allowed"] else "refused"


def processes(server: RunningServer) -> list[int]:
    """The master and its workers."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [server.process.pid, *map(int, children.split())]


def one_life(directory: Path) -> list[str]:
    """What four clients saw of a server from its start under load to its death by SIGKILL."""
    seen: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            seen.append(outcome(server))

    with admission_server(directory, REAL, ready=False, wait=False) as server, ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(ask)
        try:
            eventually(lambda: "refused" in seen, "a verdict")
            eventually(lambda: len(processes(server)) == 3, "both workers")
            for process in processes(server):
                os.kill(process, signal.SIGKILL)
            known = len(seen)
            eventually(lambda: "nobody" in seen[known:], "a server that is gone")
        finally:
            over.set()
    return seen


def test_line_24_a_server_that_starts_under_load_admits_nothing_before_it_has_its_snapshot(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(decisions.KEY)
    publish(decisions.snapshot(["web"]), tmp_path / "snapshots")
    for _ in range(2):
        assert set(one_life(tmp_path)) <= {"refused", "again in 1, close", "nobody"}


def test_line_24_without_a_snapshot_everybody_is_told_to_come_again(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(decisions.KEY)
    with admission_server(tmp_path, REAL, ready=False) as server:
        assert {outcome(server) for _ in range(20)} == {"again in 1, close"}
        connection = server.connect()
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == 503
        publish(decisions.snapshot(["web"]), tmp_path / "snapshots")
        eventually(lambda: {outcome(server) for _ in range(20)} == {"refused"}, "a verdict of both workers")


def test_line_30_full_objects_leave_no_memory_behind(server: RunningServer) -> None:
    def after(number: int) -> int:
        with ThreadPoolExecutor(2) as pool:
            statuses = list(pool.map(lambda one: server.post(large(f"u{one}"))[0], range(number)))
        assert statuses == [200] * number
        return sum(resident(process) for process in processes(server)[1:])

    few, number = after(12), 32
    many = after(number)
    # 6 MB each; how much an allocator keeps for the next ones varies, but it is far less than all of them.
    assert many - few < number * 3 * MEGABYTE, f"{few / MEGABYTE:.0f} MB, then {many / MEGABYTE:.0f} MB"


def resident(process: int) -> int:
    """Bytes of memory that a process holds."""
    line = next(one for one in Path(f"/proc/{process}/status").read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) * 1024
