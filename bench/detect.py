"""From a write to its finding: how long it takes while many objects change, its cost at rest, and a poller beside it.

    python bench/detect.py                     10,000 guarded objects, 50 changes a second, a poller every 180 seconds
    python bench/detect.py --objects 500 --seconds 10 --every 5
    python bench/detect.py --record            write docs/performance.md

Real parts: a control plane, `setscrew run`. The poller lists the same objects, as tools without a watch do, in this
process. Asserts that each write is found, never a figure. Linux.
"""

from __future__ import annotations

import random
import re
import sqlite3
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import click
from support.bulk import MAPS, WRITERS, create, declare, drift, drifted, name, reconciler_of
from support.machine import cpu_seconds, resident_mib
from support.page import PAGE, placed
from support.wanted import Row, wanted

from reconciler.cluster.api import ApiClient
from reconciler.cluster.live import list_live
from reconciler.limits import PASS_SECONDS
from setscrew.demo.stage import Stage

_MARKS = ("<!-- detect: begin (written by `bench/detect.py --record`, do not edit) -->", "<!-- detect: end -->")
_REST_SECONDS, _GLANCE_SECONDS = 30.0, 0.005
_PATIENCE_SECONDS = 1800.0


@dataclass(slots=True)
class Seen:
    """When each drift was written, and when it was found first, in monotonic seconds."""

    written: dict[str, float] = field(default_factory=dict)
    found: dict[str, float] = field(default_factory=dict)

    def take(self, names: set[str]) -> None:
        """These differ now."""
        now = time.monotonic()
        self.found |= dict.fromkeys(names & self.written.keys() - self.found.keys(), now)

    @property
    def times(self) -> list[float]:
        """Seconds from write to finding, in order."""
        return sorted(self.found[name] - at for name, at in self.written.items() if name in self.found)


@click.command()
@click.option("--objects", default=10_000, show_default=True, help="How many objects are guarded.")
@click.option("--rate", default=50.0, show_default=True, help="Changes a second.")
@click.option("--seconds", default=190.0, show_default=True, help="How long objects are changed.")
@click.option("--every", default=180.0, show_default=True, help="Seconds between two looks of the poller.")
@click.option("--record", is_flag=True, help="Write docs/performance.md.")
def main(*, objects: int, rate: float, seconds: float, every: float, record: bool) -> None:
    """Print the table."""
    sources = {"bulk": {"path": "bulk", "render": {"kind": "YAML"}}}
    with Stage(
        sources, lambda work: declare(work / "bulk", range(objects)), scan_seconds=PASS_SECONDS, canary_seconds=3600
    ) as stage:
        rows = _measured(stage, objects, rate, seconds, every)
    text = wanted(rows)
    print(text, end="")
    if record:
        PAGE.write_text(placed(PAGE.read_text(), text, _MARKS))


def _measured(stage: Stage, objects: int, rate: float, seconds: float, every: float) -> list[Row]:
    client = ApiClient.load(str(stage.plane.admin_kubeconfig), connections=WRITERS)
    create(client, objects)
    stage.start_setscrew(register=False)
    stage.wait("server forms of all, each in sync", lambda: _is_quiet(stage, objects), _PATIENCE_SECONDS)
    pid = reconciler_of(stage)
    before = cpu_seconds([pid])
    time.sleep(_REST_SECONDS)
    rest = (cpu_seconds([pid]) - before) / _REST_SECONDS
    ours, theirs, stop = Seen(), Seen(), threading.Event()
    poller = _Poller(client, theirs, every, stop)
    observers = [threading.Thread(target=_observe, args=(stage, ours, stop)), threading.Thread(target=poller.run)]
    for one in observers:
        one.start()
    compared, requests, began = _compared(stage), _requests(client), cpu_seconds([pid])
    _change(client, [ours, theirs], objects, rate, seconds)
    stage.wait("a finding of each write", lambda: len(ours.times) == len(ours.written), 60)
    busy = (cpu_seconds([pid]) - began) / seconds
    passes = int(_compared(stage) != compared)
    asked = _requests(client) - requests - poller.requests - len(ours.written)
    stop.set()
    for one in observers:
        one.join()
    scale, minutes = f"{objects:,} objects, {rate:g} changes/s", seconds / 60
    return [
        Row(f"write to finding, {scale}, median", 1000 * statistics.median(ours.times), "ms", 200),
        Row("the same, 99th percentile", 1000 * _percentile(ours.times, 0.99), "ms", 1000),
        Row("the same, slowest", 1000 * ours.times[-1], "ms"),
        Row("full passes that ended meanwhile, at least", passes, "passes"),
        Row("CPU of the reconciler at rest, of one core", 100 * rest, "%", 5),
        Row("the same while objects change", 100 * busy, "%"),
        Row("memory of the reconciler (RSS)", resident_mib(pid)[0], "MiB", 250),
        Row("requests of the reconciler for these objects, a minute", asked / minutes, "requests"),
        Row(f"a poller every {every:g} s: write to its look, median", statistics.median(theirs.times or [0]), "s"),
        Row("the same, slowest", max(theirs.times, default=0), "s"),
        Row("drifts that it did not see in this time", len(theirs.written) - len(theirs.times), "drifts"),
        Row("requests of it, a minute", poller.requests / minutes, "requests"),
        Row("objects that it was sent, a minute", poller.objects / minutes, "objects"),
    ]


