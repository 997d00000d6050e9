"""Fuzzes the admission server's way of a review: bytes to decode, decide and encode, and what must hold of the answer.

    make fuzz                                          a million inputs, recorded in docs/reference/fuzzing.md
    python -m tests.fuzz --inputs 100000               the short form of CI
    python -m tests.fuzz --replay 7-3-1234             one input again, with its body

What must hold: nothing is raised but a ReviewError with status and code; a review whose uid can be read gets a verdict;
the answer is JSON of bounded size for that uid; asked twice, it is the same; no person changes what Git declares.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from tests.fuzz import mutations, target

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "fuzzing.md"
MARK = "<!-- recorded by tests/fuzz: rows below this line -->"
ROUND = 10_000
SHOWN = 20


@click.command()
@click.option("--inputs", default=1_000_000, show_default=True, help="How many.")
@click.option("--seed", default=1, show_default=True, help="Another seed, other inputs.")
@click.option("--record", is_flag=True, help="Add a row to docs/reference/fuzzing.md.")
@click.option("--replay", default="", help="Number of one input, as a finding names it.")
def main(inputs: int, seed: int, record: bool, replay: str) -> None:
    """Exit status 1 if anything was found."""
    seeds = target.seeds()
    if replay:
        raise SystemExit(asyncio.run(_replay(replay, seeds)))
    began = time.monotonic()
    findings = asyncio.run(fuzz(inputs, seed, seeds))
    seconds = time.monotonic() - began
    reviews = len(seeds.persons) + len(seeds.cases)
    click.echo(f"{inputs} inputs of {reviews} reviews in {seconds:.0f} s, seed {seed}: {len(findings)} findings")
    if record:
        _record(inputs, seconds, seed, len(findings))
    raise SystemExit(1 if findings else 0)


def _numbers(inputs: int, seed: int) -> Iterator[tuple[int, str]]:
    for count in range(inputs):
        yield count, f"{seed}-{count // ROUND}-{count % ROUND}"


def _pool(number: str) -> list[object]:
    """The hostile values of the round that an input belongs to."""
    seed, part, _ = number.split("-")
    return mutations.hostile_values(int(seed) * 1_000_003 + int(part))


async def fuzz(inputs: int, seed: int, seeds: target.Seeds) -> list[str]:
    """Numbers of the inputs that were answered wrongly; the first of them are printed with what is wrong."""
    findings: list[str] = []
    pool: list[object] = []
    for count, number in _numbers(inputs, seed):
        if count % ROUND == 0:
            pool = _pool(number)
        one = target.make(number, seeds, pool)
        found = await target.finding(one, twice=count % 16 == 0)
        if found:
            findings.append(number)
            if len(findings) <= SHOWN:
                click.echo(f"{number} ({one.seed.name}): {found}")
    return findings


async def _replay(number: str, seeds: target.Seeds) -> int:
    one = target.make(number, seeds, _pool(number))
    found = await target.finding(one, twice=True)
    click.echo(one.body.decode("utf-8", "backslashreplace"))
    click.echo(f"{number} ({one.seed.name}): {found or 'nothing found'}")
    return 1 if found else 0


def _record(inputs: int, seconds: float, seed: int, findings: int) -> None:
    git = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    head, mark, rows = PAGE.read_text().partition(MARK)
    row = f"| {day} | `{commit}` | {inputs:,} | {seconds:.0f} | {seed} | {findings} |\n"
    PAGE.write_text(f"{head}{mark}{rows.rstrip()}\n{row}")


if __name__ == "__main__":
    main()
