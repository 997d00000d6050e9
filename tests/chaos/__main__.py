"""Owns `make chaos`: blow after blow under load, with both failure policies; one summary, status 1 on any violation."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click

from tests.chaos.run import FailurePolicy, chaos
from tests.chaos.trials import TRIALS, Size
from tests.chaos.verdict import summary

_ROOT = Path(__file__).parents[2]
_FAILURE_POLICIES: tuple[FailurePolicy, ...] = ("Fail", "Ignore")
_PAGE = """\
# Chaos

What `make chaos` printed at the date and commit below: a real API server with two replicas of the admission server, and
a person with rights on everything who writes all the time, half of it past Git. Meanwhile workers are killed, replicas
restarted one after the other, certificates rotated, snapshots switched, the pointer damaged, the disk filled,
connections opened and left silent. With `failurePolicy: Fail` a violation is any write past Git that is admitted; with
`Ignore` any such write that the report does not name afterwards; with both, any allowed write that fails.

Two things are excused: what a worker holds when it is killed ends with it (the API server does not send a review
twice), and a single replica that is restarted answers nobody. A balancer of the tests stands for the Service
(`tests/chaos/balancer.py`).

`make chaos RECORD=1` writes this page; the tests run a short form (`tests/integration/test_chaos.py`).

{date}, commit {commit}:

```
{summary}
```
"""


@click.command()
@click.option("--rate", default=200.0, show_default=True, help="Writes a second.")
@click.option("--only", multiple=True, help="Names of trials; none: all.")
@click.option("--failure", multiple=True, type=click.Choice(_FAILURE_POLICIES), help="failurePolicy; none: both.")
@click.option("--short", is_flag=True, help="A few of each instead of a hundred.")
@click.option("--record", is_flag=True, help="Write docs/reference/chaos.md.")
def main(rate: float, only: tuple[str, ...], failure: tuple[FailurePolicy, ...], short: bool, record: bool) -> None:
    """Run all trials and print the summary."""
    size = Size(switches=5, rotations=2, kills=2, connections=200) if short else Size()
    chosen = [trial for trial in TRIALS if not only or trial.name in only]
    texts, failed = [], False
    for policy in failure or _FAILURE_POLICIES:
        with tempfile.TemporaryDirectory(prefix="setscrew-chaos-") as directory:
            done = chaos(policy, rate, size, Path(directory), chosen)
        texts.append(summary(done.verdict, done.facts()))
        click.echo(texts[-1])
        failed = failed or bool(done.verdict.violations)
    if record:
        command = ["git", "rev-parse", "--short=12", "HEAD"]
        commit = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True).stdout.strip()
        page = _PAGE.format(date=datetime.now(UTC).strftime("%Y-%m-%d"), commit=commit, summary="\n\n".join(texts))
        (_ROOT / "docs" / "reference" / "chaos.md").write_text(page)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
