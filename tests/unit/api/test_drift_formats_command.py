"""`setscrew drift` in every format, by name of namespace or label, for CI and while one watches."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any
from xml.etree import ElementTree as ET

import click
import pytest
import yaml
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from reconciler.model.instant import stamp
from reconciler.model.ref import ObjectRef
from reconciler.report.drift import DriftChange, DriftItem, IgnoredField
from reconciler.report.standing import Sight
from reconciler.store.findings import Pass, put_findings, replace_findings
from reconciler.store.namespaces import keep_namespaces
from reconciler.store.standing import save_standing
from reconciler.store.state import State
from setscrew.api_files import ensure_token, write_address
from setscrew.cli import drift as command
from setscrew.cli.drift_out import FORMATS
from setscrew.serve_api import make_app
from setscrew.store import open_store
from tests.unit.api.conftest import finding

Run = Callable[..., Result]
CHANGE = DriftChange("/spec/replicas", "replace", 3, 5, field="spec.replicas")


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A served state directory, in this process: the app is the real one."""
    directory = tmp_path_factory.mktemp("state")
    server = make_server("127.0.0.1", 0, make_app(directory, ensure_token(directory)), threaded=True)
    write_address(directory, f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield directory
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def served(state_dir: Path) -> Iterator[State]:
    state = open_store(state_dir)
    yield state
    state.close()


@pytest.fixture
def run(state_dir: Path) -> Run:
    def ask(*arguments: str) -> Result:
        return CliRunner(env={"COLUMNS": "200"}).invoke(command.drift, ["--state", str(state_dir), *arguments])

    return ask


def fill(state: State, *items: DriftItem, stale: bool = False) -> None:
    replace_findings(state, items, Pass("2020-01-01T00:00:00Z" if stale else stamp(datetime.now(UTC)), "ab" * 32))
    keep_namespaces(state, {"shop": {"team": "vision"}})


@pytest.fixture
def three(served: State) -> State:
    fill(
        served,
        finding(changes=(CHANGE,), severity="high"),
        finding("ConfigMap", "mig", "missing", severity="low"),
        finding("Node", "n1", "unknown", severity="medium", reason="nobody may read it"),
    )
    return served


PARSED: dict[str, Callable[[str], Any]] = {
    "json": lambda text: json.loads(text)["items"],
    "yaml": lambda text: yaml.safe_load(text)["items"],
    "ndjson": lambda text: [json.loads(line) for line in text.splitlines()][1:],
    "csv": lambda text: list(csv.DictReader(text.splitlines())),
    "sarif": lambda text: json.loads(text)["runs"][0]["results"],
    "junit": lambda text: list(ET.fromstring(text).iterfind("testsuite[@name='shop']/testcase")),  # noqa: S314 - ours
    "openreports": lambda text: json.loads(text)["items"][0]["results"],
}


@pytest.mark.parametrize("output", FORMATS)
def test_every_format_shows_all_findings_and_is_parsed_by_those_who_read_it(
    three: State, run: Run, output: str
) -> None:
    result = run("-o", output)
    assert result.exit_code == 1
    assert all(name in result.stdout for name in ("web", "mig", "n1"))
    assert output not in PARSED or len(PARSED[output](result.stdout)) == 3


@pytest.fixture
def guarded(three: State) -> Iterator[State]:
    fine, web = ObjectRef("", "ConfigMap", "shop", "fine"), ObjectRef("apps", "Deployment", "shop", "web")
    save_standing(
        three, {"shop": True}, dict.fromkeys((fine, web), Sight("shop", adopted=True)), stamp(datetime.now(UTC))
    )
    yield three
    save_standing(three, {}, dict.fromkeys((fine, web)), stamp(datetime.now(UTC)))


def test_one_object_is_asked_for_by_name(guarded: State, run: Run) -> None:
    result = run("deploy/web", "-n", "shop", "-o", "json")
    report = json.loads(result.stdout)
    assert (result.exit_code, [one["name"] for one in report["items"]]) == (1, ["web"])
    assert (report["summary"]["total"], report["summary"]["missing"]) == (1, 0)
    both = run("deployments.apps/web", "configmaps/mig", "-o", "ndjson")
    assert len(both.stdout.splitlines()) == 3


def test_an_object_that_is_as_git_says_is_said_to_be(guarded: State, run: Run) -> None:
    result = run("cm/fine", "-n", "shop")
    assert (result.exit_code, "ConfigMap shop/fine is as Git says" in result.stderr) == (0, True)
    (shown,) = json.loads(run("--only", "in-sync", "-o", "json").stdout)["items"]
    assert (shown["name"], run("--only", "in-sync").exit_code) == ("fine", 0)


def test_that_nothing_is_found_of_what_nobody_declares_proves_nothing(guarded: State, run: Run) -> None:
    result = run("cm/other", "cm/fine")
    assert (result.exit_code, "no enforced source declares cm/other" in result.stderr) == (5, True)
    fill(guarded, stale=True)
    assert run("cm/fine").exit_code == 5


@pytest.mark.parametrize("arguments", [["web"], ["deploy/web", "--kind", "Pod"], ["deploy/web", "--by", "kind"]])
def test_a_name_goes_with_no_other_question(guarded: State, run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("output", ["junit", "openreports"])
def test_a_report_of_tests_tells_what_has_passed(guarded: State, run: Run, output: str) -> None:
    assert "fine" in run("-o", output).stdout
    assert "fine" in run("cm/fine", "-o", output).stdout
    for narrow in (["--only", "missing"], ["deploy/web"], ["--min-age", "1s"]):
        assert "fine" not in run(*narrow, "-o", output).stdout


def test_hidden_fields_and_members_are_asked_for(served: State, run: Run) -> None:
    ignored = (IgnoredField("spec.clusterIP", "allocated", "r-1", "the server's"),)
    fill(served, finding(changes=(CHANGE,), ignored=ignored), finding("Node", "n1", "unknown"))
    assert "spec.clusterIP" not in run("-o", "diff").stdout
    assert "hidden by rule r-1: spec.clusterIP" in run("-o", "diff", "--include-ignored").stdout
    assert [
        one["name"] for one in json.loads(run("--field-selector", "state!=unknown", "-o", "json").stdout)["items"]
    ] == ["web"]


def test_wide_says_how_bad_and_whose(three: State, run: Run) -> None:
    shown = run("-o", "wide").stdout
    assert all(word in shown for word in ("SEVERITY", "OWNER", "high", "low"))


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--severity", "high"], ["web"]),
        (["--sort", "severity"], ["web", "n1", "mig"]),
        (["-l", "team=vision", "--group", "apps", "--search", "MI"], ["mig"]),
        (["-l", "!team"], []),
        (["--until", "2031-01-01T00:00:00Z", "--since", "2029-01-01T00:00:00Z", "--only", "unknown"], ["n1"]),
        (["--min-age", "1h"], []),
        (["--limit", "1", "--sort", "name"], ["mig"]),
    ],
)  # fmt: skip
def test_filters_reach_the_server(three: State, run: Run, arguments: list[str], names: list[str]) -> None:
    assert [one["name"] for one in json.loads(run(*arguments, "-o", "json").stdout)["items"]] == names


