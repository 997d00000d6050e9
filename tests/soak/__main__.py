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

_ROOT = Path(__file__).parents[2]
_PAGE = """\
# Soak

What `make soak` printed at the date and commit below: fifty guarded Deployments roll, their autoscalers move,
namespaces and Jobs come and go under guard, and a person goes past Git all the time. Controllers, API server and
Setscrew are the real ones; nodes are a stand-in (`tests/support/kubelet.py`). A violation is a refusal of the cluster's
own machinery, of the GitOps writer or of a restart, any change past Git that is admitted, any line of the controllers'
log that names the webhook, and anything that has not come to rest as Git wants it at the end. Memory is reported, not
judged.

`make soak RECORD=1` writes this page; the tests run two minutes of it (`tests/integration/test_soak.py`).

{date}, commit {commit}:

```
{summary}
```
"""


@click.command()
@click.option("--minutes", default=10.0, show_default=True, help="How long, after all is guarded.")
@click.option("--record", is_flag=True, help="Write docs/reference/soak.md.")
def main(minutes: float, record: bool) -> None:
    """Run the soak and print its summary."""
    with tempfile.TemporaryDirectory(prefix="setscrew-soak-") as directory:
        done = soak(minutes * 60, Path(directory))
    text = summary(done.verdict, done.facts())
    click.echo(text)
    if record:
        command = ["git", "rev-parse", "--short=12", "HEAD"]
        commit = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True).stdout.strip()
        page = _PAGE.format(date=datetime.now(UTC).strftime("%Y-%m-%d"), commit=commit, summary=text)
        (_ROOT / "docs" / "reference" / "soak.md").write_text(page)
    sys.exit(1 if done.verdict.violations else 0)


if __name__ == "__main__":
    main()
