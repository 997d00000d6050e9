"""The report of many findings from a real server: the whole list as JSON, its first byte, its pages, and the overview.

    python bench/report.py                   ten thousand findings
    python bench/report.py --findings 1000
    python bench/report.py --record          write docs/performance.md

A real API server (gunicorn) on a state store with findings of three fields each; one client that waits for each answer.
Asserts answers, never figures.
"""

from __future__ import annotations

import base64
import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import click
from support.page import PAGE, placed
from support.wanted import Row, wanted

from reconciler.model.instant import stamp
from reconciler.model.ref import ObjectRef
from reconciler.report.drift import Attribution, DriftChange, DriftItem, DriftSource, Owner, finding_id
from reconciler.store.findings import Pass, managed_key, replace_findings
from reconciler.store.namespaces import keep_namespaces
from reconciler.store.sources import SourceStatus, save_source
from setscrew.store import open_store

_MARKS = ("<!-- report: begin (written by `bench/report.py --record`, do not edit) -->", "<!-- report: end -->")
_NAMESPACES = 50
_SEVERITIES = ("critical", "high", "medium", "low", "info")


@click.command()
@click.option("--findings", default=10_000, show_default=True)
@click.option("--rounds", default=7, show_default=True)
@click.option("--record", is_flag=True, help="Write docs/performance.md.")
def main(findings: int, rounds: int, *, record: bool) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="setscrew-bench-") as directory:
        _fill(Path(directory), findings)
        with _served(Path(directory)) as ask:
            text = wanted(_rows(ask, findings, rounds))
    text += f"\n{findings:,} findings of three fields each; median of {rounds} answers.\n"
    print(text, end="")
    if record:
        PAGE.write_text(placed(PAGE.read_text(), text, _MARKS))


Ask = Callable[[str, bool], tuple[float, float, bytes, str]]


def _rows(ask: Ask, findings: int, rounds: int) -> Iterator[Row]:
    everything = "/api/v1/drift?limit=all"
    found = json.loads(ask(everything, False)[2])
    if len(found["items"]) != findings:
        raise SystemExit(f"{len(found['items'])} of {findings} findings were answered")
    for what, path, packed, first, whole in (
        ("all as JSON", everything, False, 100, 1_000),
        ("all as JSON, gzip", everything, True, 100, 1_000),
        ("first page of 100", "/api/v1/drift", False, None, None),
        ("all of a namespace", "/api/v1/drift?limit=all&namespace=team-7", False, None, None),
        ("the worst first", "/api/v1/drift?sort=severity", False, None, None),
        ("those of a user", "/api/v1/drift?fieldSelector=attribution.user%3Duser-7", False, None, None),
        ("all as CSV", "/api/v1/drift?format=csv", False, None, None),
        ("all as SARIF", "/api/v1/drift?format=sarif", False, None, None),
        ("summary by namespace", "/api/v1/drift/summary?by=namespace&labels=team", False, None, None),
        ("page: overview", "/", False, None, 300),
    ):
        ask(path, packed)
        took = [ask(path, packed) for _ in range(rounds)]
        yield Row(f"{what}, first byte", median(one[0] for one in took), "ms", first)
        yield Row(f"{what}, whole", median(one[1] for one in took), "ms", whole)
        if path == everything:
            yield Row(f"{what}, size", len(took[0][2]) / 1e6, "MB")
    yield _paged(ask)


def _paged(ask: Ask) -> Row:
    began = time.perf_counter()
    onward, pages = "", 0
    while onward or not pages:
        page = json.loads(ask(f"/api/v1/drift?limit=1000{'&continue=' if onward else ''}{onward}", False)[2])
        onward, pages = page["metadata"]["continue"], pages + 1
    return Row(f"all in {pages} pages", (time.perf_counter() - began) * 1000, "ms")


def _fill(directory: Path, findings: int) -> None:
    state = open_store(directory)
    now = datetime.now(UTC)
    managed = {managed_key("Deployment", "apps", "shop"): findings}
    replace_findings(state, (_finding(number, now) for number in range(findings)), Pass(stamp(now), "ab" * 32, managed))
    save_source(state, SourceStatus("shop", "Ready", "https://git.example.com/shop.git", "refs/heads/main"), stamp(now))
    keep_namespaces(state, {f"team-{number}": {"team": f"t{number % 9}"} for number in range(_NAMESPACES)})
    state.close()


def _finding(number: int, now: datetime) -> DriftItem:
    namespace, name = f"team-{number % _NAMESPACES}", f"app-{number}"
    fields = ("replicas", "template/spec/containers/0/image", "template/spec/containers/0/resources/limits/memory")
    changes = tuple(
        DriftChange(
            f"/spec/{one}", "replace", f"wanted-{number}", f"live-{number}", "changed", "kubectl-edit", "Update",
            stamp(now), f"spec.{one.replace('/', '.')}",
        )
        for one in fields
    )  # fmt: skip
    return DriftItem(
        id=finding_id(ObjectRef("apps", "Deployment", namespace, name)),
        fingerprint=f"{number:064x}",
        api_version="apps/v1",
        kind="Deployment",
        namespace=namespace,
        name=name,
        state="missing" if number % 20 == 0 else "drifted",
        source=DriftSource(
            "shop", "https://git.example.com/shop.git", "deploy", f"deploy/{name}.yaml", 12, "r", "c" * 40
        ),
        changes=changes,
        attribution=Attribution("kubectl-edit", f"user-{number % 30}", stamp(now), "admission"),
        first_seen=stamp(now - timedelta(minutes=number % 5_000)),
        last_seen=stamp(now),
        owner=Owner(f"t{number % 9}", "", "", {"team": f"t{number % 9}"}, "namespace"),
        severity=_SEVERITIES[number % 5],  # type: ignore[arg-type] # one of its words
    )


@contextmanager
def _served(directory: Path) -> Iterator[Ask]:
    """The API server, and a way to ask it: milliseconds to the first byte and to the last, the body, its encoding."""
    command = [
        sys.executable,
        "-m",
        "setscrew.serve_api",
        "--state",
        str(directory),
        "--port",
        "0",
        "--log-level",
        "error",
    ]
    process = subprocess.Popen(command)
    try:
        while not (directory / "api.json").exists():
            time.sleep(0.05)
        place = urlsplit(json.loads((directory / "api.json").read_text())["url"]).netloc
        token = (directory / "api-token").read_text().strip()

        def ask(path: str, packed: bool) -> tuple[float, float, bytes, str]:
            connection = http.client.HTTPConnection(place, timeout=60)
            basic = base64.b64encode(f"x:{token}".encode()).decode()
            signed = f"Bearer {token}" if path.startswith("/api/") else f"Basic {basic}"
            began = time.perf_counter()
            connection.request(
                "GET", path, headers={"Authorization": signed} | ({"Accept-Encoding": "gzip"} if packed else {})
            )
            answer = connection.getresponse()
            head = answer.read(1)
            first = time.perf_counter()
            body = head + answer.read()
            last = time.perf_counter()
            connection.close()
            if answer.status != 200:
                raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")
            return (first - began) * 1000, (last - began) * 1000, body, answer.headers.get("Content-Encoding", "")

        yield ask
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
