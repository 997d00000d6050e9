"""Commands and options complete as kubectl asks for it, and as shells do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from setscrew.cli import main
from setscrew.cli.completing import completed


@pytest.mark.parametrize(
    ("words", "found", "directive"),
    [
        (["dri"], "drift", ":4"),
        ([], "audit", ":4"),
        (["grant", "cr"], "create", ":4"),
        (["drift", "--only", "mis"], "missing", ":4"),
        (["explain", "deploy/web", "--fi"], "--field", ":4"),
        (["run", "--config", ""], "", ":0"),
    ],
)
def test_what_may_come_next_is_told_a_line_each_and_whether_files_may(
    words: list[str], found: str, directive: str
) -> None:
    *lines, last = completed(words).splitlines()
    assert last == directive
    assert found in [line.partition("\t")[0] for line in lines] or (found, lines) == ("", [])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_of_its_own(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0
    assert f"_SETSCREW_COMPLETE={shell}_complete" in done.output


def test_bash_completes_by_it() -> None:
    script = CliRunner().invoke(main, ["completion", "bash"]).output
    asked = 'COMP_WORDS=(setscrew dri); COMP_CWORD=1; _setscrew_completion setscrew; echo "${COMPREPLY[@]}"'
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    words = ["bash", "-c", f"{script}\n{asked}"]
    done = subprocess.run(words, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("drift\n", 0), done.stderr


def test_another_shell_is_wrong_use() -> None:
    assert CliRunner().invoke(main, ["completion", "tcsh"]).exit_code == 2


@pytest.mark.parametrize(("program", "name"), [("kubectl-setscrew", "kubectl setscrew"), ("setscrew", "setscrew")])
def test_help_calls_it_as_it_was_called(monkeypatch: pytest.MonkeyPatch, program: str, name: str) -> None:
    monkeypatch.setattr(sys, "argv", [f"/usr/bin/{program}"])
    assert f"Usage: {name} drift [OPTIONS]" in CliRunner().invoke(main, ["drift", "--help"]).output
