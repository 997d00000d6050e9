"""Owns the composition of one admission worker: settings, snapshot feed, decision and sockets put together.

The only place of the server that reads the clock and the environment.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from reconciler.errors import place
from reconciler.gpu.users import published
from reconciler.limits import SNAPSHOT_POLL_SECONDS
from reconciler.policy import grant_file
from webhook.server.app import AdmissionApp
from webhook.server.board import Seat
from webhook.server.census import CensusFeed
from webhook.server.documents import parse
from webhook.server.grants import GrantFeed
from webhook.server.judge import Judge
from webhook.server.meter import RowMeter
from webhook.server.metrics import Exposition
from webhook.server.ports import Decide, Decode, Encode, FollowedFeed
from webhook.server.recorder import DatagramRecorder
from webhook.server.refresh import Refresher, ask_reconciler
from webhook.server.rulebook import new_errors
from webhook.server.scrape import serve_metrics
from webhook.server.vitals import Vitals
from webhook.settings import AdmissionSettings

_LOG = logging.getLogger("setscrew.admission")


def create_app(
    feed: FollowedFeed, decide: Decide, decode: Decode, encode: Encode, settings: AdmissionSettings, seat: Seat
) -> AdmissionApp:
    """The ASGI callable around `decide`. Call it after the fork: the feed holds an open file."""
    # One thread for all polls, so that they never overlap; a new snapshot's digest takes too long for the loop.
    poller = ThreadPoolExecutor(1, "snapshot")

    grants = GrantFeed(settings.state_dir / grant_file.NAME)

    def look() -> None:
        grants.poll()
        feed.poll()

    async def poll() -> None:
        await asyncio.get_running_loop().run_in_executor(poller, look)

    async def poll_always() -> None:
        while True:
            try:
                await poll()
            except Exception as error:  # noqa: BLE001 - the last good snapshot stays, and the next look may succeed
                _LOG.error("the snapshot could not be read: %s", place(error))
            await asyncio.sleep(SNAPSHOT_POLL_SECONDS)

    refresh = Refresher(partial(ask_reconciler, settings.refresh_socket), poll)
    recorder = DatagramRecorder(settings.decisions_socket)
    meter = RowMeter(seat.row)
    judge = Judge(
        *(feed, decide, decode, encode, refresh, recorder, time.time, grants.current, meter),  # noqa: TID251
        census=CensusFeed(settings.state_dir / published.FILE, time.time).current,  # noqa: TID251
    )
    vitals = Vitals(seat.row, feed, grants, recorder, judge)

    def beat() -> Awaitable[None]:
        return vitals.beat(app)

    show = Exposition(seat.board, feed.current, time.time).text  # noqa: TID251
    scrapes = (partial(serve_metrics, seat.metrics, show),) if seat.metrics is not None else ()
    app = AdmissionApp(judge, (poll_always, recorder.run, beat, *scrapes), recorder.flush, seat, settings.client_names)
    return app


def application(seat: Seat) -> AdmissionApp:
    """What each gunicorn worker loads, after the fork."""
    from webhook.decision.decide import decide
    from webhook.decision.review import decode, encode
    from webhook.server.feed import Feed

    settings = settings_of_process()
    how = partial(decide, parse=parse, rulebook=new_errors)
    return create_app(Feed(settings.pointer), how, decode, encode, settings, seat)


def settings_of_process() -> AdmissionSettings:
    """Gunicorn passes only its own settings to workers, so ours travel in the environment. Raises UsageError."""
    return AdmissionSettings.from_environment(os.environ)  # noqa: TID251
