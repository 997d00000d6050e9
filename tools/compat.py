"""Owns `make compat`: chosen integration tests against the API server and controllers of each pinned minor.

The outcome of each file of tests is kept in out/compat.jsonl; `--record` writes README's table from what is kept, so a
file can be run again alone. Files that share a control plane are one run, each of the others is one of its own. What
was never run is not in the table. Must not choose minors (setscrew/controlplane/pins.py does) nor excuse a failure.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import click

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.support.page import placed  # noqa: E402
from setscrew.controlplane import ensure  # noqa: E402
from setscrew.controlplane.binaries import version  # noqa: E402
from setscrew.controlplane.pins import KUBERNETES_VERSION, MINOR_VARIABLE, TOOLS_BY_MINOR, minor_of  # noqa: E402
from tests.support.order import ORDER, OTHERS, ranks  # noqa: E402

README: Final = ROOT / "README.md"
MARKS: Final = ("<!-- compat: begin (written by `make compat RECORD=1`, do not edit) -->", "<!-- compat: end -->")
HEAD: Final = (
    "| Kubernetes | API server and controllers | files of tests | passed | failed | skipped |",
    "| --- | --- | --- | --- | --- | --- |",
)
_SERVER: Final = "kube-apiserver"
_PASSED, _SKIPPED, _FAILED = range(3)

# What could differ between two minors, in words for README, and the tests that would see it.
TESTS: Final[Mapping[str, tuple[str, ...]]] = {
    "the version itself": ("test_control_plane.py::test_it_is_the_pinned_version_and_its_controllers_run",),
    "discovery": ("test_discovery.py",),
    "definitions": ("test_own_definitions.py",),
    "registration and match conditions": ("test_registration.py", "test_registration_reach.py"),
    "forms from dry-runs and the policy that holds them": ("test_server_engine.py", "test_canonicalizer_policy.py"),
    "answers to real reviews": ("test_review_parity.py",),
    "levers": ("test_levers.py",),
    "controllers at work under guard": ("test_machinery.py",),
    "old versions of GPU kinds": ("test_gpu_old_versions.py",),
    "what other projects publish": ("test_corpus.py",),
    "install and uninstall": ("test_install.py",),
    "two replicas": ("test_two_replicas.py",),
}
CHOSEN: Final = tuple(one for some in TESTS.values() for one in some)


@dataclass(frozen=True, slots=True)
class Run:
    """What one file of tests made of one minor."""

    minor: str
    version: str
    chosen: str
    tests: int
    failed: int
    skipped: int


def read(report: Path) -> dict[str, tuple[int, int, int]]:
    """Tests, failed and skipped ones of each file, as pytest wrote them down."""
    worst: dict[tuple[str, str], int] = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - written by our own pytest
        # A test that fails and cannot be cleared up after stands there twice.
        one = f"{case.get('classname', '').rpartition('.')[2]}.py", case.get("name", "")
        worst[one] = max(_outcome(case), worst.get(one, _PASSED))
    found: dict[str, list[int]] = {}
    for (file, _), outcome in worst.items():
        found.setdefault(file, []).append(outcome)
    return {file: (len(all_), all_.count(_FAILED), all_.count(_SKIPPED)) for file, all_ in found.items()}


def _outcome(case: ET.Element) -> int:
    if case.find("failure") is not None or case.find("error") is not None:
        return _FAILED
    return _SKIPPED if case.find("skipped") is not None else _PASSED


def file_of(chosen: str) -> str:
    """The file of a chosen test, or of all of its tests."""
    return chosen.partition("::")[0]


def batches(chosen: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """What is one run: all that shares a control plane first, then each of the others."""
    places = ranks(ORDER.read_text())
    shared = tuple(one for one in chosen if places.get(f"tests/integration/{file_of(one)}", 0) > places[OTHERS])
    if shared:
        yield shared
    yield from ((one,) for one in chosen if one not in shared)


def table(runs: Iterable[Run]) -> str:
    """The block between the marks: a line for each minor, newest first, and what was run."""
    latest = {(run.minor, run.chosen): run for run in runs if run.chosen in CHOSEN}
    by_minor = {minor: [one for one in latest.values() if one.minor == minor] for minor in TOOLS_BY_MINOR}
    told = [f"What is run, file by file in `tools/compat.py`: {', '.join(TESTS)}."]
    told += [line for minor, found in by_minor.items() if found and (line := _missing(minor, found))]
    return "\n".join([*HEAD, *(_row(found) for found in by_minor.values() if found), "", *told, ""])


def _missing(minor: str, runs: Iterable[Run]) -> str:
    there = {run.chosen for run in runs}
    areas = [area for area, some in TESTS.items() if not there.issuperset(some)]
    return f"No result yet on {minor}: {', '.join(areas)}." if areas else ""


def _row(runs: Sequence[Run]) -> str:
    tests, failed, skipped = (sum(getattr(one, name) for one in runs) for name in ("tests", "failed", "skipped"))
    exact = ", ".join(dict.fromkeys(one.version for one in runs))
    files = f"{len(runs)} of {len(CHOSEN)}"
    return f"| {runs[0].minor} | {exact} | {files} | {tests - failed - skipped} | {failed} | {skipped} |"


def built(minor: str) -> str:
    """The exact version of that minor's API server, built now where it is not there yet."""
    program = ensure([_SERVER, "kube-controller-manager"], environ={**os.environ, MINOR_VARIABLE: minor}).path(_SERVER)
    return version(TOOLS_BY_MINOR[minor][_SERVER], program) or ""


