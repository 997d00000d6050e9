"""Owns how long a control plane takes to give the server forms of everything. Must not make the repository."""

from __future__ import annotations

import time
from pathlib import Path

from setscrew.demo.stage import Stage
from support.repository import OBJECTS_AN_APP, fill

_SOURCES = 50
# A look reads the whole snapshot, on the cores that are measured.
_LOOK_SECONDS = 5
# As `setscrew run` has it by itself: tests compare all every other second.
_SCAN_SECONDS = 300


def seconds(apps: int) -> tuple[float, int]:
    """Seconds from the start of Setscrew to the last server form, and how many objects there are."""
    specs: dict[str, dict[str, object]] = {}

    def filled(work: Path) -> None:
        specs.update(fill(work, _SOURCES, apps))

    with Stage(specs, filled, scan_seconds=_SCAN_SECONDS, canary_seconds=3600) as stage:
        for number in range(_SOURCES):
            stage.plane.kubectl("create", "namespace", f"team-{number}")
        began = time.monotonic()
        stage.start_setscrew()
        stage.wait("server forms of all", lambda: _are_all_there(stage), 1800)
        return time.monotonic() - began, _SOURCES * apps * OBJECTS_AN_APP


def _are_all_there(stage: Stage) -> bool:
    time.sleep(_LOOK_SECONDS)
    return not stage.unconfirmed()
