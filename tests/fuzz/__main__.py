"""Fuzzes what strangers reach: the way of a review through the admission server, deliveries of pushes, YAML from Git.

    make fuzz                                             all three, recorded in docs/reference/fuzzing.md
    python -m tests.fuzz --inputs 100000                  reviews, the short form of CI
    python -m tests.fuzz --target receivers               receivers or loader, in child processes
    python -m tests.fuzz --target loader --replay 7-3-12  one input again, with its body

What must hold of a review: nothing is raised but a ReviewError with status and code; one whose uid can be read gets a
verdict; the answer is JSON of bounded size for that uid; asked twice, it is the same; no person changes what Git
declares. What must hold of the others stands in their modules.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from tests.fuzz import child, parent, target

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "fuzzing.md"
MARK = "<!-- recorded by tests/fuzz: rows below this line -->"
SHOWN = 20


@click.command()
@click.option("--target", "name", type=click.Choice(["reviews", "receivers", "loader"]), default="reviews")
@click.option("--inputs", default=1_000_000, show_default=True, help="How many.")
@click.option("--seed", default=1, show_default=True, help="Another seed, other inputs.")
@click.option("--record", is_flag=True, help="Add a row to docs/reference/fuzzing.md.")
@click.option("--replay", default="", help="Number of one input, as a finding names it.")
def main(name: str, inputs: int, seed: int, record: bool, replay: str) -> None:
    """Exit status 1 if anything was found."""
    logging.getLogger("setscrew.admission").setLevel(logging.CRITICAL)
    if replay:
        raise SystemExit(_replayed(name, replay) if name != "reviews" else asyncio.run(_replay(replay, target.seeds())))
    began = time.monotonic()
    findings = _reviews(inputs, seed) if name == "reviews" else _in_children(name, inputs, seed)
    seconds = time.monotonic() - began
    click.echo(f"{inputs} inputs of {name} in {seconds:.0f} s, seed {seed}: {findings} findings")
    if record:
        _record(name, inputs, seconds, seed, findings)
    raise SystemExit(1 if findings else 0)


def _reviews(inputs: int, seed: int) -> int:
    return len(asyncio.run(fuzz(inputs, seed, target.seeds())))


def _in_children(name: str, inputs: int, seed: int) -> int:
    found = parent.fuzz(name, inputs, seed)
    for number, of, wrong in found.findings[:SHOWN]:
        click.echo(f"{number} ({of}): {wrong}")
    click.echo(f"largest child: {found.peak} MiB")
    return len(found.findings)


def _replayed(name: str, number: str) -> int:
    tried = child.target(name)
    one = tried.make(number, child.pool_of(number))
    click.echo(tried.show(one))
    found = tried.finding(one)
    click.echo(f"{number} ({one.name}): {found or 'nothing found'}")
    return 1 if found else 0


def _numbers(inputs: int, seed: int) -> Iterator[tuple[int, str]]:
    for count in range(inputs):
        yield count, child.numbered(seed, count)


async def fuzz(inputs: int, seed: int, seeds: target.Seeds) -> list[str]:
    """Numbers of the inputs that were answered wrongly; the first of them are printed with what is wrong."""
    findings: list[str] = []
    pool: list[object] = []
    for count, number in _numbers(inputs, seed):
        if count % child.ROUND == 0:
            pool = child.pool_of(number)
        one = target.make(number, seeds, pool)
        found = await target.finding(one, twice=count % 16 == 0)
        if found:
            findings.append(number)
            if len(findings) <= SHOWN:
                click.echo(f"{number} ({one.seed.name}): {found}")
    return findings


async def _replay(number: str, seeds: target.Seeds) -> int:
    one = target.make(number, seeds, child.pool_of(number))
    found = await target.finding(one, twice=True)
    click.echo(one.body.decode("utf-8", "backslashreplace"))
    click.echo(f"{number} ({one.seed.name}): {found or 'nothing found'}")
    return 1 if found else 0


def _record(name: str, inputs: int, seconds: float, seed: int, findings: int) -> None:
    git = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    head, mark, rows = PAGE.read_text().partition(MARK)
    row = f"| {day} | `{commit}` | {name} | {inputs:,} | {seconds:.0f} | {seed} | {findings} |\n"
    PAGE.write_text(f"{head}{mark}{rows.rstrip()}\n{row}")


if __name__ == "__main__":
    main()
