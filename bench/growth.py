"""How the memory of the reconciler grows with what is guarded: several sizes, one after the other, each from nothing.

    python bench/growth.py                          5,000, 20,000 and 100,000 objects; half an hour, 10 GiB
    python bench/growth.py --objects 1000 --objects 4000
    python bench/growth.py --record                 write docs/performance.md

Real parts: a control plane, `setscrew run`. Forms stay as the offline engine made them: the API server would take half
an hour for so many, and what it answers takes the place of what is there. Linux.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
from support.bulk import WRITERS, create, declare, reconciler_of
from support.machine import resident_mib
from support.page import PAGE, placed
from support.wanted import Row, wanted

from reconciler.cluster.api import ApiClient
from reconciler.limits import RENDERED_OBJECTS
from setscrew.demo.stage import Stage

_MARKS = ("<!-- growth: begin (written by `bench/growth.py --record`, do not edit) -->", "<!-- growth: end -->")
_NO_SERVER_FORMS = ("--canonicalizer-kubeconfig", "")
_PASS_SECONDS, _PATIENCE_SECONDS, _GLANCE_SECONDS = 60.0, 1800.0, 5.0
_PASSES = 2
"""After each memory is looked at: the first fills caches."""


@click.command()
@click.option("--objects", type=int, multiple=True, default=(5_000, 20_000, 100_000), show_default=True)
@click.option("--record", is_flag=True, help="Write docs/performance.md.")
def main(*, objects: tuple[int, ...], record: bool) -> None:
    """Print the table."""
    sizes = sorted(objects)
    held = {size: _held(size) for size in sizes}
    text = wanted(_rows(held))
    print(text, end="")
    if record:
        PAGE.write_text(placed(PAGE.read_text(), text, _MARKS))


def _rows(held: dict[int, tuple[float, float]]) -> Iterator[Row]:
    for size, (resident, most) in held.items():
        yield Row(f"{size:,} objects: memory of the reconciler (RSS)", resident, "MiB")
        yield Row("the most that it ever had", most, "MiB")
    sizes = list(held)
    steps = [(held[then][0] - held[now][0]) * 1024 / (then - now) for now, then in pairwise(sizes)]
    for place, step in enumerate(steps):
        # Linear: an object among many costs no more than one among few did; a tenth is noise.
        most = 1.1 * steps[place - 1] if place else None
        yield Row(f"for each object more, {sizes[place]:,} to {sizes[place + 1]:,}", step, "KiB", most)


def _held(objects: int) -> tuple[float, float]:
    """MiB of the reconciler that guards so many: at rest, and at most."""
    parts = [range(start, min(objects, start + RENDERED_OBJECTS)) for start in range(0, objects, RENDERED_OBJECTS)]
    sources = {f"bulk-{place}": {"path": f"bulk-{place}", "render": {"kind": "YAML"}} for place in range(len(parts))}

    def fill(work: Path) -> None:
        for name, numbers in zip(sources, parts, strict=True):
            declare(work / name, numbers)

    with Stage(sources, fill, scan_seconds=_PASS_SECONDS, canary_seconds=3600, run_options=_NO_SERVER_FORMS) as stage:
        create(ApiClient.load(str(stage.plane.admin_kubeconfig), connections=WRITERS), objects)
        stage.start_setscrew(register=False, seconds=_PATIENCE_SECONDS)
        seen: set[str] = set()
        stage.wait(f"{_PASSES} looks at all", lambda: _looked(stage, objects, seen) > _PASSES, _PATIENCE_SECONDS)
        held = resident_mib(reconciler_of(stage))
        click.echo(f"{objects:,} objects: {held[0]:.0f} MiB, at most {held[1]:.0f}", err=True)
        return held


def _looked(stage: Stage, objects: int, seen: set[str]) -> int:
    """How many full comparisons of all of them have ended so far."""
    time.sleep(_GLANCE_SECONDS)
    found = stage.drift() or {}
    if found.get("summary", {}).get("managed") == objects:
        seen.add(found["metadata"]["observedAt"])
    return len(seen)


if __name__ == "__main__":
    main()
