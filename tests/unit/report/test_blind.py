"""What the report says of blindness: one line a span, for people, and nothing that moves while nothing happens."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.report.blind import blind_line, blind_lines, blind_summary, steady

ENDED = {
    "id": "1", "cause": "fail-open", "since": "2030-01-02T12:00:00Z", "until": "2030-01-02T12:01:00Z",
    "seen": "2030-01-02T12:01:00Z", "entries": ["apps-v1.guard.setscrew.dev"], "writes": 12, "detail": "",
}  # fmt: skip
OPEN: dict[str, Any] = {**ENDED, "until": "", "cause": "canary", "writes": None, "entries": []}


@pytest.mark.parametrize(
    ("span", "line"),
    [
        (
            ENDED,
            "from 2030-01-02T12:00:00Z to 2030-01-02T12:01:00Z: 12 writes passed unjudged (fail-open; entry apps-v1)",
        ),
        ({**ENDED, "writes": 1, "entries": [f"e{n}" for n in range(7)]}, "e0, e1, e2, e3, e4 and 2 more)"),
        ({**OPEN, "detail": "why"}, "not known (canary, all entries): why"),
    ],
    ids=["ended", "many entries", "open"],
)
def test_a_span_reads_as_one_sentence(span: dict[str, Any], line: str) -> None:
    assert blind_line(span).endswith(line)


def test_a_span_never_says_what_a_terminal_would_obey() -> None:
    assert blind_line({**ENDED, "detail": "by \x1b[2J\n\u202eeve"}).isprintable()


def test_the_summary_tells_open_spans_from_ended_ones_and_how_each_watch_stands() -> None:
    watches = {"canary": {"state": "off", "detail": "d", "fix": "f", "entries": {"much": 1}, "at": "t"}}
    found = blind_summary([OPEN, ENDED], watches)
    assert (found["open"], found["last"]) == ([OPEN], [ENDED])
    assert found["canary"] == {"state": "off", "detail": "d", "fix": "f"}


def test_the_times_of_looks_are_no_change() -> None:
    assert steady(blind_summary([{**OPEN, "seen": "later"}], {})) == steady(blind_summary([OPEN], {}))
    assert steady(blind_summary([OPEN], {})) != steady(blind_summary([], {}))


def test_people_read_what_is_what_was_and_which_watch_does_not_work() -> None:
    watches = {
        "canary": {"state": "not-configured", "detail": "nobody proves it", "fix": "give --canary-kubeconfig"},
        "failOpen": {"state": "counted"},
    }
    lines = list(blind_lines(blind_summary([OPEN, *[ENDED] * 9], watches)))
    assert len(lines) == 5
    assert lines[0].startswith("Blind from 2030-01-02T12:00:00Z until now")
    assert lines[-1] == "Canary: not-configured: nobody proves it (give --canary-kubeconfig)"
    assert list(blind_lines({})) == []