def taken(report: Path, minor: str) -> list[Run]:
    """The chosen files that were run whole when all tests were, on that minor."""
    exact, found = built(minor), read(report)
    return [Run(minor, exact, one, *found[one]) for one in CHOSEN if one in found]


def play(minor: str, chosen: Sequence[str], options: Sequence[str]) -> list[Run]:
    """Run what is chosen against one minor."""
    environ, exact = {**os.environ, MINOR_VARIABLE: minor}, built(minor)
    with tempfile.TemporaryDirectory(prefix="setscrew-compat-") as directory:
        report = Path(directory) / "report.xml"
        files = [f"tests/integration/{one}" for one in chosen]
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *options, *files]
        done = subprocess.run(command, cwd=ROOT, env=environ, check=False)
        found = read(report) if done.returncode in (0, 1) and report.exists() else {}
    missing = [one for one in chosen if file_of(one) not in found]
    if missing:
        said = f"{', '.join(missing)} did not run to the end on {minor} (status {done.returncode})"
        raise click.ClickException(said)
    return [Run(minor, exact, one, *found[file_of(one)]) for one in chosen]


def kept(results: Path) -> list[Run]:
    """All outcomes, oldest first."""
    return [Run(**json.loads(line)) for line in results.read_text().splitlines()] if results.exists() else []


def keep(runs: Sequence[Run], results: Path) -> int:
    """Add these outcomes; returns how many tests failed."""
    with results.open("a") as file:
        file.writelines(json.dumps(asdict(run)) + "\n" for run in runs)
    return sum(run.failed for run in runs)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--minor", "minors", multiple=True, type=click.Choice(list(TOOLS_BY_MINOR)), help="None: all of them.")
@click.option("--only", multiple=True, type=click.Choice(CHOSEN), help="None: all of them.")
@click.option("--results", type=click.Path(path_type=Path), default=ROOT / "out" / "compat.jsonl", show_default=True)
@click.option("--again/--missing", default=True, help="Run what is kept once more, or only what is missing or failed.")
@click.option("--take", type=click.Path(path_type=Path, exists=True), help="Run nothing: what this report of pytest has.")
@click.option("--record", is_flag=True, help="Write README's table.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def main(
    minors: tuple[str, ...],
    only: tuple[str, ...],
    results: Path,
    again: bool,
    take: Path | None,
    record: bool,
    options: tuple[str, ...],
) -> None:
    """Run what depends on the API server against each minor; OPTIONS go to pytest.

    `make test PYTEST_ARGS=--junitxml=FILE` runs all of it on the newest minor: --take FILE then keeps the outcome.
    """
    results.parent.mkdir(parents=True, exist_ok=True)
    if take:
        failed = keep(taken(take, minors[0] if minors else minor_of(KUBERNETES_VERSION)), results)
    else:
        latest = {} if again else {(one.minor, one.chosen): one for one in kept(results)}
        good = {what for what, run in latest.items() if not run.failed}
        failed = 0
        for minor in minors or TOOLS_BY_MINOR:
            for batch in batches([one for one in only or CHOSEN if (minor, one) not in good]):
                try:
                    failed += keep(play(minor, batch, options), results)
                except click.ClickException as error:
                    error.show()
                    failed += 1
    block = table(kept(results))
    click.echo(block)
    if record:
        README.write_text(placed(README.read_text("utf-8"), block, MARKS), "utf-8")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
