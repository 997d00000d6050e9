"""Owns how tests of commands run one in this process: files, stdin, exit status, both streams."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from setscrew.cli import main

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "registry.example.com/web:1"}
"""
Run = Callable[..., Result]
Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def one(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return one


@pytest.fixture
def run() -> Run:
    def one(*args: object, stdin: str | bytes = "") -> Result:
        return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin)

    return one


def as_json(result: Result) -> Any:
    """What a command printed, which must be one JSON value and nothing else."""
    return json.loads(result.stdout)


@pytest.fixture(autouse=True)
def umask_of_the_worker() -> Iterator[None]:
    """`setscrew run` sets its process's umask; here that process is the test worker, and other tests look at modes."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
