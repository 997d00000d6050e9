"""Each row of the table of GPU classes on a real API server: who may write, who may not, nothing differs after.

Writers come as themselves: service accounts with their tokens, the control plane and a node with their certificates.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import yaml

from reconciler.errors import ClusterError
from tests.support import corpus
from tests.support.decisions import builtin_rules
from tests.support.gpu_kinds import CASES, Kinds, drift, guarded
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not corpus.CORPUS.is_dir(), reason=corpus.ABSENT_BECAUSE),
]

ROWS: list[dict[str, Any]] = yaml.safe_load((CASES / "kinds.yaml").read_text())


@pytest.fixture(scope="module")
def kinds(alone: None) -> Iterator[Kinds]:
    with guarded() as one:
        yield one


def test_every_row_of_the_table_is_here() -> None:
    assert sorted(row["row"] for row in ROWS) == sorted(one.id for one in builtin_rules().gpu_classes)
    assert all(row["refused"] and row["admitted"] for row in ROWS)


def test_a_class_that_was_there_before_is_reported_as_a_stray(kinds: Kinds) -> None:
    def strays() -> list[str]:
        return [item["name"] for item in drift(kinds.stage) if item["state"] == "extra"]

    eventually(lambda: strays() == ["before"], "the report of a stray class")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["row"])
def test_the_class_is_held_and_its_writers_go_on(kinds: Kinds, row: dict[str, Any]) -> None:
    problems = [said for step in row.get("before", ()) if (said := kinds.write(step))]
    for step in row["refused"]:
        said = kinds.write(step)
        if "denied the request" not in said or step["says"] not in said:
            problems.append(f"not refused with {step['says']!r}: {step}: {said or 'taken'}")
    problems += [f"{step}: {said}" for step in row["admitted"] if (said := kinds.write(step))]
    problems += [f"{step}: {said}" for step in row.get("undo", ()) if (said := kinds.write(step))]
    assert not problems, "\n".join(problems)


def test_a_heartbeat_of_a_node_asks_nobody_and_a_status_write_that_changes_labels_does(kinds: Kinds) -> None:
    hooks = kinds.stage.plane.request(
        "GET", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/setscrew"
    ).body["webhooks"]
    named = {rule: hook for hook in hooks for one in hook["rules"] for rule in one["resources"]}
    conditions = [one["name"] for one in named["nodes/status"]["matchConditions"]]
    assert "metadata-changed" in conditions
    policies = {resource: named[resource]["failurePolicy"] for resource in ("nodes", "nodes/status")}
    assert policies == {"nodes": "Ignore", "nodes/status": "Ignore"}
    assert {named[one]["failurePolicy"] for one in ("deviceclasses", "clusterpolicies", "clusterqueues")} == {"Fail"}
    assert {named[one]["failurePolicy"] for one in ("resourceslices", "bindrequests")} == {"Ignore"}


def test_after_all_of_them_nothing_differs_from_git(kinds: Kinds) -> None:
    with suppress(ClusterError):
        kinds.stage.wait("no drift", lambda: drift(kinds.stage) == [])
    assert drift(kinds.stage) == []
    assert "internal-error" not in kinds.stage.log
