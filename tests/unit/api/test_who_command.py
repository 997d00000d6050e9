"""`setscrew who` against a server that really serves: one object's past, and how it is named."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from reconciler.report.drift import Attribution, DriftChange
from reconciler.store.decisions import record_all
from reconciler.store.state import open_state, sqlite_url
from setscrew.cli import main
from tests.unit.api.conftest import finding
from tests.unit.api.test_drift_command import Served, fill, start

WRITE = {
    "time": "2030-01-02T03:04:05.250Z", "uid": "u1", "user": "dana", "operation": "UPDATE", "group": "apps",
    "kind": "Deployment", "namespace": "shop", "name": "web", "code": "audited", "would": "drift", "allowed": True,
    "paths": [{"path": "/spec/replicas", "was": "3", "now": "5"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    running = start(tmp_path_factory.mktemp("state"))
    change = DriftChange("/spec/replicas", "replace", 3, 5, field="spec.replicas", manager="kubectl-edit", user="dana")
    by = Attribution("kubectl-edit", "dana", "2030-01-02T03:04:05Z", "admission", request_uid="u1")
    fill(running, [finding(changes=(change,), attribution=by), finding(name="api")])
    state = open_state(sqlite_url(running.state_dir / "state.db"))
    elsewhere = {**WRITE, "namespace": "other", "name": "api", "uid": "u3"}
    refused = {**WRITE, "user": "\u202eerin\x1b[31m", "allowed": False, "code": "drift", "would": "", "uid": "u2"}
    records = [WRITE, {**refused, "time": "2030-01-02T02:00:00.000Z"}, elsewhere]
    numbered = [{**one, "worker": "w", "number": number} for number, one in enumerate(records)]
    record_all(state, [json.dumps(one).encode() for one in numbered])
    state.close()
    yield running
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(20) == 0


def run(served: Served, *arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["who", "--state", str(served.state_dir), *arguments])


def test_the_past_is_told_oldest_first_with_nothing_that_a_terminal_obeys(served: Served) -> None:
    done = run(served, "deploy/web", "-n", "shop")
    assert done.exit_code == 0, done.output
    rows = done.stdout.splitlines()
    assert rows[0].split() == ["TIME", "WHAT", "WHO", "BY", "MEANS", "OF", "PATHS", "KNOWN", "BY"]
    order = [next(at for at, row in enumerate(rows) if word in row) for word in ("denied: drift", "warned: drift")]
    assert order == sorted(order)
    assert "kubectl-edit" in done.stdout
    assert "\x1b[31m" not in done.stdout
    assert "\u202e" not in done.stdout


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_programs_get_the_same(served: Served, output: str) -> None:
    done = run(served, "deployment/web", "-o", output)
    found = json.loads(done.stdout) if output == "json" else {"text": done.stdout}
    if output == "json":
        assert (found["kind"], found["metadata"]["group"], found["metadata"]["namespace"]) == (
            "Timeline",
            "apps",
            "shop",
        )
        assert [one["event"] for one in found["items"]][:1] == ["denied"]
        warned = next(one for one in found["items"] if one["event"] == "warned")
        assert (warned["manager"], warned["user"]) == ("kubectl-edit", "dana")
    else:
        assert found["text"].startswith("apiVersion:")


def test_which_object_is_meant_must_be_clear(served: Served) -> None:
    done = run(served, "deploy/api")
    assert (done.exit_code, "may be Deployment.apps other/api, Deployment.apps shop/api" in done.stderr) == (2, True)
    done = run(served, "deploy/none")
    assert (done.exit_code, done.stdout) == (5, "")
