"""The commands of docs/how-to/receivers/other.md do what the page says, played by a shell against a running server."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from setscrew import configuration
from setscrew.receivers import load_receivers
from tests.support.waiting import eventually
from tests.unit.api.test_drift_command import Served, fill, start
from webhook.api.providers import PROVIDERS

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to"
PAGES = sorted((HOW_TO / "receivers").glob("*.md"))
REPO = "https://git.example.com/platform/deploy.git"

pytestmark = pytest.mark.skipif(
    not shutil.which("curl") or not shutil.which("openssl"), reason="the page needs curl and openssl"
)


def blocks(language: str) -> list[str]:
    text = (HOW_TO / "receivers" / "other.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("state")
    (directory / "hook-secret").write_text("6a5b4c3d2e1f40918273a4b5\n")
    document = blocks("yaml")[0].replace("/etc/setscrew/hook-secret", str(directory / "hook-secret"))
    with closing(socket.socket(socket.AF_UNIX)) as reconciler:
        reconciler.bind(str(directory / "reconciler.sock"))
        reconciler.listen(16)
        threading.Thread(target=take, args=(reconciler,), daemon=True).start()
        running = start(directory, document)
        fill(running, [])
        follow(running)
        yield running
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(20) == 0


def take(reconciler: socket.socket) -> None:
    """Stands for the reconciler: takes whatever is asked."""
    while True:
        try:
            asker, _ = reconciler.accept()
        except OSError:
            return
        asker.close()


def follow(served: Served) -> None:
    from reconciler.store.sources import SourceStatus, save_source
    from reconciler.store.state import open_state, sqlite_url

    state = open_state(sqlite_url(served.state_dir / "state.db"))
    save_source(state, SourceStatus("shop", "Ready", REPO, "refs/heads/main"), "2030-01-01T00:00:00Z")
    state.close()


def played(served: Served, script: str, stdin: str = "") -> str:
    script = script.replace("http://127.0.0.1:8080", served.url).replace("/etc/setscrew/hook-secret", "hook-secret")
    done = subprocess.run(
        ["sh", "-c", script], cwd=served.state_dir, input=stdin, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def taken(send: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The answers, once none is 503: a reconciler without a moment of CPU is asked again, as a sender would."""

    def tried() -> list[dict[str, Any]]:
        answers = send()
        return answers if all(answer["status"] != 503 for answer in answers) else []

    return eventually(tried, "a reconciler that answers")


def test_the_example_with_curl_is_accepted(served: Served) -> None:
    answer = taken(lambda: [json.loads(played(served, blocks("bash")[0]))])[0]
    printed = json.loads(blocks("json")[0])
    assert {**answer, "delivery": ""} == {**printed, "delivery": ""}


def test_the_hook_of_a_bare_repository_tells_of_each_ref(served: Served) -> None:
    zeros, some = "0" * 40, "a" * 40
    pushed = f"{zeros} {some} refs/heads/tmp\n{zeros} {some} refs/heads/main\n"
    answers = taken(lambda: [json.loads(line) for line in played(served, blocks("bash")[1], pushed).splitlines()])
    assert [answer["status"] for answer in answers] == ["ignored", "accepted"]


def test_each_host_has_a_page_with_a_document_that_is_accepted(tmp_path: Path) -> None:
    providers = set()
    for page in PAGES:
        for text in re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
            secret = tmp_path / "hook-secret"
            secret.write_text("setscrew:0123456789abcdef\n")
            file = tmp_path / "page.yaml"
            file.write_text(text.replace("/etc/setscrew/hook-secret", str(secret)))
            configuration.load(file)
            providers |= {spec.provider for spec in load_receivers(file)}
    assert providers | {"gitea"} == set(PROVIDERS)
    index = (HOW_TO / "add-a-receiver.md").read_text()
    assert [page.name for page in PAGES if f"receivers/{page.name}" not in index] == []
