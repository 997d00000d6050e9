"""Owns the report as JUnit's XML: a suite a namespace, a case an object. Must not call unknown a success."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from itertools import groupby
from typing import Any, Final

from reconciler.report.formats import words
from reconciler.report.formats.diff import diff_lines
from reconciler.report.formats.report import Report
from reconciler.report.printable import one_line

CLUSTER_SCOPED: Final = "(cluster)"
# What no XML 1.0 document may hold, escaped or not, and what `printable` has left.
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(report: Report) -> Iterator[str]:
    """The first suite says whether the report may be relied on: without findings it is all there is."""
    items = sorted(report.items(), key=lambda item: (str(item["namespace"]), words.object_name(item)))
    errors = sum(item["state"] == "unknown" for item in items)
    stale = words.caution(report.metadata)
    counts = _counts(len(items) + 1, len(items) - errors, errors + bool(stale))
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="setscrew drift" {counts}>\n'
    yield f'<testsuite name="report" {_counts(1, 0, int(bool(stale)))}>'
    problem = f"<error{_attributes(type='stale', message=stale)}/>" if stale else ""
    case = _attributes(classname="setscrew", name="the report is current")
    yield f"<testcase{case}>{problem}</testcase></testsuite>\n"
    for namespace, group in groupby(items, key=lambda item: str(item["namespace"])):
        yield from _suite(namespace, list(group))
    yield "</testsuites>\n"


def _suite(namespace: str, items: list[dict[str, Any]]) -> Iterator[str]:
    errors = sum(item["state"] == "unknown" for item in items)
    name = _attributes(name=namespace or CLUSTER_SCOPED)
    yield f"<testsuite{name} {_counts(len(items), len(items) - errors, errors)}>\n"
    for item in items:
        cluster, group = item.get("cluster", ""), words.group_of(item) or "core"
        place = item.get("source", {}).get("file", "")
        case = _attributes(classname=f"{cluster}.{group}.{item['kind']}", name=words.full_name(item), file=place)
        yield f"<testcase{case}>{_verdict(item)}</testcase>\n"
    yield "</testsuite>\n"


def _verdict(item: Mapping[str, Any]) -> str:
    element = "error" if item["state"] == "unknown" else "failure"
    kind = "unknown" if item["state"] == "unknown" else "drift"
    text = escape(_xml("\n".join(diff_lines(item))), quote=False)
    return f"<{element}{_attributes(type=kind, message=words.fields(item))}>{text}</{element}>"


def _counts(tests: int, failures: int, errors: int) -> str:
    return f'tests="{tests}" failures="{failures}" errors="{errors}" skipped="0"'


def _attributes(**values: str) -> str:
    return "".join(f' {name}="{escape(_xml(one_line(value)))}"' for name, value in values.items() if value)


def _xml(text: str) -> str:
    return _NO_XML.sub("�", text)
