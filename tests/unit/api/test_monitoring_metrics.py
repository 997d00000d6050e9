"""Alerts and panels ask for metrics that there are, by labels that these have; the page of metrics names the same."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from reconciler.model.blind import Blind
from reconciler.policy.model import Rules
from reconciler.report.drift import DriftItem
from reconciler.snapshot.model import MemorySnapshot, SourceState
from reconciler.store.blind import StoredBlindLog, save_watch
from reconciler.store.findings import Pass, managed_key, replace_findings
from reconciler.store.sources import SourceStatus, save_source
from reconciler.store.state import open_state, sqlite_url
from setscrew.stored_state import StoredState
from webhook.api.app import create_api_app
from webhook.api.ports import ApiSettings
from webhook.decision.types import Decision
from webhook.server.board import COLUMN, Board
from webhook.server.meter import RowMeter
from webhook.server.metrics import Exposition

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "manifests" / "monitoring"
RULES = yaml.safe_load((MONITORING / "prometheusrule.yaml").read_text())["spec"]["groups"][0]["rules"]
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
NOW = datetime(2030, 1, 2, tzinfo=UTC)
# What Grafana puts in before it asks.
VARIABLES = {"$__rate_interval": "5m", "$cluster": "default", "$namespace": ".*", "$kind": ".*"}

PANELS = [
    pytest.param(target["expr"], id=f"{panel['title']}-{target['refId']}")
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
]
ALERTS = [pytest.param(rule["expr"], id=rule["alert"]) for rule in RULES]


def admission() -> str:
    """What the admission server tells, when each of its families has something to tell."""
    board = Board()
    row = board.row(1)
    row[COLUMN["beat"]] = row[COLUMN["published"]] = row[COLUMN["certificate_end"]] = 1.0
    for decision in (Decision(True, "granted"), Decision(False, "drift")):
        RowMeter(row).decided(decision, 0.001)
    shop = SourceState("shop", "url", "path", "revision", "commit")
    snapshot = MemorySnapshot((), Rules(()), {"shop": shop})
    return Exposition(board, lambda: snapshot, lambda: 2.0).text().decode()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the API server tells, likewise."""
    state = open_state(sqlite_url(tmp_path_factory.mktemp("metrics") / "state.db"))
    item = DriftItem("1", "f", "v1", "ConfigMap", "shop", "x", "drifted", first_seen="2030-01-02T00:00:00Z")
    replace_findings(
        state, [item], Pass("2030-01-02T00:00:00Z", "d", {managed_key("ConfigMap", "", "shop"): 4}, {"r": 1})
    )
    StoredBlindLog(state, lambda _: None, lambda: NOW).begin(Blind("canary", NOW))
    save_watch(state, "canary", {"state": "sees", "saw": "2030-01-02T00:00:00Z", "entries": {}})
    save_watch(state, "failOpen", {"state": "counted", "calls": {"entry": 1}})
    status = SourceStatus("shop", "Ready", enforced="r", succeeded="2030-01-02T00:00:00Z", fetch_seconds=0.1)
    save_source(state, status, "2030-01-02T00:00:00Z")
    app = create_api_app(StoredState(state), ApiSettings(token=b"x", now=lambda: NOW), lambda _: None)
    text = app.test_client().get("/metrics", headers={"Authorization": "Bearer x"}).text
    state.close()
    return text


@pytest.fixture(scope="module")
def known(api: str) -> dict[str, set[str]]:
    """The labels of each sample of both servers, by its name."""
    found: dict[str, set[str]] = {}
    for text in (api, admission()):
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def parsed(expression: str) -> Any:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return promql_parser.parse(expression)


def below(node: Any) -> Iterator[Any]:
    """The node and all in it."""
    yield node
    for name in ("expr", "lhs", "rhs", "param", "vector_selector"):
        if (inner := getattr(node, name, None)) is not None:
            yield from below(inner)
    for inner in getattr(node, "args", None) or ():
        yield from below(inner)


@pytest.mark.parametrize("expression", [*ALERTS, *PANELS])
def test_an_expression_asks_for_what_there_is(known: dict[str, set[str]], expression: str) -> None:
    nodes = list(below(parsed(expression)))
    selectors = [node for node in nodes if isinstance(node, promql_parser.VectorSelector)]
    assert selectors
    for one in selectors:
        assert one.name in known
        assert {matcher.name for matcher in one.matchers.matchers} <= known[one.name]
    for node in nodes:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            inner = [one for one in below(node.expr) if isinstance(one, promql_parser.VectorSelector)]
            assert set(node.modifier.labels) <= {label for one in inner for label in known[one.name]}


def test_the_check_of_expressions_sees_a_metric_and_a_label_that_are_none(known: dict[str, set[str]]) -> None:
    for expression in ("setscrew_no_such", 'setscrew_blind{nobody="x"}', "sum by (nobody) (setscrew_blind)"):
        with pytest.raises(AssertionError):
            test_an_expression_asks_for_what_there_is(known, expression)


def test_variables_of_the_dashboard_are_labels_of_what_they_ask(known: dict[str, set[str]]) -> None:
    queries = [one["definition"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    assert len(queries) == 3
    for query in queries:
        metric, label = re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", query).groups()  # type: ignore[union-attr]
        assert label in known[metric]


def test_the_dashboard_can_be_imported() -> None:
    assert DASHBOARD["uid"] == "setscrew-drift"
    assert [one["name"] for one in DASHBOARD["__inputs"]] == ["DS_PROMETHEUS"]
    panels = DASHBOARD["panels"]
    assert len({one["id"] for one in panels}) == len(panels)
    assert {one["datasource"]["uid"] for one in panels} == {"${DS_PROMETHEUS}"}
    assert {one["type"] for one in panels} == {one["id"] for one in DASHBOARD["__requires"] if one["type"] == "panel"}
    places = [[one["gridPos"][key] for key in "xywh"] for one in panels]
    cells = [cell for x, y, w, h in places for cell in product(range(x, x + w), range(y, y + h))]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_there_is_an_alert_for_each_thing_that_must_not_go_unseen() -> None:
    wanted = {"SourceStale", "DriftOlderThan1h", "DriftSurge", "AdmissionFailOpen", "ScanStale", "BreakGlassOpen"}
    assert {rule["alert"] for rule in RULES} == wanted
    assert all(rule["labels"]["severity"] and rule["annotations"]["summary"] for rule in RULES)


def test_metrics_of_the_api_server_and_their_page_name_the_same(api: str) -> None:
    told = {}
    for family in text_string_to_metric_families(api):
        if family.name != "setscrew_webhook_deliveries":  # no push has been taken here
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            name = f"{family.name}_total" if family.type == "counter" else family.name
            told[name] = (family.type, sorted(labels))
    page = (ROOT / "docs/reference/metrics.md").read_text().partition("## API server")[2]
    table = re.findall(r"^\| `(setscrew_\w+)` \| (counter|gauge|histogram) \| (.*?) ?\|", page, re.MULTILINE)
    named = {name: (kind, sorted(re.findall(r"`(\w+)`", labels))) for name, kind, labels in table}
    named.pop("setscrew_webhook_deliveries_total")
    assert named == told


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed here")
def test_alerts_do_what_their_cases_say(tmp_path: Path) -> None:
    cases = yaml.safe_load((ROOT / "tests/cases/monitoring/alerts.yaml").read_text())
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "setscrew", "rules": RULES}]}))
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump(cases | {"rule_files": ["rules.yaml"]}))
    done = subprocess.run(
        ["promtool", "test", "rules", "cases.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
