"""Owns the report as data for programs: JSON, one JSON a line, YAML. Must not change what findings say."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import msgspec

from reconciler.report.formats.report import Report

_AT_ONCE = 200


def as_json(report: Report) -> Iterator[str]:
    """A DriftList. Findings are passed on as they are stored."""
    head = msgspec.json.encode(report.head).decode()
    yield head[:-1] + (", " if len(head) > 2 else "") + '"items": [\n'
    yield from _joined(report.shown_texts(), ",\n")
    yield "\n]}\n"


def as_ndjson(report: Report) -> Iterator[str]:
    """One finding a line; the envelope is the first line, so that nobody takes a stale report for an empty one."""
    yield msgspec.json.encode(report.head).decode() + "\n"
    yield from _joined(chain(report.shown_texts(), ("",)), "\n")


def as_yaml(report: Report) -> Iterator[str]:
    """The same list as YAML."""
    yield msgspec.yaml.encode(report.head).decode()
    if not report.texts:
        yield "items: []\n"
        return
    yield "items:\n"
    for item in report.shown():
        yield msgspec.yaml.encode([item]).decode()


def _joined(texts: Iterator[str], between: str) -> Iterator[str]:
    """The texts with `between` in between, some hundred at a time: a piece for each would cost more than it carries."""
    some: list[str] = []
    begun = ""
    for text in texts:
        some.append(text)
        if len(some) == _AT_ONCE:
            yield begun + between.join(some)
            some, begun = [], between
    if some:
        yield begun + between.join(some)
