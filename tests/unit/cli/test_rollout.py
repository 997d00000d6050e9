"""Holds whom a rollout asks before it goes on: each replica has a record of its own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.cluster.api import ApiClient
from setscrew.cli import rollout
from setscrew.installing.rollout import LABEL
from tests.unit.cli.conftest import Run

ONE, OTHER = "http://127.0.0.1:1", "http://127.0.0.1:2"
COPY = {"kind": "DriftPolicy", "metadata": {"labels": {LABEL: "Audit"}}}


class Cluster:
    """Stands in for the API server of an installation at stage Audit with two replicas: nothing is sent anywhere."""

    client = SimpleNamespace(server="https://127.0.0.1:1")

    def __init__(self, _: object) -> None: ...

    def levers(self) -> list[dict[str, Any]]:
        return [{**COPY, "spec": {"action": "Audit"}}]

    def read(self, _: object) -> dict[str, Any]:
        return {"spec": {"replicas": 2}}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The servers whose record was asked, and the stages that were set."""
    found: list[str] = []

    def recorded(server: str, _: Path) -> dict[str, Any]:
        found.append(server)
        return {"items": [], "metadata": {"remainingItemCount": 0}}

    monkeypatch.setattr(rollout, "Server", Cluster)
    monkeypatch.setattr(ApiClient, "load", lambda *_: None)
    monkeypatch.setattr(rollout, "_recorded", recorded)
    monkeypatch.setattr(rollout, "_set", lambda _, action: found.append(action))
    return found


def test_it_does_not_go_on_while_a_replica_was_not_asked(run: Run, asked: list[str], tmp_path: Path) -> None:
    told = run("rollout", "advance", "--server", ONE, "--token-file", str(tmp_path / "token"))
    assert told.exit_code == 1
    assert "still Audit: the records of 1 of 2 replicas were not asked" in told.stderr
    assert asked == [ONE]


def test_a_replica_asked_twice_is_one(run: Run, asked: list[str], tmp_path: Path) -> None:
    twice = ("--server", ONE, "--server", f"{ONE}/")
    told = run("rollout", "advance", *twice, "--token-file", str(tmp_path / "token"))
    assert told.exit_code == 1
    assert asked == [ONE]


@pytest.mark.parametrize("command", ["status", "advance", "back"])
def test_where_nothing_is_installed_nothing_is_said_to_be_refused(
    command: str, run: Run, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cluster, "read", lambda *_: None)
    told = run("rollout", command)
    assert told.exit_code == 2
    assert "there is no Deployment.apps setscrew-system/setscrew, so nothing refuses anything" in told.stderr
    assert "(setscrew install)" in told.stderr
    assert (told.stdout, asked) == ("", [])


def test_it_goes_on_once_all_were_asked(run: Run, asked: list[str], tmp_path: Path) -> None:
    token = str(tmp_path / "token")
    told = run("rollout", "advance", "--server", ONE, "--server", OTHER, "--token-file", token)
    assert told.exit_code == 0, told.stderr
    assert asked == [ONE, OTHER, "Warn"]
