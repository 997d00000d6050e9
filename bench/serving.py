"""The admission server side by side with a minimal one in Go (bench/go): same machine, same reviews, in turns.

    make bench                                    the short form, a few minutes
    make bench-full                               the long one; writes docs/performance.md
    python bench/serving.py --only small          one part: small, big, beside, memory, start, requests, apiserver

Both servers run at once and are asked in turns, so that a busy moment hits both; rounds in which others used more than
12 % of the machine are repeated. CPU is that of the server's processes. Asserts answers, never figures. Linux, Go.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
from support import parts
from support.figures import MARKS, Record, dump, missed, table
from support.golang import build, stop
from support.machine import description
from support.page import PAGE, ROOT, commit, placed
from support.parts import FULL, SHORT, SMOKE, Bench, Form

_RECORD = ROOT / "bench" / "record.json"
PARTS: dict[str, Callable[[Bench], None]] = {
    "small": parts.small,
    "big": parts.big_objects,
    "beside": parts.beside,
    "memory": parts.memory,
    "requests": parts.requests,
    "start": parts.start,
    "apiserver": parts.apiserver,
}


@click.command()
@click.option("--full", "form", flag_value="full", help="The long form: more rounds, a million requests.")
@click.option("--smoke", "form", flag_value="smoke", help="A few requests of each kind: whether all works, no figures.")
@click.option("--only", type=click.Choice(list(PARTS)), multiple=True, help="These parts alone.")
@click.option("--record", is_flag=True, help="Write docs/performance.md.")
def main(form: str | None, only: tuple[str, ...], record: bool) -> None:
    """Print the table."""
    if sys.platform != "linux":
        stop("CPU and memory of processes are read from /proc: this needs Linux")
    if record and (only or form == "smoke"):
        stop("a part is not a record: leave out --record, or --only and --smoke")
    # Whoever ends us ends our servers too: a signal becomes an exception, so that every `with` is left.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = {"full": FULL, "smoke": SMOKE}.get(form or "", SHORT)
    found = _measured(chosen, only or tuple(PARTS))
    print(table(found))
    if missed(found):
        print(f"not reached: {', '.join(missed(found))}")
    if record:
        _RECORD.write_bytes(dump(found))
        PAGE.write_text(placed(PAGE.read_text(), table(found), MARKS))


def _measured(form: Form, names: tuple[str, ...]) -> Record:
    record = Record(description(), datetime.now(UTC).strftime("%d %B %Y"), commit(), form.command, form.requests)
    with tempfile.TemporaryDirectory(prefix="setscrew-bench-") as directory:
        _say("building the Go server and the load client")
        bench = Bench(Path(directory), form, build(Path(directory)), record, _say)
        began = time.monotonic()
        for number, name in enumerate(names, 1):
            bench.part = f"[{number}/{len(names)} {name}]"
            PARTS[name](bench)
        record.notes += bench.remarks(time.monotonic() - began)
    return record


def _say(text: str) -> None:
    """One line on stderr, rewritten on a terminal."""
    terminal = sys.stderr.isatty()
    print(f"\033[K{text}" if terminal else text, end="\r" if terminal else "\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
