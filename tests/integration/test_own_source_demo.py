"""Holds that `setscrew demo --source` runs through with what other projects publish, every step answered as announced.

Entries that `test_own_source` holds for minutes play their steps there.
"""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from setscrew.controlplane import Tools
from setscrew.demo import own_source
from tests.support.corpus import CORPUS, SOAKED, Entry, entries

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

OTHERS = [one for one in entries() if one.values[0] is None or one.values[0].name not in SOAKED]


@pytest.mark.parametrize("entry", OTHERS)
def test_the_demo_runs_through(alone: None, tools: Tools, entry: Entry, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(dict(entry.values)))
    printed = io.StringIO()
    files = [values] if entry.kind == "helm" else []
    status = own_source.play(CORPUS / entry.path, entry.namespace, files, Console(file=printed, width=200))
    assert status == 0, printed.getvalue()[-3000:]
    assert "✗" not in printed.getvalue()
