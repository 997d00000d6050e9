"""Owns the parts of the side-by-side benchmark: which servers stand, which reviews they get, what is kept of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from reconciler.limits import TIDY_SECONDS
from support import through_api
from support.big import CRD, big
from support.cases import Case, cases, state_directory
from support.figures import Pair, Record, medians
from support.golang import Programs
from support.large import unrelated
from support.load import Gun, Noise, Round
from support.machine import QUIET, pss_mib
from support.servers import Server, golang, objects_file, setscrew
from webhook.tls.files import ensure

_CRDS: Final = 500
_FLOOD: Final = 16
_SETTLE_SECONDS: Final = TIDY_SECONDS + 2
_MEMORY_IS: Final = (
    "Memory is PSS of master and two workers at rest, twelve seconds after the last request: shared library pages are "
    "in it, the page cache of the snapshot file, which is read and not mapped, is not. The Go server holds one field "
    "of each object."
)


@dataclass(frozen=True, slots=True)
class Form:
    """How much is measured. `seconds`: one round; `patience`: rounds that may be repeated in the whole run.

    `few` and `many`: guarded objects.
    """

    command: str
    rounds: int
    seconds: float
    requests: int
    starts: int
    patience: int
    few: int = 10_000
    many: int = 100_000


SHORT: Final = Form("make bench", rounds=3, seconds=1.0, requests=50_000, starts=3, patience=15)
FULL: Final = Form("make bench-full", rounds=7, seconds=3.0, requests=1_000_000, starts=7, patience=100)
SMOKE: Final = Form("smoke", rounds=1, seconds=0.2, requests=2_000, starts=1, patience=0, few=30, many=60)


@dataclass(slots=True)
class Bench:
    """What the parts share: a directory, the Go programs, the record that they fill."""

    directory: Path
    form: Form
    programs: Programs
    record: Record
    say: Callable[[str], None]
    part: str = ""
    noise: Noise = field(init=False)
    _homes: dict[int, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.noise = Noise(self.form.patience)

    def note(self, key: str, ours: float, go: float | None = None) -> None:
        """Keep one figure."""
        self.record.figures[key] = Pair(round(ours, 4), None if go is None else round(go, 4))

    def tell(self, text: str) -> None:
        """Say where the run is."""
        self.say(f"{self.part} {text}")

    def home(self, count: int) -> Path:
        """A state directory with so many Deployments and the two big objects; made once."""
        if count not in self._homes:
            self.tell(f"a snapshot of {count:,} objects")
            objects = big()
            more = lambda context: [one.entry(context) for one in objects]  # noqa: E731 - one use, one line
            self._homes[count] = state_directory(self.directory / f"state-{count}", count, [CRD], more)
        return self._homes[count]

    @contextmanager
    def ours(self, home: Path, workers: int = 2) -> Iterator[Server]:
        """The admission server over `home`."""
        files = ensure(home / "tls", ("127.0.0.1", "localhost"), datetime.now(UTC))
        with setscrew(home, files, _first(), workers) as server:
            yield server

    @contextmanager
    def go(self, home: Path, count: int) -> Iterator[Server]:
        """The server to compare with, over as many objects."""
        files = ensure(home / "tls", ("127.0.0.1", "localhost"), datetime.now(UTC))
        objects = objects_file(self.directory / f"objects-{count}", count, big())
        with golang(self.programs.server, objects, files, _first()) as server:
            yield server

    @contextmanager
    def both(self, workers: int = 2) -> Iterator[tuple[Gun, Server, Server]]:
        """Both servers over the same objects, and the client."""
        home = self.home(self.form.few)
        with ExitStack() as stack:
            servers = stack.enter_context(self.ours(home, workers)), stack.enter_context(self.go(home, self.form.few))
            yield self.gun(*servers), *servers

    def gun(self, *servers: Server) -> Gun:
        """The client for these servers."""
        return Gun(self.programs.load, self.noise, servers, self.tell)

    def remarks(self, seconds: float) -> list[str]:
        """What a reader must know of this run."""
        noise = self.noise
        sizes = ", ".join(f"{case.name} {len(case.body) / 1000:.1f} KB" for case in (*_small(), *_big_cases()))
        lines = [
            f"Reviews: {sizes}. Snapshot: {self.form.few:,} Deployments and the two big objects, unless said.",
            f"Each figure is the median of its rounds of {self.form.seconds:g} s ({self.form.rounds} of each case).",
            _MEMORY_IS,
        ]
        if noise.rounds:
            lines.append(
                f"Other processes used {medians(noise.foreign):.0%} of the machine (median of {noise.rounds} rounds); "
                f"{noise.repeated} rounds with more than {QUIET:.0%} were repeated, {noise.noisy} stayed above it. "
                f"Something waited for a CPU {medians(noise.pressure):.0%} of the time, the client's threads included."
            )
        return [*lines, f"The run took {seconds / 60:.0f} minutes."]


def small(bench: Bench) -> None:
    """Reviews of 10 KB, at one connection and at sixteen, and with a new connection for each."""
    with bench.both() as (gun, *servers):
        found = _interleaved(bench, gun, servers, _small(), (1, 16))
        once = {"seconds": bench.form.seconds, "fresh": True}
        fresh = _turns(bench, lambda server: gun.fire(server, _named("allow"), **once), servers)
    for case in _small():
        for quantile in ("p50", "p99"):
            bench.note(f"{case.name} c1 {quantile}", *_each(found[case.name, 1], quantile))
        bench.note(f"{case.name} c16 p99", *_each(found[case.name, 16], "p99"))
        bench.note(f"{case.name} per core", *(1e6 / used for used in _each(found[case.name, 16], "cpu_us")))
    bench.note("fresh cpu", *_each(fresh, "cpu_us"))


def big_objects(bench: Bench) -> None:
    """Reviews of a ConfigMap of 1 MB and of a custom resource of 3 MB, one at a time."""
    with bench.both() as (gun, *servers):
        found = _interleaved(bench, gun, servers, _big_cases(), (1,))
    for case in _big_cases():
        for quantile in ("p50", "p99"):
            bench.note(f"{case.name} c1 {quantile}", *_each(found[case.name, 1], quantile))


def beside(bench: Bench) -> None:
    """A small review beside an endless stream of 3 MB ones: one worker, so that both are on the same loop."""
    stream = _named("3 MB allow")
    path = bench.directory / "stream.json"
    path.write_bytes(stream.body)
    with bench.both(workers=1) as (gun, *servers):
        found = _turns(
            bench,
            lambda server: gun.fire(
                server,
                _named("allow"),
                seconds=2 * bench.form.seconds,
                beside=path,
                beside_url=server.url(),
                beside_expect='"allowed":true',
            ),
            servers,
        )
    bench.note("beside p99", *_each(found, "p99"))


def memory(bench: Bench) -> None:
    """PSS at 10,000 and at 100,000 objects, with unrelated CRDs, and after sixteen big reviews at once."""
    held = [_held(bench, "10000", bench.form.few), _held(bench, "100000", bench.form.many)]
    bench.note("pss growth", held[1] - held[0])
    plain, crowded = _home_with_crds(bench)
    bench.note("crds bytes", _snapshot_bytes(crowded) - _snapshot_bytes(plain))
    with bench.ours(crowded) as server:
        _warm(bench.gun(server), server)
        bench.note("pss crds", _at_rest(server))
    flood = _named("3 MB deny")
    with bench.both() as (gun, *servers):
        for server in servers:
            _warm(gun, server)
            bench.tell(f"{server.name}: {_FLOOD} reviews of 3 MB at once")
            gun.once(server, flood, connections=_FLOOD, requests=_FLOOD)
        bench.note("pss flood", *map(_at_rest, servers))


def requests(bench: Bench) -> None:
    """Memory before and after many requests, half of them refused."""
    number = bench.form.requests
    with bench.ours(bench.home(bench.form.few)) as server:
        gun = bench.gun(server)
        _warm(gun, server, number // 25)
        before = _at_rest(server)
        for turn in range(10):
            bench.tell(f"{number * turn // 10:,} of {number:,} requests")
            for name in ("allow", "deny"):
                gun.once(server, _named(name), connections=16, requests=number // 20)
        bench.note("pss requests", _at_rest(server) - before)


def start(bench: Bench) -> None:
    """From the start of the process to the first right answer, with 100,000 objects in the snapshot."""
    home = bench.home(bench.form.many)
    found: tuple[list[float], list[float]] = ([], [])
    for turn in range(bench.form.starts):
        bench.tell(f"start {turn + 1} of {bench.form.starts}")
        for times, server in zip(found, (bench.ours(home), bench.go(home, bench.form.many)), strict=True):
            with server as running:
                times.append(running.started)
    bench.note("start", *map(medians, found))


def apiserver(bench: Bench) -> None:
    """Writes through a real API server, with the webhook and without."""
    found = through_api.measure(bench.programs.load, bench.form.rounds, 5 * bench.form.seconds, bench.tell)
    for key, value in found.figures.items():
        bench.note(key, value)
    bench.record.notes.append(found.remark)


def _interleaved(
    bench: Bench, gun: Gun, servers: list[Server], chosen: tuple[Case, ...], widths: tuple[int, ...]
) -> dict[tuple[str, int], list[list[Round]]]:
    """Rounds of each case and number of connections, for each server: round after round, servers in turns."""
    found: dict[tuple[str, int], list[list[Round]]] = {}
    for server in servers:
        for case in chosen:
            gun.once(server, case, requests=20)
    for _ in range(bench.form.rounds):
        for case in chosen:
            for width in widths:
                rows = found.setdefault((case.name, width), [[] for _ in servers])
                for row, server in zip(rows, servers, strict=True):
                    row.append(gun.fire(server, case, connections=width, seconds=bench.form.seconds))
    return found


def _turns(bench: Bench, fire: Callable[[Server], Round], servers: list[Server]) -> list[list[Round]]:
    rounds = [[fire(server) for server in servers] for _ in range(bench.form.rounds)]
    return [list(row) for row in zip(*rounds, strict=True)]


def _each(rows: list[list[Round]], name: str) -> tuple[float, ...]:
    return tuple(medians(getattr(one, name) for one in row) for row in rows)


def _warm(gun: Gun, server: Server, number: int = 2_000) -> None:
    """Requests over one connection reach one worker; new connections reach both."""
    for name in ("allow", "deny", "create", "unguarded"):
        gun.once(server, _named(name), requests=number // 4, connections=4)
        gun.once(server, _named(name), requests=50, fresh=True)


def _at_rest(server: Server) -> float:
    """MiB once the workers have had their time to let go what nobody needs."""
    time.sleep(_SETTLE_SECONDS)
    return pss_mib(server.pids)


def _held(bench: Bench, key: str, count: int) -> float:
    home = bench.home(count)
    found = []
    for server in (bench.ours(home), bench.go(home, count)):
        with server as running:
            bench.tell(f"{running.name}: memory at {count:,} objects")
            _warm(bench.gun(running), running)
            found.append(_at_rest(running))
    bench.note(f"pss {key}", *found)
    return found[0]


def _home_with_crds(bench: Bench) -> tuple[Path, Path]:
    """Two state directories with the same key and objects; the second's installation knows many CRDs more."""
    bench.tell(f"a snapshot with {_CRDS} unrelated CRDs")
    plain = state_directory(bench.directory / "state-plain", bench.form.few)
    crowded = bench.directory / "state-crds"
    shutil.copytree(plain, crowded, ignore=shutil.ignore_patterns("snapshots"))
    return plain, state_directory(crowded, bench.form.few, list(unrelated(_CRDS)))


def _snapshot_bytes(home: Path) -> int:
    return sum(path.stat().st_size for path in (home / "snapshots").glob("*.sqlite"))


@cache
def _small() -> tuple[Case, ...]:
    return cases()


def _named(name: str) -> Case:
    return next(case for case in (*_small(), *_big_cases()) if case.name == name)


def _first() -> Case:
    return _named("deny")


@cache
def _big_cases() -> tuple[Case, ...]:
    return tuple(case for one in big() for case in one.cases())
