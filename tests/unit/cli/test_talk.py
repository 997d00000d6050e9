"""Lines for people: what they look like, and that nobody dies of one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from setscrew import reconcile
from setscrew.talk import tell


def test_the_reconciler_says_when_and_who(capsys: pytest.CaptureFixture[str]) -> None:
    reconcile.say("well")
    assert re.fullmatch(r"\d\d:\d\d:\d\d reconciler: well\n", capsys.readouterr().err)


@pytest.mark.parametrize("say", [tell, reconcile.say])
@pytest.mark.parametrize("closed", [False, True], ids=["full", "closed"])
def test_a_log_that_takes_no_line_ends_nobody(say: object, closed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(say)
    log = Path("/dev/full").open("w")  # noqa: SIM115 - closing it fails as well
    if closed:
        log.close()
    monkeypatch.setattr("sys.stderr", log)
    say("well")
