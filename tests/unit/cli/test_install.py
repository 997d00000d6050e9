"""Holds what is said where an installation or a removal is broken off: who pressed Ctrl-C must know what stands."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.cluster.api import ApiClient
from reconciler.model.ref import ObjectRef
from setscrew.cli import install, uninstall
from setscrew.installing.inventory import Inventory
from setscrew.installing.prepare import Prepared
from tests.unit.cli.conftest import Run

ONE = ObjectRef("", "Namespace", "", "setscrew-system")


class BrokenOff:
    """Stands in for applying and removing: one object, then Ctrl-C. Nothing is sent anywhere."""

    def __init__(self, _: object, told: Any, *__: object, **___: object) -> None:
        self.told = told
        self.outcomes = {ONE: "created", ObjectRef("", "Namespace", "", "other"): "unchanged"}

    def plan(self, *_: object, **__: object) -> tuple[list[object], list[object]]:
        return [], []

    def run(self, *_: object) -> None:
        self.told(ONE, "deleted")
        raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    client = SimpleNamespace(server="https://127.0.0.1:1")
    monkeypatch.setattr(ApiClient, "load", lambda *_: client)
    monkeypatch.setattr(install, "Applying", BrokenOff)
    monkeypatch.setattr(uninstall, "Removing", BrokenOff)
    monkeypatch.setattr(uninstall.kustomize, "everything", list)
    monkeypatch.setattr(install, "prepared", lambda *_: Prepared([], Inventory(), Inventory()))
    monkeypatch.setattr(install, "survey", lambda *_, **__: None)
    monkeypatch.setattr(install, "checks", lambda _: [])


def test_an_installation_that_is_broken_off_says_what_it_has_done_and_how_to_go_on(run: Run) -> None:
    told = run("install", "--image", "registry.example.com/setscrew:1")
    assert told.exit_code == 130
    assert "broken off, 1 object changed: the same command goes on from there" in told.stderr


def test_a_removal_that_is_broken_off_says_so(run: Run) -> None:
    told = run("uninstall", "--yes")
    assert told.exit_code == 130
    assert "broken off, part of it is gone: the same command goes on from there" in told.stderr
