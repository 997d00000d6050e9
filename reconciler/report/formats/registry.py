"""Owns the list of formats: name, media type, how it is made, and how many findings it holds unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.limits import REPORT_PAGE
from reconciler.report.formats.cloudevents import as_cloudevents
from reconciler.report.formats.diff import as_diff
from reconciler.report.formats.junit import as_junit
from reconciler.report.formats.markdown import as_markdown
from reconciler.report.formats.openmetrics import as_openmetrics
from reconciler.report.formats.openreports import as_openreports
from reconciler.report.formats.plain import as_json, as_ndjson, as_yaml
from reconciler.report.formats.report import Report
from reconciler.report.formats.sarif import as_sarif
from reconciler.report.formats.sheet import as_sheet, as_table
from reconciler.report.formats.webpage import POLICY, as_webpage

Render = Callable[[Report], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Format:
    """One format. `negotiated`: `Accept` may ask for it by its media type, which no other format has.

    `passes`: it tells also what is in sync, as tests that have passed. `version` is that of the media type, "" for one
    that has none. `policy`: what a browser that shows it may do, "" for nothing.
    """

    name: str
    media_type: str
    render: Render
    limit: int | None = None
    negotiated: bool = True
    passes: bool = False
    version: str = ""
    policy: str = ""

    @property
    def content_type(self) -> str:
        """The media type with its parameters, but for the charset."""
        return f"{self.media_type}; version={self.version}" if self.version else self.media_type


_ALL: Final = (
    Format("json", "application/json", as_json, REPORT_PAGE),
    Format("yaml", "application/yaml", as_yaml, REPORT_PAGE),
    Format("text", "text/plain", as_table, REPORT_PAGE),
    Format("ndjson", "application/x-ndjson", as_ndjson),
    Format("csv", "text/csv", as_sheet),
    Format("diff", "text/x-diff", as_diff),
    Format("markdown", "text/markdown", as_markdown),
    Format("sarif", "application/sarif+json", as_sarif),
    Format("junit", "application/xml", as_junit, passes=True),
    Format("html", "text/html", as_webpage, policy=POLICY),
    Format("cloudevents", "application/cloudevents-batch+json", as_cloudevents),
    Format("prom", "application/openmetrics-text", as_openmetrics, version="1.0.0"),
    Format("openreports", "application/json", as_openreports, negotiated=False, passes=True),
)
FORMATS: Final[Mapping[str, Format]] = {one.name: one for one in _ALL}
DEFAULT: Final = FORMATS["json"]


def render(name: str, report: Report) -> Iterator[str]:
    """The report in the format of that name, piece by piece. Raises KeyError for one that there is not."""
    return FORMATS[name].render(report)
