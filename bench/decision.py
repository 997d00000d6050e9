"""What one decision costs, in process: decode, decide and encode, without TLS, HTTP or the API server.

    python bench/decision.py                      half a minute
    python bench/decision.py --objects 1000 --rounds 30
    python bench/decision.py --big                also objects of 1 and 3 MB

Each decision is about another object, chosen by chance, so that its row has to be read. Figures are CPU microseconds,
the best of many short batches: on a shared machine the others are the neighbours' doing. The ratio to a calibration
loop, timed in between, travels from machine to machine and through busy hours better than the time; the number of
calls of Python functions is the same everywhere. Asserts answers, never times.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import click
from support.big import CRD, big
from support.cases import NAME, Case, cases, object_bytes, state_directory
from support.timing import calibrate, seconds

from reconciler.snapshot.model import SnapshotView
from webhook.decision.decide import decide
from webhook.decision.review import decode, encode
from webhook.decision.types import Decision
from webhook.server import memory
from webhook.server.feed import Feed
from webhook.server.memory import uncollected

_BATCH = 10
_BIG_BATCH = 1
_BIG_BYTES = 100_000


class Cost(NamedTuple):
    """CPU microseconds: of reading the envelope, of the decision with all that it reads, of writing the answer."""

    decode: float
    decide: float
    encode: float


@click.command()
@click.option("--objects", default=10_000, show_default=True, help="Objects in the snapshot.")
@click.option("--rounds", default=100, show_default=True, help="Batches of each case; the best counts.")
@click.option("--big", "with_big", is_flag=True, help="Objects of 1 and 3 MB as well.")
def main(objects: int, rounds: int, with_big: bool) -> None:
    """Print the table."""
    large = big() if with_big else ()
    chosen = (*cases(), *(case for one in large for case in one.cases()))
    with tempfile.TemporaryDirectory(prefix="setscrew-bench-") as directory:
        state_directory(Path(directory), objects, [CRD], lambda context: [one.entry(context) for one in large])
        feed = Feed.of(Path(directory))
        snapshot = feed.current()
        if snapshot is None:
            raise SystemExit(feed.problem)
        memory.prepare()  # as the server does
        _table(chosen, snapshot, objects, rounds)


def _table(chosen: Sequence[Case], snapshot: SnapshotView, objects: int, rounds: int) -> None:
    unit, rows = _measured(chosen, snapshot, objects, rounds)
    print(f"one decision, in process: object {object_bytes() / 1024:.1f} KiB, snapshot of {objects} objects")
    print(f"calibration loop {unit:.0f} us of CPU (best of {rounds})")
    print(
        f"{'case':<10} {'review':>11} {'decode':>10} {'decide':>10} {'encode':>9} {'all three':>11} {'all / loop':>11}"
        f" {'calls':>7}"
    )
    for case, cost in zip(chosen, rows, strict=True):
        parts = f"{cost.decode:>8.0f} us{cost.decide:>8.0f} us{cost.encode:>7.0f} us{sum(cost):>9.0f} us"
        calls = _calls(case, snapshot)
        print(f"{case.name:<10} {len(case.body) / 1024:>7.1f} KiB{parts} {sum(cost) / unit:>11.3f} {calls:>7}")


def _measured(chosen: Sequence[Case], snapshot: SnapshotView, objects: int, rounds: int) -> tuple[float, list[Cost]]:
    """The calibration loop and each case, all of them once in each round."""
    for case in chosen:
        _check(case, snapshot)
    unit, best = float("inf"), [Cost(*[float("inf")] * 3) for _ in chosen]
    for _ in range(rounds):
        unit = min(unit, seconds(calibrate) * 1e6)
        costs = [_cost(case, snapshot, objects) for case in chosen]
        best = [Cost(*map(min, one, cost)) for one, cost in zip(best, costs, strict=True)]
    return unit, best


def _check(case: Case, snapshot: SnapshotView) -> None:
    decision = decide(decode(case.body), snapshot, 0.0)
    if decision.code != case.code:
        raise SystemExit(f"{case.name}: the answer is {decision.code}, not {case.code}: {decision.message}")


def _cost(case: Case, snapshot: SnapshotView, objects: int) -> Cost:
    big = len(case.body) > _BIG_BYTES
    times = _BIG_BATCH if big else _BATCH
    bodies = [_about_another(case.body, objects) for _ in range(times)]
    # Objects are read once, when the decision looks at them: each decision needs a request of its own.
    requests = [decode(body) for body in bodies]
    waiting = iter(requests)
    decision = decide(decode(case.body), snapshot, 0.0)

    def work() -> Decision:
        return decide(next(waiting), snapshot, 0.0)

    unread = iter(bodies)
    return Cost(
        _each(lambda: decode(next(unread)), times),
        _each(lambda: uncollected(work) if big else work(), times),
        _each(lambda: encode(requests[0].uid, decision), times),
    )


def _about_another(body: bytes, objects: int) -> bytes:
    """The review of another copy of the Deployment; the big objects are the only ones of their names."""
    return body.replace(NAME.encode(), f"web-{random.randrange(objects):06}".encode())  # noqa: S311 - a sample


def _calls(case: Case, snapshot: SnapshotView) -> int:
    """How many Python functions one review enters or re-enters."""
    count = 0

    def called(_: FrameType, event: str, __: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(called)
    request = decode(case.body)
    encode(request.uid, decide(request, snapshot, 0.0))
    sys.setprofile(None)
    return count


def _each(work: Callable[[], object], times: int) -> float:
    """CPU microseconds of one call, as the mean of a batch."""
    return seconds(lambda: [work() for _ in range(times)]) / times * 1e6


if __name__ == "__main__":
    main()
