"""Owns the page at `/`: the report for eyes, without script. Every value is escaped by the template engine."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from flask import Blueprint, Response, render_template_string, request

from reconciler.limits import REPORT_PAGE
from reconciler.report.blind import blind_lines
from reconciler.report.printable import one_line
from webhook.api.ports import ApiSettings, ApiState
from webhook.api.report import DRIFT_FILTERS, drift_report, query


def blueprint(state: ApiState, settings: ApiSettings) -> Blueprint:
    """`/`."""
    routes = Blueprint("page", __name__)
    here = files("webhook.api")
    template = (here / "templates" / "report.html").read_text("utf-8")
    style = (here / "templates" / "report.css").read_text("utf-8")
    policy = _policy(style)

    @routes.get("/")
    def page() -> Response:
        filters, limit = query(request.args, DRIFT_FILTERS)
        report = drift_report(state, settings, filters, limit or REPORT_PAGE).as_json()
        blind = list(blind_lines(report["summary"]["blind"]))
        text = render_template_string(
            template,
            style=style,
            report=report,
            sources=state.sources(),
            filters=filters,
            blind=blind,
            one_line=one_line,
        )
        return Response(text, headers={"Content-Security-Policy": policy}, content_type="text/html; charset=utf-8")

    return routes


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
