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


STEPS = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(["well"] * 5 + ["slow", "lost", "late", "refused", "resign"]),
        st.sampled_from([0.0, 0.5, 1.0, 2.0, 4.0, 6.0, 9.0, 10.5]),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=300)
@given(
    steps=STEPS,
    drifts=st.tuples(DRIFTS, DRIFTS, DRIFTS),
    begins=st.tuples(*[st.floats(0, 1e6)] * 3),
    wrong=st.booleans(),
)
def test_never_do_two_replicas_lead_at_a_time(
    steps: list[tuple[str, str, float]], drifts: tuple[float, ...], begins: tuple[float, ...], *, wrong: bool
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
    for name, fate, pause in steps:
        world.now += pause
        world.fate = "well" if fate == "resign" else fate
        one = replicas[name]
        if fate == "resign":
            one.resign()
            # The process ends, and another of its name begins.
            place = NAMES.index(name)
            replicas[name] = replica(name, drifts[place], begins[place])
        else:
            one._turn()
        leading = [each.me for each in replicas.values() if each.leads]
        assert len(leading) <= 1, leading
