"""Holds that a connection which the API server has opened in vain is there when it is wanted later.

Go dials for a call, takes a connection that has become free meanwhile, and keeps the new one, unused, for a later call.
A POST over a connection that the server has closed by then is not tried again: the write fails or passes unjudged.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reconciler.limits import HEADER_SECONDS
from tests.support.admission import a_review, admission_server, exchange
from webhook.settings import WORKERS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


@pytest.mark.parametrize("kind", WORKERS)
def test_a_connection_that_was_opened_in_vain_can_be_used_later(tmp_path: Path, kind: str) -> None:
    with admission_server(tmp_path, environment={"SETSCREW_ADMISSION_WORKER": kind}) as server:
        connection = server.connect(timeout=30)
        connection.connect()
        time.sleep(HEADER_SECONDS + 2)
        assert exchange(connection, a_review("late"))[1]["response"]["uid"] == "late"
