"""The admission server while strangers push: reviews alone and beside a thousand refused deliveries a second, in turns.

    python bench/receivers.py                      three rounds of five seconds each
    python bench/receivers.py --record             and the table in docs/performance.md

Reviews come at a fixed rate. The API server is that of `setscrew run`, with its niceness; each delivery is 8 KB without
a right signature: it is read and its HMAC computed before it is refused. Asserts answers, never figures. Linux, Go.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import click
from support.cases import cases
from support.figures import Record
from support.golang import build, stop
from support.load import Round
from support.machine import cpu_seconds, description, family
from support.parts import SHORT, SMOKE, Bench

_ROOT = Path(__file__).resolve().parents[1]
_PAGE = _ROOT / "docs" / "performance.md"
_BEGIN = "<!-- receivers: begin (written by `bench/receivers.py --record`, do not edit) -->\n"
_END = "<!-- receivers: end -->"
_REVIEWS = 100
_DELIVERIES = 1_000
_SENDERS = 8
_ALOUD = 0.5


@dataclass(frozen=True, slots=True)
class Beside:
    """One round with deliveries: the reviews', how many deliveries a second were refused, and CPU for one in µs."""

    reviews: Round
    per_second: float
    cpu_us: float
    p99: float


@click.command()
@click.option("--rounds", default=3, show_default=True)
@click.option("--seconds", default=5.0, show_default=True)
@click.option("--objects", default=10_000, show_default=True)
@click.option("--record", is_flag=True, help="Write docs/performance.md.")
def main(rounds: int, seconds: float, objects: int, record: bool) -> None:
    """Print the table."""
    if sys.platform != "linux":
        stop("CPU of processes is read from /proc: this needs Linux")
    with tempfile.TemporaryDirectory(prefix="setscrew-bench-") as directory:
        form = SHORT if objects >= SHORT.few else SMOKE
        nothing = Record("", "", "", "", 0)
        bench = Bench(Path(directory), form, build(Path(directory)), nothing, lambda _: None)
        alone, beside = _measured(bench, objects, rounds, seconds)
    text = _table(alone, beside)
    print(text)
    if record:
        head, _, rest = _PAGE.read_text().partition(_BEGIN)
        _PAGE.write_text(head + _BEGIN + text + _END + rest.partition(_END)[2])


def _measured(bench: Bench, objects: int, rounds: int, seconds: float) -> tuple[list[Round], list[Beside]]:
    case = next(one for one in cases() if one.name == "allow")
    alone, beside = [], []
    with bench.ours(bench.home(objects)) as server, _receiver(bench.directory) as (pid, url):
        gun = bench.gun(server)
        paced = {"connections": 4, "rate": _REVIEWS}
        gun.once(server, case, seconds=min(1.0, seconds), **paced)
        for _ in range(rounds):
            alone.append(gun.once(server, case, seconds=seconds, **paced))
            with _deliveries(bench, url, server.ca, seconds) as sender:
                pids, before = family(pid), cpu_seconds(family(pid))
                reviews = gun.once(server, case, seconds=seconds, **paced)
                found = json.loads(sender.communicate()[0])
                used = cpu_seconds(pids) - before
            if sender.returncode or found["errors"] or not found["requests"]:
                stop(f"a delivery was answered otherwise: {found['error'][:300]}")
            beside.append(Beside(reviews, found["per_second"], used / found["requests"] * 1e6, found["p99"]))
    return alone, beside


@contextmanager
def _deliveries(bench: Bench, url: str, ca: Path, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """Strangers at work, a moment before the reviews come and a moment after."""
    body = bench.directory / "push.json"
    body.write_text(json.dumps({"ref": "refs/heads/main", "commits": [{"message": "x" * 80}] * 80}))
    command = [str(bench.programs.load), "-urls", url, "-body", str(body), "-ca", str(ca), "-status", "401"]
    command += ["-connections", str(_SENDERS), "-rate", str(_DELIVERIES), "-seconds", str(seconds + 2 * _ALOUD)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as sender:
        time.sleep(_ALOUD)
        yield sender


@contextmanager
def _receiver(directory: Path) -> Iterator[tuple[int, str]]:
    """The API server with one receiver: its process, and where deliveries go."""
    state = directory / "api"
    state.mkdir(mode=0o700)
    (state / "receiver.yaml").write_text(
        "kind: Receiver\nmetadata: {name: gh}\nspec: {provider: github, secretEnv: HOOK, sources: ['*']}\n"
    )
    command = [sys.executable, "-m", "setscrew.serve_api", "--state", str(state), "--port", "0"]
    command += ["--receivers", str(state / "receiver.yaml"), "--log-level", "error"]
    process = subprocess.Popen(command, env=os.environ | {"HOOK": "0123456789abcdef"})
    try:
        for _ in range(300):
            if (state / "api.json").exists() and len(family(process.pid)) > 1:
                break
            time.sleep(0.1)
        yield process.pid, json.loads((state / "api.json").read_text())["url"] + "/hooks/v1/gh"
    finally:
        process.terminate()
        process.wait()


def _table(alone: list[Round], beside: list[Beside]) -> str:
    reviews = [one.reviews for one in beside]
    rows = [
        ("a review, CPU (µs)", median(one.cpu_us for one in alone), median(one.cpu_us for one in reviews)),
        ("a review, p50 (ms)", median(one.p50 for one in alone), median(one.p50 for one in reviews)),
        ("a review, p99 (ms)", median(one.p99 for one in alone), median(one.p99 for one in reviews)),
    ]
    refused = f"beside {median(one.per_second for one in beside):,.0f} refused deliveries a second"
    lines = [f"| {_REVIEWS} reviews a second | alone | {refused} | |", "| --- | ---: | ---: | ---: |"]
    lines += [f"| {name} | {before:,.2f} | {after:,.2f} | {after / before - 1:+.0%} |" for name, before, after in rows]
    delivery = f"{median(one.cpu_us for one in beside):,.0f} µs of CPU, p99 {median(one.p99 for one in beside):,.1f} ms"
    day = datetime.now(UTC).strftime("%d %B %Y")
    lines += ["", f"A refused delivery takes {delivery}. Median of {len(alone)} rounds; {description()}, {day}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
