"""Whatever is lost or late, and however fast clocks run: never do two replicas lead at a time.

The API server is a fake, since a law wants thousands of histories; the real one is in test_two_replicas.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import UnreachableError
from setscrew.incluster.election import Election
from tests.support.fake_lease import FakeLease

NAMES = ("one", "two", "three")
# Half a percent is far more than crystals differ by; the deadline is 60 % of a lease.
DRIFTS = st.floats(0.995, 1.005)


@dataclass
class World:
    """True time, in which each replica's clock runs at a pace of its own from a beginning of its own."""

    now: float = 0.0
    fate: str = "well"

    def before(self, _: str) -> None:
        if self.fate == "refused":
            raise UnreachableError("refused")
        self.now += {"slow": 1.9, "well": 0.01}.get(self.fate, 0.0)

    def after(self, _: str) -> None:
        self.now += {"slow": 1.9, "late": 3.0}.get(self.fate, 0.0)
        if self.fate in ("lost", "late"):
            raise UnreachableError("no answer in time")


FATES = st.sampled_from(["well", "well", "slow", "lost", "late", "refused", "frozen", "again"])
# So many turns, about a second apart, in which each replica has one fate.
STRETCHES = st.lists(
    st.tuples(st.integers(1, 12), st.floats(0.3, 1.2), st.tuples(FATES, FATES, FATES)), min_size=2, max_size=8
)


@settings(deadline=None, max_examples=300)
@given(
    stretches=STRETCHES,
    drifts=st.tuples(DRIFTS, DRIFTS, DRIFTS),
    begins=st.tuples(*[st.floats(0, 1e6)] * 3),
    wrong=st.booleans(),
)
def test_never_do_two_replicas_lead_at_a_time(
    stretches: list[tuple[int, float, tuple[str, ...]]],
    drifts: tuple[float, ...],
    begins: tuple[float, ...],
    *,
    wrong: bool,
) -> None:
    world = World()
    lease = FakeLease(world.before, world.after)
    client: Any = lease
    walls = {name: datetime(1970 + 50 * place if wrong else 2026, 1, 1, tzinfo=UTC) for place, name in enumerate(NAMES)}
    # Every write says another time, as real ones do.
    ticks = iter(range(1_000_000))

    def replica(name: str, drift: float, begin: float) -> Election:
        return Election(
            client,
            name,
            lambda _: None,
            lambda: begin + world.now * drift,
            lambda: walls[name].replace(microsecond=next(ticks) % 1_000_000),
        )

    replicas = {name: replica(name, drift, begin) for name, drift, begin in zip(NAMES, drifts, begins, strict=True)}
    for turns, pause, fates in stretches:
        for _ in range(turns):
            world.now += pause
            for place, (name, fate) in enumerate(zip(NAMES, fates, strict=True)):
                if fate == "frozen":
                    continue
                world.fate = "well" if fate == "again" else fate
                if fate == "again":
                    # The process gives the lease back and ends, and another of its name begins.
                    replicas[name].resign()
                    replicas[name] = replica(name, drifts[place], begins[place])
                replicas[name]._turn()
                leading = [each.me for each in replicas.values() if each.leads]
                assert len(leading) <= 1, leading
