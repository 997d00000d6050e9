"""What `setscrew run` is told reaches the reconciler that it starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import setscrew.reconcile as module
from reconciler.cluster.pace import DEFAULT, Rate
from reconciler.render.spec import RenderTools
from setscrew.cli import main
from setscrew.incluster import serving
from setscrew.options import Options
from setscrew.run import Listen, _children
from webhook.settings import AdmissionSettings


@pytest.mark.parametrize("rate", [DEFAULT, Rate(2.5, 1)], ids=["by default", "slower"])
def test_the_pace_of_dry_runs_reaches_the_reconciler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: Rate
) -> None:
    seen: list[Options] = []
    monkeypatch.setattr(module, "run", seen.append)
    told = Options(tmp_path, tmp_path, RenderTools(tmp_path / "helm", tmp_path / "kubectl"), dry_runs=rate)
    (command,) = (child.command for child in _children(told, Listen(), tmp_path) if child.name == "reconciler")
    result = CliRunner().invoke(main, list(command[command.index("reconcile") :]))
    assert (result.exit_code, result.output) == (0, "")
    assert seen == [told]


def test_whether_events_are_told_and_metrics_name_namespaces_reaches_those_who_do_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Options] = []
    monkeypatch.setattr(module, "run", seen.append)
    told = Options(tmp_path, tmp_path, RenderTools(tmp_path / "helm", tmp_path / "kubectl"), events=True)
    commands = {child.name: list(child.command) for child in _children(told, Listen(metric_namespaces=False), tmp_path)}
    reconciler = commands["reconciler"]
    assert CliRunner().invoke(main, reconciler[reconciler.index("reconcile") :]).exit_code == 0
    assert seen == [told]
    assert "--no-metric-namespaces" in commands["API server"]
    quiet = _children(told, Listen(), tmp_path)
    assert [child for child in quiet if "--no-metric-namespaces" in child.command] == []


@pytest.mark.parametrize("metrics", [("127.0.0.1", 9444), None])
def test_the_worker_and_the_port_of_the_metrics_reach_the_admission_server(
    tmp_path: Path, metrics: tuple[str, int] | None
) -> None:
    options = Options(tmp_path, tmp_path, RenderTools(tmp_path / "helm", tmp_path / "kubectl"))
    listen = Listen(metrics=metrics, worker="gthread")
    (environment,) = (c.environment for c in _children(options, listen, tmp_path) if c.name == "admission server")
    settings = AdmissionSettings.from_environment(environment)
    assert (settings.worker, settings.metrics_port) == ("gthread", metrics[1] if metrics else None)


@pytest.mark.parametrize("text", ["8444", "127.0.0.1:0", ":8444"])
def test_an_address_of_metrics_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    arguments = ["run", "--state", str(tmp_path), "--config", str(tmp_path), "--listen-metrics", text]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "is no address" in result.output


@pytest.mark.parametrize(
    "option", [("--dry-runs-per-second", "0"), ("--dry-runs-at-once", "0"), ("--dry-runs-at-once", "65")]
)
def test_a_pace_at_which_nothing_would_be_asked_is_refused(tmp_path: Path, option: tuple[str, str]) -> None:
    arguments = ["reconcile", "--state", str(tmp_path), "--config", str(tmp_path), *option]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert option[0] in result.output


def test_the_file_of_the_reports_token_reaches_the_servers_of_a_pod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Listen] = []

    def serve_pod(state_dir: Path, config_dir: Path | None, listen: Listen, *given: Path | None) -> int:
        seen.append(listen)
        return 0

    monkeypatch.setattr(serving, "serve_pod", serve_pod)
    arguments = ["serve", "--in-cluster", "--state", str(tmp_path)]
    for more in ([], ["--api-token-file", str(tmp_path / "token")]):
        assert CliRunner().invoke(main, [*arguments, *more]).exit_code == 0
    assert [one.api_token for one in seen] == [None, tmp_path / "token"]
