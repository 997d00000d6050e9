"""Owns the report as one page of HTML that needs nothing else, for a mail or beside a build. Must not hold a script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from reconciler.report.formats import words
from reconciler.report.formats.diff import diff_lines
from reconciler.report.formats.report import Report
from reconciler.report.printable import one_line, visible

_STYLE: Final = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #bbb; padding: .3em .6em; text-align: left; vertical-align: top; }
pre { margin: .3em 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.stale { border: 2px solid #b00020; padding: .6em; }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #e6e6e6; } }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY: Final = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"
_HEADER: Final = ("Severity", "Object", "State", "Since", "Who", "Owner", "Declared in")
_HEADINGS: Final = "".join(f'<th scope="col">{name}</th>' for name in _HEADER)
# Of so many findings the differing fields are shown; the others are lines of the table.
_SHOWN_DIFFS: Final = 500


def as_webpage(report: Report) -> Iterator[str]:
    """A table, the differing fields of a finding below its row. Every value is escaped."""
    now = str(report.metadata.get("generatedAt", ""))
    yield '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Drift</title>\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n<style>{_STYLE}</style></head><body>\n'
    yield f"<h1>Drift</h1>\n<p>As of {_text(report.metadata.get('observedAt') or 'never')}.</p>\n"
    if caution := words.caution(report.metadata):
        yield f'<p class="stale"><strong>Do not rely on this:</strong> {_text(caution)}</p>\n'
    if not report.texts:
        yield "<p>Nothing found.</p>\n</body></html>\n"
        return
    yield f"<table>\n<tr>{_HEADINGS}</tr>\n"
    for number, item in enumerate(report.items()):
        yield _row(item, now, shown=number < _SHOWN_DIFFS)
    yield "</table>\n"
    if remaining := report.metadata.get("remainingItemCount", 0):
        yield f"<p>{int(remaining)} more are not shown.</p>\n"
    yield "</body></html>\n"


def _row(item: Mapping[str, Any], now: str, *, shown: bool) -> str:
    since = words.since(item.get("firstSeen", ""), now)
    object_, fields = words.object_name(item), words.fields(item)
    cells = (words.severity(item), object_, fields, since, words.who(item), words.team(item), words.place(item))
    row = "".join(f"<td>{_text(cell)}</td>" for cell in cells)
    if not (shown and item.get("changes")):
        return f"<tr>{row}</tr>\n"
    text = escape(visible("\n".join(diff_lines(item))))
    return f'<tr>{row}</tr>\n<tr><td colspan="{len(_HEADER)}"><pre>{text}</pre></td></tr>\n'


def _text(value: Any) -> str:
    return escape(one_line(value))
