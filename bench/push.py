"""From a push to what is enforced: how long it takes, what of it is the renderers' own, and what the reconciler costs.

    python bench/push.py                 a push to 2,000 objects; a first start with 10,000 objects of 50 sources
    python bench/push.py --server        and how long the server forms of all of them take, with a control plane
    python bench/push.py --record        write docs/performance.md

Real processes: `setscrew run`, git, helm, kubectl. Asserts that what was pushed is enforced, never a figure. Linux.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from support import repository
from support.installation import Installation
from support.page import PAGE, placed
from support.wanted import Row, wanted

_MARKS = ("<!-- push: begin (written by `bench/push.py --record`, do not edit) -->", "<!-- push: end -->")
_PUSHES, _POLLS = 7, 20


@click.command()
@click.option("--server", is_flag=True, help="With a control plane: the server forms too, some ten minutes.")
@click.option("--record", is_flag=True, help="Write docs/performance.md.")
@click.option("--apps", default=50, show_default=True, help="Applications of each of the 50 sources, 4 objects each.")
def main(*, server: bool, record: bool, apps: int) -> None:
    """Print the table."""
    rows = [*_pushes(), *_first_start(apps)]
    if server:
        from support.server_forms import seconds

        took, objects = seconds(apps)
        rows.append(Row(f"server forms of {objects:,} objects, from the start", took, "s", 600))
    text = wanted(rows)
    print(text, end="")
    if record:
        PAGE.write_text(placed(PAGE.read_text(), text, _MARKS))


def _pushes() -> Iterator[Row]:
    """One source of 2,000 objects, of which a push changes one file."""
    with _installed(1, 500) as found:
        times = []
        for turn in range(_PUSHES):
            file = repository.first_file(found.repository.work)
            file.write_text(re.sub(r"level: info[-\d]*", f"level: info-{turn}", file.read_text()))
            commit = found.commit("One file")
            began = time.monotonic()
            found.tell_receiver(commit)
            found.wait_for(commit)
            times.append(time.monotonic() - began)
        yield Row("push to enforced, 2,000 objects, one file changed, median", statistics.median(times), "s", 2)
        yield Row("the same, slowest", max(times), "s", 2)
        yield Row("a look at Git without news, CPU of the reconciler", found.poll_cpu(_POLLS) * 1000, "ms", 50)


def _first_start(apps: int) -> Iterator[Row]:
    with _installed(50, apps) as found:
        objects = 50 * apps * repository.OBJECTS_AN_APP
        yield Row(f"first start, {objects:,} objects of 50 sources, offline forms enforced", found.began_in, "s", 60)
        yield Row("of it helm and kustomize alone, all runs one after the other", _renderers(found), "s")
        yield Row(f"most memory of the reconciler, {objects:,} objects", found.most_memory(), "MiB", 400)


def _renderers(found: Installation) -> float:
    """What the renderers take by themselves for all that was rendered: a chart is rendered twice."""
    work, total = found.repository.work, 0.0
    for name, spec in found.sources.items():
        kind = spec["render"]["kind"]
        commands = {
            "Helm": 2 * [[str(found.tools.helm), "template", name, str(work / name)]],
            "Kustomize": [[str(found.tools.kubectl), "kustomize", str(work / name)]],
        }.get(kind, [])
        for command in commands:
            began = time.monotonic()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            total += time.monotonic() - began
    return total


@contextmanager
def _installed(sources: int, apps: int) -> Iterator[Installation]:
    directory = Path(tempfile.mkdtemp(prefix="setscrew-push-"))
    try:
        with Installation(directory, sources, apps) as found:
            yield found
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
