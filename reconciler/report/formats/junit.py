"""Owns the report as JUnit's XML: a suite a namespace, a case an object. Must not call unknown a success.

What is in sync has passed, what Git itself lets stay is skipped, what nobody can tell is an error, all else has failed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import groupby
from typing import Any, Final

from reconciler.report.formats import words
from reconciler.report.formats.diff import diff_lines
from reconciler.report.formats.report import Report
from reconciler.report.printable import one_line

CLUSTER_SCOPED: Final = "(cluster)"
_PASSED: Final = "passed"
# What no XML 1.0 document may hold, escaped or not, and what `printable` has left.
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(report: Report) -> Iterator[str]:
    """The first suite says whether the report may be relied on: without findings it is all there is."""
    items = sorted(report.items(), key=lambda item: (str(item["namespace"]), words.object_name(item)))
    stale = words.caution(report.metadata)
    own = Counter({"error": 1} if stale else {_PASSED: 1})
    counts = _counts(_verdicts(items) + own)
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="setscrew drift" {counts}>\n'
    yield f'<testsuite name="report" {_counts(own)}>'
    problem = f"<error{_attributes(type='stale', message=stale)}/>" if stale else ""
    case = _attributes(classname="setscrew", name="the report is current")
    yield f"<testcase{case}>{problem}</testcase></testsuite>\n"
    for namespace, group in groupby(items, key=lambda item: str(item["namespace"])):
        yield from _suite(namespace, list(group))
    yield "</testsuites>\n"


def _suite(namespace: str, items: list[dict[str, Any]]) -> Iterator[str]:
    name = _attributes(name=namespace or CLUSTER_SCOPED)
    yield f"<testsuite{name} {_counts(_verdicts(items))}>\n"
    for item in items:
        cluster, group = item.get("cluster", ""), words.group_of(item) or "core"
        place = item.get("source", {}).get("file", "")
        case = _attributes(classname=f"{cluster}.{group}.{item['kind']}", name=words.full_name(item), file=place)
        yield f"<testcase{case}>{_told(item)}</testcase>\n"
    yield "</testsuite>\n"


def _verdict(item: Mapping[str, Any]) -> str:
    """The element that says what became of a case, _PASSED for none."""
    if words.kept_on_purpose(item):
        return "skipped"
    return {words.IN_SYNC: _PASSED, "unknown": "error"}.get(str(item["state"]), "failure")


def _verdicts(items: Iterable[Mapping[str, Any]]) -> Counter[str]:
    return Counter(map(_verdict, items))


def _told(item: Mapping[str, Any]) -> str:
    element = _verdict(item)
    if element == _PASSED:
        return ""
    if element == "skipped":
        return f"<skipped{_attributes(message=str(item.get('severityReason') or words.fields(item)))}/>"
    kind = "unknown" if element == "error" else "drift"
    text = escape(_xml("\n".join(diff_lines(item))), quote=False)
    return f"<{element}{_attributes(type=kind, message=words.fields(item))}>{text}</{element}>"


def _counts(found: Counter[str]) -> str:
    return (
        f'tests="{found.total()}" failures="{found["failure"]}" errors="{found["error"]}" skipped="{found["skipped"]}"'
    )


def _attributes(**values: str) -> str:
    return "".join(f' {name}="{escape(_xml(one_line(value)))}"' for name, value in values.items() if value)


def _xml(text: str) -> str:
    return _NO_XML.sub("�", text)
