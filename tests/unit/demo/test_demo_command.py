"""The command's ends: exit statuses, one clear line where something is missing, and signals."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import NoReturn

import pytest
from click.testing import CliRunner

from reconciler.errors import ToolMissingError
from setscrew.cli import main
from setscrew.demo import guided, story


def test_without_a_checkout_there_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "__file__", str(tmp_path / "setscrew" / "demo" / "story.py"))
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1
    assert "clone the repository and run `make demo`" in result.output


def test_a_missing_program_ends_in_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def ensure(names: object) -> NoReturn:
        raise ToolMissingError("kube-apiserver is not here, and neither is Go to build it", hint="install Go")

    monkeypatch.setattr(guided, "ensure", ensure)
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 2
    assert result.output.splitlines() == [
        "setscrew: kube-apiserver is not here, and neither is Go to build it (install Go) [SS1100]"
    ]


@pytest.mark.parametrize("status", [0, 1])
def test_the_exit_status_says_whether_all_answers_were_as_announced(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(guided, "play", lambda _: status)
    assert CliRunner().invoke(main, ["demo"]).exit_code == status


def test_options_of_a_source_need_a_source() -> None:
    result = CliRunner().invoke(main, ["demo", "--namespace", "shop"])
    assert result.exit_code == 2
    assert "add --source PATH" in result.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_unwinds_and_is_told_by_the_exit_status(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    unwound = []

    def play(console: object) -> int:
        try:
            os.kill(os.getpid(), number)
            return 0
        finally:
            os.kill(os.getpid(), number)  # the second one must not cut the unwinding short
            unwound.append(number)

    before = signal.getsignal(number)
    monkeypatch.setattr(guided, "play", play)
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 128 + number
    assert unwound == [number]
    assert signal.getsignal(number) == before


def test_help_teaches_what_happens_and_what_the_exit_status_means() -> None:
    text = CliRunner().invoke(main, ["demo", "--help"]).output
    for part in ("setscrew demo --source", "Exit status: 0", "Ctrl-C", "about a minute"):
        assert part in text
