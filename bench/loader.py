"""How fast manifests are read: our loader against PyYAML's own C loader, on the same bytes, in turns.

    python bench/loader.py                      a few seconds
    python bench/loader.py --rounds 40 --documents 2000

Times are CPU seconds of this process. The figure that counts is the ratio of a pair: both loaders in one round, one
right after the other, each first in every other round. 100 % is CSafeLoader's own speed; at least 90 % is wanted.
Published sources are read where there are any ($SETSCREW_CORPUS, or shared/corpus beside the checkout).
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import yaml

from reconciler.errors import RenderError
from reconciler.render.yaml_loader import load_documents

_REPOSITORY = Path(__file__).resolve().parents[1]
_CORPUS = Path(os.environ.get("SETSCREW_CORPUS") or _REPOSITORY.parent / "shared" / "corpus")
_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{number}
  namespace: shop
  labels: &labels {{app: web-{number}, tier: front}}
spec:
  replicas: 3
  selector:
    matchLabels: *labels
  template:
    metadata:
      labels: *labels
      annotations:
        example.com/note: >-
          Restarted by hand on 2026-01-02,
          see the log.
    spec:
      containers:
      - name: web
        image: "registry.example.com/web:1.{number}"
        args: [--listen, ":8080", --verbose]
        env:
        - {{name: LEVEL, value: "3"}}
        - name: TOKEN
          valueFrom: {{secretKeyRef: {{name: web, key: token}}}}
        resources:
          limits: {{cpu: 500m, memory: 1Gi}}
          requests:
            cpu: 0.25
            memory: 256Mi
        securityContext:
          readOnlyRootFilesystem: true
          runAsUser: 1000
"""


@dataclass(frozen=True, slots=True)
class Input:
    """Files that are read one after the other."""

    name: str
    files: tuple[bytes, ...]

    @property
    def kib(self) -> float:
        """Size of all files together."""
        return sum(map(len, self.files)) / 1024


@click.command()
@click.option("--rounds", default=10, show_default=True, help="Pairs; the figure is their median.")
@click.option("--documents", default=500, show_default=True, help="Documents of the generated input.")
def main(rounds: int, documents: int) -> None:
    """Print the table."""
    print(f"{'input':<12} {'size':>10} {'documents':>10} {'ours':>10} {'CSafeLoader':>12} {'speed':>7}  middle half")
    for given in _inputs(documents):
        count = _ours(given)
        if count != _theirs(given):
            raise SystemExit(f"{given.name}: the loaders do not find the same documents")
        _row(given, count, [_pair(given, ours_first=bool(number % 2)) for number in range(rounds)])


def _row(given: Input, count: int, pairs: list[tuple[float, float]]) -> None:
    ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratios = [their / our for our, their in pairs]
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    size, times = f"{given.kib:.0f} KiB", f"{ours * 1e3:>7.0f} ms {theirs * 1e3:>9.0f} ms"
    print(f"{given.name:<12} {size:>10} {count:>10} {times} {middle:>7.0%}  {low:.0%} to {high:.0%}")


def _pair(given: Input, *, ours_first: bool) -> tuple[float, float]:
    if ours_first:
        ours = _timed(lambda: _ours(given))
        return ours, _timed(lambda: _theirs(given))
    theirs = _timed(lambda: _theirs(given))
    return _timed(lambda: _ours(given)), theirs


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _ours(given: Input) -> int:
    return sum(1 for data in given.files for _ in load_documents(data, "input.yaml"))


def _theirs(given: Input) -> int:
    trees = (tree for data in given.files for tree in yaml.load_all(data, yaml.CSafeLoader))
    return sum(1 for tree in trees if tree is not None)


def _inputs(documents: int) -> Iterator[Input]:
    texts = [_DEPLOYMENT.format(number=number).encode() for number in range(documents)]
    yield Input("one file", (b"---\n".join(texts),))
    yield Input("many files", tuple(texts))
    published = tuple(filter(_readable, (file.read_bytes() for file in sorted(_CORPUS.rglob("*.yaml")))))
    if published:
        yield Input("published", published)
    else:
        print(f"no published sources at {_CORPUS.name}: set SETSCREW_CORPUS")


def _readable(data: bytes) -> bool:
    """False for what only helm can read: both loaders must be able to."""
    try:
        return _ours(Input("", (data,))) == _theirs(Input("", (data,)))
    except (RenderError, yaml.YAMLError, ValueError):
        return False


if __name__ == "__main__":
    main()
