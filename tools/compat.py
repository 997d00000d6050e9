"""Owns `make compat`: chosen integration tests against the API server and controllers of each pinned minor.

`--record` writes README's table from what was run: a minor that is not run this time keeps its line, and one that was
never run has none. Must not choose minors (setscrew/controlplane/pins.py does) nor excuse a failure.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import click

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.support.page import placed  # noqa: E402
from setscrew.controlplane import ensure  # noqa: E402
from setscrew.controlplane.binaries import version  # noqa: E402
from setscrew.controlplane.pins import MINOR_VARIABLE, TOOLS_BY_MINOR  # noqa: E402

README: Final = ROOT / "README.md"
MARKS: Final = ("<!-- compat: begin (written by `make compat RECORD=1`, do not edit) -->", "<!-- compat: end -->")
_SERVER: Final = "kube-apiserver"

# What could differ between two minors, in words for the README, and the tests that would see it.
TESTS: Final[Mapping[str, tuple[str, ...]]] = {
    "the version itself": ("test_control_plane.py::test_it_is_the_pinned_version_and_its_controllers_run",),
    "discovery and schemas": ("test_discovery.py",),
    "definitions and manifests": ("test_own_definitions.py", "test_manifests.py"),
    "forms from dry-runs": ("test_server_engine.py", "test_canonicalizer_policy.py"),
    "what other projects publish": ("test_corpus.py",),
    "registration and match conditions": ("test_registration.py", "test_registration_reach.py"),
    "answers to real reviews": ("test_review_parity.py",),
    "the policy of our own levers": ("test_levers.py",),
    "controllers at work under guard": ("test_machinery.py",),
    "old versions of GPU kinds": ("test_gpu_old_versions.py",),
    "two replicas": ("test_two_replicas.py",),
    "install, upgrade and uninstall": ("test_install.py",),
}
HEAD: Final = ("| Kubernetes | API server and controllers | tests passed | failed | skipped |", "|---|---|---|---|---|")
_ROW: Final = re.compile(r"^\| (\d+\.\d+) \|")


@dataclass(frozen=True, slots=True)
class Run:
    """What one minor was put through."""

    minor: str
    version: str
    tests: int
    failed: int
    skipped: int

    @property
    def passed(self) -> int:
        """Those that ran and said nothing against it."""
        return self.tests - self.failed - self.skipped

    def row(self) -> str:
        """Its line of the table."""
        return f"| {self.minor} | {self.version} | {self.passed} | {self.failed} | {self.skipped} |"


def rows(page: str) -> dict[str, str]:
    """The lines of the table that stands in a page, by minor."""
    begin, end = MARKS
    block = page.partition(begin)[2].partition(end)[0]
    return {found[1]: line for line in block.splitlines() if (found := _ROW.match(line))}


def table(kept: Mapping[str, str]) -> str:
    """The block between the marks: a line for each minor, newest first, and what was run."""
    newest = [kept[minor] for minor in TOOLS_BY_MINOR if minor in kept]
    areas = ", ".join(TESTS)
    files = len({one.partition("::")[0] for some in TESTS.values() for one in some})
    told = f"Each with the tests of {files} files (`tools/compat.py` names them): {areas}."
    return "\n".join([*HEAD, *newest, "", told, ""])


def read(report: Path, minor: str, exact: str) -> Run:
    """What pytest wrote down."""
    suites = list(ET.parse(report).iter("testsuite"))  # noqa: S314 - written by our own pytest

    def total(name: str) -> int:
        return sum(int(one.get(name, 0)) for one in suites)

    return Run(minor, exact, total("tests"), total("failures") + total("errors"), total("skipped"))


def play(minor: str, chosen: Iterable[str], options: Sequence[str]) -> Run:
    """Run the tests against one minor, building it first where it is not there yet."""
    environ = {**os.environ, MINOR_VARIABLE: minor}
    program = ensure([_SERVER, "kube-controller-manager"], environ=environ).path(_SERVER)
    exact = version(TOOLS_BY_MINOR[minor][_SERVER], program) or ""
    with tempfile.TemporaryDirectory(prefix="setscrew-compat-") as directory:
        report = Path(directory) / "report.xml"
        paths = [f"tests/integration/{one}" for one in chosen]
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *options, *paths]
        done = subprocess.run(command, cwd=ROOT, env=environ, check=False)
        if done.returncode not in (0, 1) or not report.exists():
            raise click.ClickException(f"the tests of {minor} did not run to their end (status {done.returncode})")
        return read(report, minor, exact)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--minor", "minors", multiple=True, type=click.Choice(list(TOOLS_BY_MINOR)), help="None: all of them.")
@click.option("--record", is_flag=True, help="Write README's table.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def main(minors: tuple[str, ...], record: bool, options: tuple[str, ...]) -> None:
    """Run what depends on the API server against each minor; OPTIONS go to pytest."""
    chosen = [one for some in TESTS.values() for one in some]
    runs = [play(minor, chosen, options) for minor in minors or TOOLS_BY_MINOR]
    for line in (*HEAD, *(run.row() for run in runs)):
        click.echo(line)
    if record:
        page = README.read_text("utf-8")
        README.write_text(placed(page, table({**rows(page), **{run.minor: run.row() for run in runs}}), MARKS), "utf-8")
    sys.exit(1 if any(run.failed for run in runs) else 0)


if __name__ == "__main__":
    main()
