"""How long one decision takes, in process: decode, decide and encode, without TLS, HTTP or the API server.

    python bench/decision.py                      a few seconds
    python bench/decision.py --objects 10000 --rounds 200

Figures are medians in microseconds, and the ratio of a decision to a calibration loop that was timed in between: the
ratio travels from machine to machine, and through busy hours, better than the time. Asserts answers, never times.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
from support.cases import Case, cases, object_bytes, state_directory
from support.timing import calibrate

from reconciler.snapshot.model import SnapshotView
from webhook.decision.decide import decide
from webhook.decision.review import decode, encode
from webhook.server.feed import Feed

_BATCH = 20


@click.command()
@click.option("--objects", default=1_000, show_default=True, help="Objects in the snapshot.")
@click.option("--rounds", default=40, show_default=True, help="Batches of each case; the median is over batches.")
def main(objects: int, rounds: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="setscrew-bench-") as directory:
        feed = Feed(state_directory(Path(directory), objects) / "snapshots" / "current.json")
        feed.poll()
        snapshot = feed.current()
        if snapshot is None:
            raise SystemExit(feed.problem)
        _table(snapshot, objects, rounds)


def _table(snapshot: SnapshotView, objects: int, rounds: int) -> None:
    calibration: list[float] = []
    rows = []
    for case in cases():
        _check(case, snapshot)
        rows.append((case, _measure(case, snapshot, rounds, calibration)))
    unit = statistics.median(calibration)
    print(f"one decision, in process: object {object_bytes() / 1024:.1f} KiB, snapshot of {objects} objects")
    print(f"calibration loop {unit:.0f} us (median of {len(calibration)})")
    print(
        f"{'case':<10} {'review':>9} {'decode':>9} {'decide':>9} {'encode':>9} {'all three':>10} {'decide / loop':>14}"
    )
    for case, (decoding, deciding, encoding) in rows:
        total = decoding + deciding + encoding
        parts = "".join(f"{part:>7.0f} us" for part in (decoding, deciding, encoding, total))
        print(f"{case.name:<10}{len(case.body) / 1024:>6.1f} KiB{parts} {deciding / unit:>14.2f}")


def _check(case: Case, snapshot: SnapshotView) -> None:
    decision = decide(decode(case.body), snapshot, 0.0)
    if decision.code != case.code:
        raise SystemExit(f"{case.name}: the answer is {decision.code}, not {case.code}: {decision.message}")


def _measure(case: Case, snapshot: SnapshotView, rounds: int, calibration: list[float]) -> tuple[float, float, float]:
    request = decode(case.body)
    decision = decide(request, snapshot, 0.0)
    decoding, deciding, encoding = [], [], []
    for _ in range(rounds):
        calibration.append(_timed(calibrate, 1))
        decoding.append(_timed(lambda: decode(case.body), _BATCH))
        deciding.append(_timed(lambda: decide(request, snapshot, 0.0), _BATCH))
        encoding.append(_timed(lambda: encode(request.uid, decision), _BATCH))
    return statistics.median(decoding), statistics.median(deciding), statistics.median(encoding)


def _timed(work: Callable[[], object], times: int) -> float:
    """Microseconds of one call, as the mean of a batch."""
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times * 1e6


if __name__ == "__main__":
    main()
