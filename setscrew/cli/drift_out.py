"""Owns in which format `drift` and `diff` print a report. Must not ask for one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import click

# For people on a terminal, as they look there; the others are what the API serves.
_TERMINAL: Final = ("table", "wide", "diff")
_FILES: Final = ("ndjson", "markdown", "html", "sarif", "junit", "csv", "openreports", "cloudevents")
FORMATS: Final = ("table", "wide", "json", "yaml", "diff", *_FILES)
# Formats that tell also what is in sync, as tests that have passed.
PASSING: Final = ("junit", "openreports")
SUMMED: Final = ("table", "json", "yaml", "csv", "markdown")


def print_report(report: dict[str, Any], output: str) -> None:
    """Print a DriftList."""
    if output == "json":
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    elif output in _TERMINAL:
        from setscrew.cli.drift_text import print_diff, print_table

        if output == "diff":
            print_diff(report)
        else:
            print_table(report, wide=output == "wide")
    else:
        from importlib.metadata import version

        from reconciler.report.formats.registry import render
        from reconciler.report.formats.report import Report

        for piece in render(output, Report.of(report, version("setscrew"))):
            click.echo(piece, nl=False)


def print_summary(summary: Mapping[str, Any], output: str) -> None:
    """Print a DriftSummary."""
    from reconciler.report.formats.summed import FORMATS as WAYS

    for piece in WAYS["text" if output == "table" else output](summary):
        click.echo(piece, nl=False)