@pytest.mark.parametrize("arguments", [["--min-age", "soon"], ["--limit", "0"], ["-l", "(("], ["--by", "colour"]])
def test_a_wrong_value_is_status_2_and_named_in_one_line(three: State, run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "parameter" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([], 1),
        (["--exit-zero"], 0),
        (["--fail-on", "critical"], 0),
        (["--fail-on", "high"], 1),
        (["--fail-on", "info"], 1),
        (["--fail-on", "high", "--only", "missing"], 0),
        (["--fail-on", "high", "--limit", "1", "--sort", "-severity"], 1),
        (["--by", "owner", "--fail-on", "critical"], 0),
        (["--by", "owner", "--fail-on", "high"], 1),
    ],
)
def test_the_exit_status_is_for_ci(three: State, run: Run, arguments: list[str], status: int) -> None:
    assert run(*arguments).exit_code == status


def test_a_stale_report_without_findings_is_5_unless_nobody_minds(served: State, run: Run) -> None:
    fill(served, stale=True)
    assert (run().exit_code, run("--exit-zero").exit_code) == (5, 0)
    assert run("--by", "namespace").exit_code == 5


def test_a_list_longer_than_a_page_is_read_whole(served: State, run: Run) -> None:
    fill(served, *(finding(name=f"w{number}") for number in range(1_200)))
    assert len(run("-o", "csv").stdout.splitlines()) == 1_201
    shown = json.loads(run("-o", "json", "--limit", "all").stdout)
    assert (len(shown["items"]), shown["metadata"]["remainingItemCount"]) == (1_200, 0)
    page = json.loads(run("-o", "json", "--fail-on", "critical").stdout)
    assert (len(page["items"]), page["metadata"]["remainingItemCount"]) == (100, 1_100)
    assert "1100 more findings are not shown" in run().stdout


def test_counts_by_namespace_have_labels_beside_them(three: State, run: Run) -> None:
    result = run("--by", "namespace", "--labels", "team")
    assert result.exit_code == 1
    lines = [line.split() for line in result.stdout.splitlines()]
    assert (lines[0][:3], lines[1][:3], lines[2][:2]) == (
        ["NAMESPACE", "TEAM", "DRIFT"],
        ["shop", "vision", "3"],
        ["TOTAL", "3"],
    )
    assert "label:team" in run("--by", "label:team", "-o", "csv").stdout
    assert json.loads(run("--by", "kind", "-o", "json").stdout)["total"]["drift"]["total"] == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["--by", "kind", "-o", "sarif"],
        ["--by", "kind", "-n", "shop"],
        ["--by", "kind", "--watch"],
        ["--labels", "team", "--limit", "all"],
    ],
)
def test_counts_are_of_all_and_no_list(three: State, run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_whoever_watches_sees_what_changed_and_nothing_twice(
    three: State, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = iter([lambda: None, lambda: put_findings(three, [finding(name="fresh")]), lambda: None])

    def pause(_seconds: float) -> None:
        turn = next(turns, None)
        if turn is None:
            raise click.Abort
        turn()

    monkeypatch.setattr(command.time, "sleep", pause)
    shown = run("-w", "-o", "ndjson").stdout
    assert (shown.count('"kind":"DriftList"'), shown.count('"fresh"'), shown.count('"mig"')) == (2, 1, 2)