def _observe(stage: Stage, seen: Seen, stop: threading.Event) -> None:
    """What the report would show: the tables that it is read from, and of these only what has come since.

    What is detected stands there from the moment when its finding does. So asking costs little of what is measured.
    """
    database = sqlite3.connect(f"{(stage.state_dir / 'state.db').as_uri()}?mode=ro", uri=True)
    found = "SELECT seq, name FROM history JOIN lines USING (id) WHERE seq > ? AND state = 'drifted' ORDER BY seq"
    last = 0
    while not stop.wait(_GLANCE_SECONDS):
        rows = database.execute(found, (last,)).fetchall()
        last = max((seq for seq, _ in rows), default=last)
        seen.take({str(name) for _, name in rows})


def _compared(stage: Stage) -> str:
    """When the last full pass began."""
    return str((stage.drift() or {}).get("metadata", {}).get("observedAt", ""))


@dataclass(slots=True)
class _Poller:
    """Lists all, finds what differs, waits, and so on."""

    client: ApiClient
    seen: Seen
    every: float
    stop: threading.Event
    requests: int = 0
    objects: int = 0

    def run(self) -> None:
        """Until it is stopped."""
        while True:
            live = list_live(self.client, [MAPS]).objects
            self.seen.take({ref.name for ref, tree in live.items() if drifted(tree)})
            self.requests += 1 + len(live) // 500
            self.objects += len(live)
            if self.stop.wait(self.every):
                return


def _change(client: ApiClient, seen: list[Seen], objects: int, rate: float, seconds: float) -> None:
    """Write drift into one object after the other, in an order that nobody can foresee."""
    order = random.sample(range(objects), min(objects, int(rate * seconds)))

    def write(number: int) -> None:
        for one in seen:
            one.written[name(number)] = time.monotonic()
        drift(client, number)

    began = time.monotonic()
    with ThreadPoolExecutor(WRITERS) as pool:
        for turn, number in enumerate(order):
            time.sleep(max(0.0, began + turn / rate - time.monotonic()))
            pool.submit(write, number)


def _requests(client: ApiClient) -> int:
    """How many requests for ConfigMaps the API server has answered, watches aside."""
    pattern = re.compile(rb'apiserver_request_total\{[^}]*resource="configmaps"[^}]*\} (\d+)')
    lines = (line for line in client.lines("/metrics") if b'verb="WATCH"' not in line)
    return sum(int(found[1]) for line in lines if (found := pattern.match(line)))


def _is_quiet(stage: Stage, objects: int) -> bool:
    time.sleep(5)
    found = stage.drift() or {}
    summary, metadata = found.get("summary", {}), found.get("metadata", {})
    known = summary.get("managed") == objects and not summary["total"] and bool(metadata["currentAt"])
    # Asking for forms takes more of both cores than all that is measured, and what they change is looked at after it.
    return known and not stage.unconfirmed() and metadata["snapshot"] == stage.snapshot().digest


def _percentile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))]


if __name__ == "__main__":
    main()
