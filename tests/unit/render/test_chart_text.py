"""Owns the hints that the text of a chart gives: calls of `lookup` and of the clock."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.render.chart_text import CLOCK, LOOKUP, callers, has_packages


@pytest.mark.parametrize(
    ("function", "text", "calls"),
    [
        (LOOKUP, '{{ $old := lookup "v1" "Secret" .Release.Namespace "x" }}', True),
        (LOOKUP, "{{- if (lookup $v .kind .ns .name) }}", True),
        (LOOKUP, '{{/* lookup "v1" */}}', False),
        (LOOKUP, '{{- /* lookup "v1" */ -}}', False),
        (LOOKUP, 'host: lookup "v1"', False),
        (LOOKUP, "{{ .Values.lookup }}", False),
        (CLOCK, "{{ now | unixEpoch }}", True),
        (CLOCK, '{{ date "2006" (now) }}', True),
        (CLOCK, "{{ .Values.known }} now", False),
        (CLOCK, "{{/* not now */}}", False),
        (CLOCK, '{{ fail "not now" }}', False),
        (CLOCK, '{{ printf "at %s" (now | toString) }}', True),
        (CLOCK, "{{ `now` }}{{ .Values.x }}", False),
    ],
)
def test_a_call_is_told_from_mere_words(tmp_path: Path, function: re.Pattern[bytes], text: str, calls: bool) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/x.yaml").write_text(text)
    assert callers(tmp_path, function) == (("templates/x.yaml",) if calls else ())


def test_hostile_text_is_searched_in_one_go(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text('{{ "' * 200_000 + "{{ `" * 200_000 + "{{ " + "a" * 1_000_000)
    assert callers(tmp_path, CLOCK) == callers(tmp_path, LOOKUP) == ()


def test_packed_sub_charts_are_seen(tmp_path: Path) -> None:
    assert not has_packages(tmp_path)
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts/sub-1.0.0.tgz").touch()
    assert has_packages(tmp_path)
