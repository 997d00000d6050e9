"""Rows of the summary: each finding and each refused change is in one of them, so that their sums tie."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import UsageError
from reconciler.report.formats import summed
from reconciler.report.line import line_of
from reconciler.report.owner import owner_of
from reconciler.report.summary import Asked, parse_asked, summarise
from tests.unit.report.formats.conftest import finding

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
LABELS = {"shop": {"team": "vision", "cost_center": "=c-7"}, "pay": {"team": "money"}, "lab": {}}
DENIALS = [("shop", "Pod", "s", 3), ("lab", "Pod", "s", 2), ("", "Node", "s", 1), ("quiet", "Pod", "t", 4)]


def text(namespace: str, state: str = "drifted", user: str = "dana", since: str = "2030-01-02T02:04:05Z") -> str:
    item = finding(state=state, namespace=namespace).as_json()
    return json.dumps(item | {"attribution": {"user": user, "manager": "kubectl"}, "firstSeen": since})


TEXTS = [text("shop"), text("shop", "missing", "", "2030-01-01T03:04:05Z"), text("pay", user="eve"), text("")]


def summed_up(asked: Asked, texts: list[str] | None = None) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    lines = map(line_of, TEXTS if texts is None else texts)
    rows, total = summarise(asked, lines, DENIALS, LABELS, NOW)
    return {row["name"]: row for row in rows}, total


def test_namespaces_have_labels_beside_them_and_a_place_for_what_has_none() -> None:
    rows, total = summed_up(parse_asked("namespace", "team,cost_center"))
    assert list(rows) == ["shop", "(cluster)", "pay", "quiet", "lab"]
    shop = rows["shop"]
    assert shop["labels"] == {"team": "vision", "cost_center": "=c-7"}
    assert rows["lab"]["labels"] == {"team": "", "cost_center": ""}
    assert (shop["drift"]["total"], shop["drift"]["missing"], shop["denials"]) == (2, 1, 3)
    assert shop["open"] == {"oldest": "2030-01-01T03:04:05Z", "oldestSeconds": 86_400, "totalSeconds": 90_000}
    assert shop["topWriters"] == [{"name": "dana", "findings": 1}, {"name": "kubectl", "findings": 1}]
    assert (total["drift"]["total"], total["denials"]) == (4, 10)


def test_by_a_label_what_has_none_is_a_row_of_its_own() -> None:
    rows, _ = summed_up(parse_asked("label:team", ""))
    assert {name: (row["drift"]["total"], row["denials"]) for name, row in rows.items()} == {
        "vision": (2, 3), "money": (1, 0), "(unlabelled)": (1, 7),
    }  # fmt: skip


def test_by_cost_center_refused_changes_are_counted_where_findings_of_the_namespace_are() -> None:
    shop = json.loads(TEXTS[0]) | {"owner": {"team": "vision", "costCenter": "=c-7"}}
    rows, _ = summed_up(parse_asked("cost-center", ""), [json.dumps(shop), TEXTS[3]])
    assert {name: (row["drift"]["total"], row["denials"]) for name, row in rows.items()} == {
        "=c-7": (1, 3), "(no cost center)": (1, 7),
    }  # fmt: skip


def test_by_cluster_all_is_one_row_while_there_is_one() -> None:
    elsewhere = [json.dumps(json.loads(one) | {"cluster": "east"}) for one in TEXTS]
    rows, total = summed_up(parse_asked("cluster", "", "east"), elsewhere)
    assert list(rows) == ["east"]
    assert (rows["east"]["drift"]["total"], rows["east"]["denials"]) == (4, total["denials"])


def test_team_is_another_word_for_owner() -> None:
    assert summed_up(parse_asked("team", "")) == summed_up(parse_asked("owner", ""))


@pytest.mark.parametrize("key", ["squad", "Team", "example.com/owner"])
def test_by_owner_refused_changes_are_counted_where_findings_of_the_namespace_are(key: str) -> None:
    labels = {"pay": {key: "payments"}}
    item = finding(namespace="pay", owner=owner_of(labels["pay"], {}, ())).as_json()
    rows, _ = summarise(parse_asked("owner", ""), [line_of(json.dumps(item))], [("pay", "Pod", "s", 4)], labels, NOW)
    assert [(row["name"], row["drift"]["total"], row["denials"]) for row in rows] == [("payments", 1, 4)]


@given(
    st.lists(st.sampled_from(["shop", "pay", "lab", "", "other"])),
    st.sampled_from(["namespace", "owner", "source", "kind", "label:team", "label:none"]),
)
def test_sums_tie_whatever_rows_are_made_by(namespaces: list[str], by: str) -> None:
    rows, total = summed_up(parse_asked(by, ""), [text(one) for one in namespaces])
    assert sum(row["denials"] for row in rows.values()) == total["denials"] == 10
    for part in ("drift", "severity"):
        added: Counter[str] = Counter()
        for row in rows.values():
            added.update(row[part])
        assert {name: added[name] for name in total[part]} == total[part]
    assert sum(row["open"]["totalSeconds"] for row in rows.values()) == total["open"]["totalSeconds"]
    assert total["drift"]["total"] == len(namespaces)


@pytest.mark.parametrize(
    ("by", "labels", "named"),
    [("colour", "", "by"), ("label:", "", "by"), ("label:=x", "", "by"), ("namespace", "a,,b", "labels"),
     ("namespace", ",".join("abcdefghijk"), "labels"), ("owner", "team", "labels")],
)  # fmt: skip
def test_a_wrong_question_is_named(by: str, labels: str, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_asked(by, labels)
    assert f"parameter {named!r}" in caught.value.message


def summary(asked: Asked) -> dict[str, Any]:
    rows, total = summarise(asked, map(line_of, TEXTS), DENIALS, LABELS, NOW)
    return {"metadata": {"by": asked.by, "labels": asked.labels, "stale": False}, "items": rows, "total": total}


def test_a_sheet_ends_with_the_total_and_runs_nothing() -> None:
    lines = "".join(summed.FORMATS["csv"](summary(parse_asked("namespace", "team,cost_center")))).splitlines()
    rows = list(csv.DictReader(lines))
    assert rows[0]["cost_center"] == "'=c-7"
    assert rows[-1]["namespace"] == "TOTAL"
    assert sum(int(row["drift"]) for row in rows[:-1]) == int(rows[-1]["drift"]) == 4


@pytest.mark.parametrize("name", summed.FORMATS)
def test_every_format_names_every_row(name: str) -> None:
    shown = "".join(summed.FORMATS[name](summary(parse_asked("namespace", "team"))))
    assert all(word in shown for word in ("shop", "pay", "lab", "(cluster)", "vision", "eve"))
