"""Where a review's time goes in a worker: cProfile over the real application and its protocol, without TLS.

    python bench/where_time_goes.py deny
    python bench/where_time_goes.py unguarded --lines 30

The profiler makes every Python call dearer, so read shares and not times; bench/serving.py has the times.
"""

from __future__ import annotations

import asyncio
import cProfile
import pstats
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from support.cases import Case, cases, state_directory

from reconciler.limits import ADMISSION_KEEPALIVE_SECONDS
from webhook.decision.decide import decide
from webhook.decision.review import decode, encode
from webhook.server import memory
from webhook.server.app import AdmissionApp
from webhook.server.board import Seat
from webhook.server.feed import Feed
from webhook.server.main import create_app
from webhook.server.protocol import AdmissionProtocol
from webhook.settings import AdmissionSettings

_OBJECTS = 1_000
_WARM, _REVIEWS = 200, 2_000
_HEAD = (
    b"POST /validate/apps/v1?timeout=3s HTTP/1.1\r\nHost: 127.0.0.1:8443\r\nUser-Agent: kube-apiserver-admission\r\n"
    b"Content-Length: %d\r\nAccept: application/json, */*\r\nContent-Type: application/json\r\n"
    b"Accept-Encoding: gzip\r\n\r\n"
)


class _Client(asyncio.Transport):
    """Sends one review over and over, and looks at each answer."""

    def __init__(self, app: AdmissionApp, case: Case) -> None:
        super().__init__()
        self._request = _HEAD % len(case.body) + case.body
        self._expected = b'"allowed":%b' % str(case.allowed).lower().encode()
        self._protocol = AdmissionProtocol(app, set(), ADMISSION_KEEPALIVE_SECONDS)
        self._protocol.connection_made(self)
        self._answers = 0

    def ask(self, times: int) -> None:
        """So often. Ends the run where an answer is wrong, or has to be waited for."""
        wanted = self._answers + times
        for _ in range(times):
            self._protocol.data_received(self._request)
        if self._answers != wanted:
            raise SystemExit(f"{wanted - self._answers} of {times} reviews were not answered at once")

    def write(self, data: Any) -> None:
        """An answer."""
        if self._expected not in data:
            raise SystemExit(f"a wrong answer: {data[:300]!r}")
        self._answers += 1


@click.command()
@click.argument("name", type=click.Choice([case.name for case in cases()]))
@click.option("--lines", default=20, show_default=True, help="Functions to show.")
def main(name: str, lines: int) -> None:
    """Profile one of the small reviews."""
    case = next(one for one in cases() if one.name == name)
    with tempfile.TemporaryDirectory(prefix="setscrew-where-") as directory:
        settings = AdmissionSettings.in_directory(state_directory(Path(directory), _OBJECTS))
        memory.prepare()
        feed = Feed(settings.pointer)
        feed.poll()
        profile = asyncio.run(_profiled(create_app(feed, decide, decode, encode, settings, Seat()), case))
    pstats.Stats(profile, stream=sys.stdout).strip_dirs().sort_stats("tottime").print_stats(lines)


async def _profiled(app: AdmissionApp, case: Case) -> cProfile.Profile:
    client = _Client(app, case)
    client.ask(_WARM)
    profile = cProfile.Profile()
    profile.enable()
    client.ask(_REVIEWS)
    profile.disable()
    return profile


if __name__ == "__main__":
    main()
