"""Owns `make soak`: minutes or hours of a working cluster under guard, one summary, status 1 on any violation."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from bench.support.page import ROOT, commit
from reconciler.model.quantity import nanoseconds
from tests.soak.in_cluster import soak_in_cluster
from tests.soak.run import soak
from tests.soak.trend import DESCRIPTORS_AN_HOUR, JUDGED_SECONDS, MEMORY_MB_AN_HOUR, WARM_UP_SECONDS
from tests.soak.verdict import summary

_PAGE: Final = ROOT / "docs" / "reference" / "soak.md"
_HEAD: Final = """\
# Soak

What `make soak` printed at the dates and commits below: fifty guarded Deployments roll, their autoscalers move,
namespaces and Jobs come and go under guard, and a person goes past Git all the time. Controllers, API server and
Setscrew are the real ones; nodes are a stand-in (`tests/support/kubelet.py`). A violation is a refusal of the cluster's
own machinery, of the GitOps writer or of a restart, any change past Git that is admitted, any line of the controllers'
log that names the webhook, and anything that has not come to rest as Git wants it at the end.

Growth is a violation too: {memory:g} MB an hour of memory or {descriptors:g} descriptor an hour, in any process, and a
process that did not live through all of it. The first {warm:.0f} minutes (45 % of a short run) do not count:
caches and pools fill by what happens, so until then everybody acts at pace 1, whatever the pace. Of the rest, looked at
every ten seconds, the slope is the median of those between all pairs of looks, of resident and of anonymous memory,
whichever is worse. A run that has less than {judged:.0f} minutes after that shows slopes and does not judge them:
too short to tell. Connections come and go, and move between the workers of a server: of descriptors, the fewest that
all workers together had in each five minutes count.
Memory does not depend on how fast the machine is, so others may use it meanwhile; the load says whether they did.

`make soak SOAK=1h RECORD=1` writes the first part, `make soak-cluster` with the same the second; the tests run two
minutes of the first (`tests/integration/test_soak.py`).
"""
_PARTS: Final = {"run": "One machine: `setscrew run`", "in-cluster": "Two replicas in a cluster"}
_NONE: Final = "Not recorded yet.\n"
_BLOCK: Final = """\
{date}, commit {commit}:

```
{summary}
```
"""


class _Length(click.ParamType[float]):
    """A length of time as Go writes it: 90s, 10m, 1h."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = nanoseconds(value)
        if found is None or found <= 0:
            self.fail(f"{value!r} is no length of time such as 90s, 10m or 1h", param, ctx)
        return float(found) / 1e9


@click.command()
@click.option(
    "--for", "seconds", type=_Length(), default="10m", show_default=True, help="How long, after all is guarded."
)
@click.option("--pace", default=1.0, show_default=True, help="After the warm-up everybody waits so many times as long.")
@click.option("--in-cluster", is_flag=True, help="Two replicas as they run in a cluster, instead of `setscrew run`.")
@click.option(
    "--samples", type=click.Path(path_type=Path), help="Write each look at a process there, as lines of JSON."
)
@click.option("--record", is_flag=True, help="Write docs/reference/soak.md.")
def main(seconds: float, pace: float, in_cluster: bool, samples: Path | None, record: bool) -> None:
    """Run the soak and print its summary."""
    if in_cluster:
        done = soak_in_cluster(seconds, pace, samples)
    else:
        with tempfile.TemporaryDirectory(prefix="setscrew-soak-") as directory:
            done = soak(seconds, Path(directory), pace, samples)
    text = summary(done.verdict, done.facts())
    click.echo(text)
    if record:
        _record("in-cluster" if in_cluster else "run", text)
    sys.exit(1 if done.verdict.violations else 0)


def _record(part: str, text: str) -> None:
    """Write the part that was played, and leave the other as it stands."""
    block = _BLOCK.format(date=datetime.now(UTC).strftime("%Y-%m-%d"), commit=commit(), summary=text)
    _PAGE.write_text(page({**blocks(_PAGE.read_text()), part: block}))


def blocks(text: str) -> dict[str, str]:
    """What a page says of each part, by the part's name."""
    return dict(re.findall(r"<!-- soak (\S+) -->\n(.*?)<!-- end -->", text, re.DOTALL))


def page(recorded: Mapping[str, str]) -> str:
    """The whole page."""
    head = _HEAD.format(
        memory=MEMORY_MB_AN_HOUR,
        descriptors=DESCRIPTORS_AN_HOUR,
        warm=WARM_UP_SECONDS / 60,
        judged=JUDGED_SECONDS / 60,
    )
    parts = [
        f"\n## {title}\n\n<!-- soak {name} -->\n{recorded.get(name, _NONE)}<!-- end -->\n"
        for name, title in _PARTS.items()
    ]
    return head + "".join(parts)


if __name__ == "__main__":
    main()
