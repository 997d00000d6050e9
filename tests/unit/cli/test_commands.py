"""What all commands keep: help that teaches, one line for an error, statuses, no Secret on any stream."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

import setscrew.cli
from reconciler.errors import StoreError
from setscrew.cli import main
from tests.unit.cli.conftest import DEPLOYMENT, Run, Write, as_json

COMMANDS = sorted(setscrew.cli._COMMANDS)
PASSWORD = "plain-3f8a-never-print"
ENCODED = base64.b64encode(PASSWORD.encode()).decode()
ANNOTATION = json.dumps({"stringData": {"password": PASSWORD}, "data": {"password": ENCODED}})
SECRET = f"""\
apiVersion: v1
kind: Secret
metadata:
  name: db
  namespace: shop
  annotations: {{kubectl.kubernetes.io/last-applied-configuration: '{ANNOTATION}'}}
stringData: {{password: {PASSWORD}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: encoded, namespace: shop}}
data: {{password: {ENCODED}}}
"""


@pytest.mark.parametrize("name", [one for one in COMMANDS if one not in ("reconcile", "serve")])
def test_help_teaches_by_an_example(run: Run, name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"setscrew {name}" in result.stdout.partition("\n")[2], result.stdout
    assert "\\b" not in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    assert [one.opts for one in options if not one.help and one.opts not in (["--limit"], ["-o", "--output"])] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "No such command 'nonsense' (see setscrew --help) [SS1001]"),
        (["render"], "Missing argument 'PATH' (see setscrew render --help) [SS1001]"),
        (["render", "/nowhere/at/all"], "does not exist (see setscrew render --help) [SS1001]"),
        (["render", "--odd", "."], "No such option '--odd'"),
        (["diff"], "give either PATH or --source [SS1000]"),
        (["explain", "web", "--state", "/nowhere"], "no snapshot yet"),
        (["drift"], "which instance? (give --state DIR"),
        (["register"], "--state is needed"),
    ],
)
def test_wrong_use_is_one_line_with_a_code_and_status_2(run: Run, arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("setscrew: ")
    assert words in result.stderr


def test_no_command_at_all_shows_the_help_and_is_no_success(run: Run) -> None:
    result = run()
    assert result.exit_code == 2
    assert "Commands:" in result.stderr


def test_an_unforeseen_error_is_told_by_its_place_and_never_looks_like_drift(
    run: Run, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError(PASSWORD)

    monkeypatch.setattr("setscrew.cli.forms.rendered", broken)
    result = run("render", write("web.yaml", DEPLOYMENT))
    assert result.exit_code == 70
    assert "internal error: KeyError in test_commands.py:" in result.stderr
    assert "[SS9000]" in result.stderr
    assert PASSWORD not in result.output


def test_an_error_of_the_store_keeps_its_own_status(run: Run, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr("setscrew.cli.forms.rendered", full)
    assert run("render", write("web.yaml", DEPLOYMENT)).exit_code == 5


def test_a_reader_that_goes_away_is_neither_drift_nor_a_trace(write: Write) -> None:
    path = write(
        "many.yaml", "---\n".join(DEPLOYMENT.replace("name: web}\nspec", f"name: w{n}}}\nspec") for n in range(400))
    )
    command = [sys.executable, "-m", "setscrew", "render", str(path), "-o", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 141


@pytest.mark.parametrize("output", ["yaml", "json", "table"])
def test_render_shows_no_secret(run: Run, write: Write, output: str) -> None:
    result = run("render", write("secret.yaml", SECRET), "-o", output)
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    assert ENCODED not in result.output


@pytest.mark.parametrize("output", ["yaml", "json"])
def test_canonical_shows_no_secret(run: Run, write: Write, output: str) -> None:
    result = run("canonical", write("secret.yaml", SECRET), "-o", output)
    assert result.exit_code == 0
    assert "***" in result.stdout
    assert PASSWORD not in result.output
    assert ENCODED not in result.output


@pytest.mark.parametrize("output", ["yaml", "json", "table"])
def test_compare_says_that_a_secret_differs_and_shows_neither_side(run: Run, write: Write, output: str) -> None:
    other = SECRET.replace(PASSWORD, "another-9c1d").replace(ENCODED, base64.b64encode(b"another-9c1d").decode())
    result = run("compare", "--desired", write("a.yaml", SECRET), "--live", write("b.yaml", other), "-o", output)
    assert result.exit_code == 1
    assert "/data/password" in result.stdout or "data.password" in result.stdout
    shown = [PASSWORD, ENCODED, "another-9c1d", base64.b64encode(b"another-9c1d").decode()]
    assert [one for one in shown if one in result.output] == []


def test_the_two_ways_to_write_a_secret_are_the_same(run: Run, write: Write) -> None:
    plain, encoded = SECRET.split("---\n")
    live = write("live.yaml", encoded.replace("encoded", "db"))
    assert run("compare", "--desired", write("plain.yaml", plain), "--live", live).exit_code == 0


def test_render_prints_provenance_for_programs(run: Run, write: Write) -> None:
    path = write("web.yaml", f"# first line\n{DEPLOYMENT}")
    (found,) = as_json(run("render", path, "-o", "json"))
    assert found["provenance"] == {"file": "web.yaml", "line": 2, "document": 0, "generator": "yaml"}
    assert found["object"]["kind"] == "Deployment"


def test_canonical_prints_form_and_declared_fields(run: Run, write: Write) -> None:
    (found,) = as_json(run("canonical", write("web.yaml", DEPLOYMENT)))
    assert (found["object"], found["confidence"]) == ("Deployment.apps default/web", "offline")
    assert "f:image" in found["declared"]["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"web"}']


def test_a_directory_with_nothing_in_it_is_an_error_of_render(run: Run, tmp_path: Path) -> None:
    result = run("render", tmp_path)
    assert result.exit_code in (0, 4)
    assert result.stdout.strip() in ("", "[]")


def test_what_a_terminal_would_obey_is_escaped_in_the_line_of_an_error(run: Run, write: Write) -> None:
    name = r'"a\e]0;title\a"'
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: x}}\n"
    done = run("render", write("twice.yaml", f"{text}---\n{text}"))
    assert r"a\x1b]0;title\x07" in done.stderr
    assert done.stderr.strip().isprintable()
