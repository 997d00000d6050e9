"""Holds that a long build shows that it lives: in place on a terminal, by lines in a log."""

from __future__ import annotations

import io

import pytest

from setscrew.controlplane.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_a_line_when_the_text_changes_and_every_thirty_seconds() -> None:
    stream, now = io.StringIO(), [0.0]
    shown = Progress(stream, clock=lambda: now[0])
    for second in range(65):
        now[0] = second
        shown.tick("building etcd" if second < 40 else "building helm")
    assert stream.getvalue().splitlines() == ["0:00 building etcd", "0:30 building etcd", "0:40 building helm"]


def test_a_terminal_gets_one_line_that_is_rewritten_and_cleared() -> None:
    stream, now = Terminal(), [1000.0]
    shown = Progress(stream, clock=lambda: now[0])
    shown.tick("building kube-apiserver")
    now[0] += 61
    shown.tick("building etcd")
    shown.done("built etcd")
    first, second, blank, last = stream.getvalue().split("\r")[1:]
    assert first == "0:00 building kube-apiserver"
    assert second == "1:01 building etcd".ljust(len(first))
    assert blank.strip() == ""
    assert last == "built etcd in 1:01\n"


def test_a_narrow_terminal_gets_a_line_that_does_not_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    Progress(stream).tick("building kube-controller-manager")
    assert stream.getvalue() == "\r0:00 building kube-"
