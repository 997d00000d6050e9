"""Owns the rounds of the canary: which entries are proved with which objects, and what is known of each since when.

Must not send anything itself, nor decide what an answer means (`reconciler.cluster.canary`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from reconciler.cluster.canary import ANNOTATION, Finding, Proof
from reconciler.cluster.registered import Registered
from reconciler.limits import CANARY_AGAIN_SECONDS, CANARY_ENTRIES, CANARY_OBJECTS
from reconciler.model.blind import Blind, BlindLog
from reconciler.model.instant import stamp
from reconciler.model.own import ENTRY_SUFFIX
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.report.printable import one_line
from reconciler.snapshot.model import Entry, MemorySnapshot
from reconciler.snapshot.optout import opt_out_keys

_GRAVEST: Final[tuple[Proof, ...]] = ("blind", "silent", "unsure", "sees")
_NAMESPACES: Final = ("", "namespaces")
_UNREGISTERED: Final = " (not registered)"


class Target(NamedTuple):
    """One object by which an entry can be proved; `subresource` is "" or "status"."""

    kind: KindInfo
    ref: ObjectRef
    subresource: str


@dataclass(frozen=True, slots=True)
class Proved:
    """What is known of one entry: since when it is so, when it was tried last and when it last was seen to see.

    `blind` stays from the first admitted change until something proves the contrary: not to know is no proof.
    """

    proof: Proof
    since: datetime
    tried: datetime
    object: str = ""
    detail: str = ""
    fix: str = ""
    saw: datetime | None = None
    blind: bool = False

    def as_json(self) -> dict[str, Any]:
        """As the report prints it."""
        times = {"since": stamp(self.since), "tried": stamp(self.tried), "saw": stamp(self.saw) if self.saw else ""}
        texts = {"object": self.object, "detail": one_line(self.detail), "fix": self.fix}
        return {"state": self.proof, "blind": self.blind, **times, **texts}


Attempt = Callable[[Target], Finding]
Unasked = Callable[[KindInfo, str], bool]
"""Whether nobody is asked about a kind in a namespace, on purpose: a registration has none of it."""


def all_asked(kind: KindInfo, namespace: str) -> bool:
    """Nothing is left out on purpose."""
    del kind, namespace
    return False


@dataclass(slots=True)
class Canary:
    """`attempt` tries one target; `snapshot` is what is enforced now; `wait` passes seconds before a second try.

    `admitted` counts the calls of its own that were let through, by entry: they are no writes of anybody. `pending`
    entries have not had their turn yet. What is `unasked` about is not tried.
    """

    attempt: Attempt
    snapshot: Callable[[], MemorySnapshot | None]
    log: BlindLog
    say: Callable[[str], None]
    wait: Callable[[float], object]
    unasked: Unasked = all_asked
    known: dict[str, Proved] = field(default_factory=dict)
    admitted: Counter[str] = field(default_factory=Counter)
    pending: int = 0
    _without: tuple[str, ...] = ()
    _last: dict[str, ObjectRef] = field(default_factory=dict)

    def round(self, registered: Registered, now: datetime) -> None:
        """Prove the entries whose proof is oldest."""
        snapshot = self.snapshot()
        targets = plan(snapshot, registered, self.unasked) if snapshot is not None else {}
        self.known = {name: one for name, one in self.known.items() if name in targets}
        self._without = tuple(name for name in registered.names if name not in targets)
        for name in sorted(targets, key=lambda name: (self._tried(name), name))[:CANARY_ENTRIES]:
            self._prove(name, targets[name], now)
        self.pending = len(targets.keys() - self.known.keys())
        if not any(map(self._is_blind, self.known)):
            self.log.end("canary", now)

    def off(self, now: datetime) -> None:
        """The guard is switched off: nothing is to be proved."""
        self.known.clear()
        self._without = ()
        self.log.end("canary", now)

    @property
    def state(self) -> Proof:
        """The gravest of what is known; "unsure" where nothing is."""
        proofs = {one.proof for one in self.known.values()}
        return next((proof for proof in _GRAVEST if proof in proofs), "unsure")

    @property
    def unproved(self) -> list[str]:
        """Entries for which there is nothing in the cluster to try."""
        return sorted({*self._without, *(name for name, one in self.known.items() if one.proof == "gone")})

    @property
    def saw(self) -> datetime | None:
        """Since when at the latest every known entry has been seen to see; None where one never was."""
        times = [one.saw for one in self.known.values() if one.proof != "gone"]
        return min((one for one in times if one is not None), default=None) if all(times) and not self.pending else None

    def _prove(self, name: str, targets: list[Target], now: datetime) -> None:
        target, found = self._try(name, targets)
        if found.proof == "blind":
            found = self._again(target, name)
        before = self.known.get(name)
        same = before is not None and before.proof == found.proof
        self.known[name] = Proved(
            proof=found.proof,
            since=before.since if before is not None and same else now,
            tried=now,
            object=str(target.ref),
            detail=found.detail,
            fix=found.fix,
            saw=now if found.proof == "sees" else before.saw if before else None,
            blind=found.proof == "blind" or (found.proof in ("unsure", "gone") and self._is_blind(name)),
        )
        if found.proof == "blind":
            self._alarm(name, target, self.known[name])
        elif not same and (before is not None or found.proof in ("silent", "unsure")):
            hint = f" ({found.fix})" if found.fix else ""
            self.say(one_line(f"canary: entry {name} {_WORDS[found.proof]} {found.detail}".strip() + hint))

    def _try(self, name: str, targets: list[Target]) -> tuple[Target, Finding]:
        """The first target that is there, beginning with the one that was there last."""
        refs = [one.ref for one in targets]
        start = refs.index(self._last[name]) if self._last.get(name) in refs else 0
        some = (targets[start:] + targets[:start])[:CANARY_OBJECTS]
        found = Finding("gone")
        for target in some:
            found = self.attempt(target)
            self.admitted[name] += found.proof == "blind"
            if found.proof != "gone":
                self._last[name] = target.ref
                return target, found
        # Others may be there: the next round goes on behind these.
        self._last[name] = targets[(start + len(some)) % len(targets)].ref
        detail = f"none of the {len(some)} objects tried is in the cluster: {found.detail}"
        return some[-1], Finding("gone", detail)

    def _again(self, target: Target, name: str) -> Finding:
        """What is being switched just now is not blind: it must be admitted twice, and enforced still."""
        self.wait(CANARY_AGAIN_SECONDS)
        found = self.attempt(target)
        self.admitted[name] += found.proof == "blind"
        snapshot = self.snapshot()
        entry = snapshot and snapshot.find(
            target.ref.group, target.kind.resource, target.ref.namespace, target.ref.name
        )
        if snapshot is None or not entry or not _is_enforced(entry, snapshot):
            return Finding("unsure", "the object is not enforced any more")
        return found

    def _alarm(self, name: str, target: Target, proved: Proved) -> None:
        detail = f"a change of {target.ref} that nobody may make ({ANNOTATION}) was admitted"
        since = proved.saw or proved.since
        self.log.begin(Blind("canary", since, entries=(name,), detail=detail))
        self.say(one_line(f"BLIND: entry {name} refuses nothing since {stamp(since)}: {detail} ({proved.fix})"))

    def _is_blind(self, name: str) -> bool:
        return name in self.known and self.known[name].blind

    def _tried(self, name: str) -> str:
        return stamp(self.known[name].tried) if name in self.known else ""


_WORDS: Final = {
    "sees": "sees again.",
    "silent": "does not answer:",
    "unsure": "could not be proved:",
    "gone": "cannot be tried:",
}


def plan(snapshot: MemorySnapshot, registered: Registered, unasked: Unasked = all_asked) -> dict[str, list[Target]]:
    """By entry: the objects that prove it. What no entry is asked about stands under the name that it should have."""
    found: defaultdict[str, list[Target]] = defaultdict(list)
    asked: dict[KindInfo, list[tuple[str, str]]] = {}
    for entry in snapshot.entries:
        kind, ref = entry.object.kind, entry.object.ref
        if not _is_enforced(entry, snapshot) or unasked(kind, ref.namespace):
            continue
        if kind not in asked:
            asked[kind] = registered.asked_about(kind)
        place = ref.name if (kind.group, kind.resource) == _NAMESPACES else ref.namespace
        for name, subresource in registered.selecting(place, asked[kind]) or [(_expected(kind), "")]:
            found[name].append(Target(kind, ref, subresource))
    return dict(found)


def restored(stored: Mapping[str, Any]) -> dict[str, Proved]:
    """What the process before this one knew, as `Proved.as_json` wrote it."""
    return dict(_restored(stored.get("entries") or {}))


def _restored(entries: Mapping[str, Any]) -> Iterator[tuple[str, Proved]]:
    for name, one in entries.items():
        saw = datetime.fromisoformat(one["saw"]) if one["saw"] else None
        since, tried = (datetime.fromisoformat(one[key]) for key in ("since", "tried"))
        yield name, Proved(one["state"], since, tried, one["object"], one["detail"], one["fix"], saw, one["blind"])


def _is_enforced(entry: Entry, snapshot: MemorySnapshot) -> bool:
    whole = entry.policy.action == "Deny" and entry.adopted and not entry.policy.fragment
    return whole and not opt_out_keys(entry, snapshot.rules)


def _expected(kind: KindInfo) -> str:
    return f"{kind.group or 'core'}-{kind.version}{ENTRY_SUFFIX}{_UNREGISTERED}"
