"""Owns how often the registration may be put back when somebody else keeps changing it. Must not know the time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from reconciler.limits import REGISTRATION_FIGHT_SECONDS, REGISTRATION_FIGHTS, REGISTRATION_TOLD_SECONDS


@dataclass(slots=True)
class Fights:
    """When it was put back last; times are seconds of one clock that never goes back."""

    _times: deque[float] = field(default_factory=lambda: deque(maxlen=REGISTRATION_FIGHTS))

    def note(self, now: float) -> None:
        """It was put back."""
        self._times.append(now)

    def wait(self, now: float) -> float:
        """Seconds until it may be put back again: 0 unless it was put back again and again."""
        if len(self._times) < REGISTRATION_FIGHTS or now - self._times[0] > REGISTRATION_TOLD_SECONDS:
            return 0.0
        return max(0.0, self._times[-1] + REGISTRATION_FIGHT_SECONDS - now)
