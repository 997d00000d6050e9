"""Owns what the reconciler tells its operator: each thing once, and once when it is over. Must not decide anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.loop.trust import UNTRUSTED, Accused
from reconciler.store.sources import SourceStatus


@dataclass(slots=True)
class Talk:
    """`say` takes one line."""

    say: Callable[[str], None]
    _reasons: Mapping[str, str] = field(default_factory=dict)
    _told: dict[str, str] = field(default_factory=dict)
    _problems: tuple[str, ...] = ()

    def sources(self, found: Iterable[SourceStatus], known: Collection[str]) -> None:
        """What is wrong with sources, or what a renderer has noted. Of `known` ones there is a last good revision."""
        for status in found:
            said = f"{status.state}: {status.message}" if status.message else "ready again"
            if said != self._told.get(status.name, "ready again"):
                stays = status.state != "Ready" and (status.enforced or status.name in known)
                self.say(f"source {status.name}: {said}" + ("; the last good revision stays" if stays else ""))
                self._told[status.name] = said

    def problems(self, problems: tuple[str, ...]) -> None:
        """What was left out of what sources declare, and rules that have ended."""
        if problems != self._problems:
            for problem in problems:
                self.say(problem)
        self._problems = problems

    def forms(self, reasons: Mapping[str, str], suspects: Iterable[Accused]) -> bool:
        """Why forms are missing; of each mutator that it is not trusted, and that it does no harm any more.

        `reasons` are by object; True if they are others than the last time.
        """
        changed = reasons != self._reasons
        for reason in sorted(set(reasons.values()) - set(self._reasons.values())):
            if not reason.startswith(UNTRUSTED):
                self.say(f"no server form for now: {reason}")
        self._reasons = reasons
        told = {name for name in self._told if name.startswith(UNTRUSTED)}
        now = {f"{UNTRUSTED} {one.ref}": one for one in suspects}
        for name in now.keys() - told:
            self._told[name] = now[name].reason
            self.say(f"{now[name].ref}: {now[name].reason}")
        for name in told - now.keys():
            del self._told[name]
            self.say(f"{name.removeprefix(UNTRUSTED).strip()}: changes nothing of what Git declares any more")
        return changed
