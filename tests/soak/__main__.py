"""Owns `make soak`: minutes of a working cluster under guard, one summary, status 1 on any violation."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click

from tests.soak.run import soak
from tests.soak.verdict import summary

_PAGE = """\
# Soak

What `make soak` printed at the date and commit below: fifty guarded Deployments roll, their autoscalers move,
namespaces and Jobs come and go under guard, and a person goes past Git all the time. Controllers, API server and
Setscrew are the real ones; nodes are a stand-in (`tests/support/kubelet.py`). A violation is a refusal of the cluster's
own machinery, of the GitOps writer or of a restart, any change past Git that is admitted, any line of the controllers'
log that names the webhook, and anything that has not come to rest as Git wants it at the end. Memory is reported, not
judged.

`make soak MINUTES=10 RECORD=docs/reference/soak.md` writes this page; CI runs two minutes of it.

{date}, commit {commit}:

```
{summary}
```
"""


@click.command()
@click.option("--minutes", default=10.0, show_default=True, help="How long, after all is guarded.")
@click.option("--record", type=click.Path(path_type=Path), help="Write the page of the documentation to this file.")
def main(minutes: float, record: Path | None) -> None:
    """Run the soak and print its summary."""
    with tempfile.TemporaryDirectory(prefix="setscrew-soak-") as directory:
        done = soak(minutes * 60, Path(directory))
    text = summary(done.verdict, done.facts())
    click.echo(text)
    if record is not None:
        commit = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        date = datetime.now(UTC).strftime("%Y-%m-%d")
        record.write_text(_PAGE.format(date=date, commit=commit.stdout.strip(), summary=text))
    sys.exit(1 if done.verdict.violations else 0)


if __name__ == "__main__":
    main()
