"""`setscrew drift` against a server that really serves: gunicorn, a port, a token file."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner, Result

from reconciler.model.instant import stamp
from reconciler.report.drift import Attribution, DriftChange
from reconciler.store.findings import Pass, managed_key, replace_findings
from reconciler.store.sources import SourceStatus, save_source
from reconciler.store.state import open_state, sqlite_url
from setscrew.cli.drift import drift
from tests.unit.api.conftest import PUSH, SECRET, finding
from tests.unit.api.test_receiver_rules import sign


class Served:
    """A running API server and its state directory."""

    def __init__(self, state_dir: Path, process: subprocess.Popen[bytes]) -> None:
        self.state_dir = state_dir
        self.process = process
        self.url = json.loads((state_dir / "api.json").read_text())["url"]
        self.token = (state_dir / "api-token").read_text().strip()

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, Any]]:
        with contextlib.closing(http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=20)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        return answer.status, json.loads(text) if text.startswith(b"{") else {"text": text.decode()}


GITHUB = "kind: Receiver\nmetadata: {name: gh}\nspec: {provider: github, secretEnv: HOOK, sources: [shop]}\n"


def start(state_dir: Path, receivers: str = GITHUB) -> Served:
    (state_dir / "receivers.yaml").write_text(receivers)
    command = [sys.executable, "-m", "setscrew.serve_api", "--state", str(state_dir), "--port", "0"]
    command += ["--receivers", str(state_dir / "receivers.yaml")]
    with (state_dir / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, env=os.environ | {"HOOK": SECRET.decode()})
    for _ in range(300):
        if (state_dir / "api.json").exists() and b"Booting worker" in (state_dir / "log").read_bytes():
            return Served(state_dir, process)
        assert process.poll() is None, (state_dir / "log").read_text()
        time.sleep(0.1)
    process.kill()
    raise AssertionError((state_dir / "log").read_text())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    running = start(tmp_path_factory.mktemp("state"))
    yield running
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(20) == 0


def fill(served: Served, items: list[Any]) -> None:
    state = open_state(sqlite_url(served.state_dir / "state.db"))
    now = stamp(datetime.now(UTC))
    replace_findings(state, items, Pass(now, "ab" * 32, {managed_key("Deployment", "apps", "shop"): 4}))
    save_source(state, SourceStatus("shop", "Ready", "https://git.example.com/Shop.git", "refs/heads/main"), now)
    state.close()


def run(served: Served, *arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(drift, ["--state", str(served.state_dir), *arguments])


def test_drift_is_status_1_and_says_who_where_and_what_next(served: Served) -> None:
    change = DriftChange("/spec/replicas", "replace", 3, 5, field="spec.replicas")
    fill(served, [finding(changes=(change,), attribution=Attribution("kubectl-edit", "", "", "managedFields"))])
    result = run(served)
    assert result.exit_code == 1
    for words in (
        "Deployment shop/web",
        "spec.replicas: 3 → 5",
        "kubectl-edit",
        "deploy/web.yaml:12",
        "setscrew explain",
    ):
        assert words in result.stdout
    assert "\x1b" not in result.stdout
    assert run(served, "-o", "diff").stdout.splitlines()[-3:] == ["@@ spec.replicas @@", "-3", "+5"]
    assert json.loads(run(served, "-o", "json").stdout)["items"][0]["name"] == "web"
    assert "name: web" in run(served, "-o", "yaml").stdout


GPU = {
    "effect": "latent",
    "trigger": "the next relabelling",
    "classes": [{"family": "MigLayout", "name": "halves", "running": 7}],
    "lines": ["7 Pods use it in ml-platform (team-vision)", "Latent: nothing happens before the next relabelling"],
}


def test_drift_of_a_gpu_class_says_who_uses_it_and_when_it_acts_in_all_formats(served: Served) -> None:
    fill(served, [finding("ConfigMap", "mig", gpu=GPU)])
    for output in ("table", "diff"):
        shown = run(served, "-o", output).stdout
        assert all(line in shown for line in GPU["lines"])
    assert json.loads(run(served, "-o", "json").stdout)["items"][0]["gpu"] == GPU
    assert "family: MigLayout" in run(served, "-o", "yaml").stdout


def test_no_drift_is_status_0(served: Served) -> None:
    fill(served, [])
    result = run(served)
    assert (result.exit_code, result.stdout) == (0, "No drift. Objects under guard: 4.\n")


def test_filters_reach_the_server(served: Served) -> None:
    fill(served, [finding(), finding("ConfigMap", "mig", "missing")])
    found = json.loads(run(served, "-n", "shop", "--only", "missing", "-o", "json").stdout)
    assert [item["name"] for item in found["items"]] == ["mig"]
    assert run(served, "--name", "nothing").exit_code == 0


def test_an_old_report_without_findings_is_status_5_and_not_in_sync(served: Served) -> None:
    state = open_state(sqlite_url(served.state_dir / "state.db"))
    replace_findings(state, [], Pass("2020-01-01T00:00:00Z"))
    state.close()
    result = run(served)
    assert result.exit_code == 5
    assert "No drift" not in result.stdout
    assert "stale" in result.stderr


def test_hostile_names_move_no_cursor_and_start_no_markup(served: Served) -> None:
    fill(served, [finding(name="\x1b[2J[bold]x[/bold]\nfake row")])
    shown = run(served).stdout
    assert "\x1b" not in shown
    assert "[bold]x[/bold]" in shown
    assert "\nfake" not in shown


def test_a_push_reaches_the_reconcilers_socket(served: Served) -> None:
    fill(served, [])
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(served.state_dir / "reconciler.sock"))
        listener.listen()

        def hear() -> None:
            connection, _ = listener.accept()
            with connection:
                heard.append(connection.makefile("rb").readline())

        thread = threading.Thread(target=hear)
        thread.start()
        body = json.dumps(PUSH).encode()
        headers = {"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": "live-1"}
        headers["X-Hub-Signature-256"] = sign(SECRET, body)
        assert served.ask("POST", "/hooks/v1/gh", body, **headers)[0] == 202
        thread.join(10)
    (served.state_dir / "reconciler.sock").unlink()
    assert json.loads(heard[0]) == {"op": "refresh", "source": "shop"}
    assert served.ask("POST", "/hooks/v1/gh", body, **headers)[1]["status"] == "duplicate"
    headers["X-GitHub-Delivery"] = "live-2"
    assert served.ask("POST", "/hooks/v1/gh", body, **headers)[0] == 503


def test_a_huge_push_is_refused_with_and_without_a_length(served: Served) -> None:
    huge = b"x" * (6 * 1024 * 1024)
    headers = {"Content-Type": "application/json"}
    assert served.ask("POST", "/hooks/v1/gh", huge, **headers)[0] == 413
    with contextlib.closing(http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=20)) as connection:
        connection.request("POST", "/hooks/v1/gh", iter([huge]), headers, encode_chunked=True)
        assert connection.getresponse().status == 413


def test_senders_that_stop_half_way_do_not_hold_the_server(served: Served) -> None:
    place = urlsplit(served.url)
    stuck = [socket.create_connection((place.hostname, place.port)) for _ in range(20)]
    for connection in stuck:
        connection.sendall(b"POST /hooks/v1/gh HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
    started = time.monotonic()
    assert served.ask("GET", "/healthz")[0] == 200
    assert time.monotonic() - started < 12
    for connection in stuck:
        connection.close()
    assert "Traceback" not in (served.state_dir / "log").read_text()


def test_without_the_token_a_real_request_is_401(served: Served) -> None:
    assert served.ask("GET", "/api/v1/drift")[0] == 401
    assert served.ask("GET", "/api/v1/drift", Authorization=f"Bearer {served.token}")[0] == 200


def test_a_wrong_token_and_a_wrong_server_are_told_apart(served: Served, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("wrong")
    token.chmod(0o600)
    refused = CliRunner().invoke(drift, ["--server", served.url, "--token-file", str(token)])
    assert (refused.exit_code, "refuses the token" in refused.stderr) == (2, True)
    gone = CliRunner().invoke(drift, ["--server", "http://127.0.0.1:1", "--token-file", str(token)])
    assert (gone.exit_code, "does not answer" in gone.stderr) == (3, True)
    assert gone.stderr.count("\n") == 1


def test_a_token_is_not_sent_to_a_server_it_is_not_for(served: Served) -> None:
    result = run(served, "--server", "http://127.0.0.1:1")
    assert (result.exit_code, "its own token" in result.stderr) == (2, True)


def test_a_token_that_others_can_read_is_refused(served: Served, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(served.token)
    token.chmod(0o644)
    result = CliRunner().invoke(drift, ["--server", served.url, "--token-file", str(token)])
    assert (result.exit_code, "chmod 600" in result.stderr) == (2, True)


def test_a_server_that_is_not_ours_is_status_3(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    token.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        result = CliRunner().invoke(drift, ["--server", f"http://127.0.0.1:{port}", "--token-file", str(token)])
        thread.join(10)
    assert result.exit_code == 3


def test_no_instance_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    for arguments in (["--state", str(tmp_path)], []):
        result = CliRunner(env={"SETSCREW_STATE": "", "SETSCREW_STATE_DIR": ""}).invoke(drift, arguments)
        assert (result.exit_code, result.stderr.count("\n"), result.stdout) == (2, 1, "")


def test_a_taken_port_is_one_clear_line(served: Served, tmp_path: Path) -> None:
    port = str(urlsplit(served.url).port)
    command = [sys.executable, "-m", "setscrew.serve_api", "--state", str(tmp_path), "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, "")
    assert re.search(r"127\.0\.0\.1:\d+: cannot listen: Address already in use", done.stderr)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"receivers.yaml": "kind: [\n"}, "not YAML"),
        ({"receivers.yaml": "kind: Receiver\nmetadata: {name: x}\nspec: {}\n"}, "Receiver/x"),
        ({"state.db": "no database " * 100}, "state store"),
    ],
)
def test_a_wrong_configuration_is_one_clear_line(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in ({"receivers.yaml": ""} | files).items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "setscrew.serve_api", "--state", str(tmp_path), "--port", "0"]
    command += ["--receivers", str(tmp_path / "receivers.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode > 1
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
