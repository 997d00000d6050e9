"""Owns the words about users of a class, for people and for programs. Must not find them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from reconciler.gpu.templates import WORKLOADS
from reconciler.gpu.tolerant import shown
from reconciler.gpu.users.model import NOBODY, Census, ClassName, Family, Users
from reconciler.policy.model import GpuClass

LINES: Final = 4
LINE_CHARS: Final = 300
# Classes that are spelled out to people, and to programs.
_TOLD: Final = 2
_LISTED: Final = 20
_TITLES: Final[Mapping[Family, str]] = {
    "ClaimTemplate": "ResourceClaimTemplate",
    "Claim": "ResourceClaim",
    "Resource": "resource",
    "MigLayout": "MIG layout",
    "SharingConfig": "sharing configuration",
    "GpuProfile": "GPU profile",
    "Driver": "driver",
    "GpuNodes": "all GPU nodes",
    "Node": "node",
    "Namespace": "GPUs in namespace",
    "KaiQueue": "queue",
    "VolcanoQueue": "queue",
}
_EVERYWHERE: Final = frozenset({"*", "Pod", *(f"{group}/{kind}" if group else kind for group, kind in WORKLOADS)})
_CLAIMS: Final = frozenset({"resource.k8s.io/ResourceClaim", "resource.k8s.io/ResourceClaimTemplate"})
_KUEUE: Final = frozenset(f"kueue.x-k8s.io/{kind}" for kind in ("LocalQueue", "ClusterQueue", "Cohort", "Workload"))
_NODES: Final = frozenset({"Node", "resource.k8s.io/ResourceSlice"})
_DEFAULTS: Final = _NODES | {"nvidia.com/ClusterPolicy"}
_NEEDED: Final[Mapping[Family, frozenset[str]]] = {
    "DeviceClass": _CLAIMS | {"resource.k8s.io/DeviceClass"},
    "ClaimTemplate": _CLAIMS,
    "Claim": _CLAIMS,
    "ComputeDomain": _CLAIMS | {"resource.nvidia.com/ComputeDomain"},
    "MigLayout": _DEFAULTS,
    "SharingConfig": _DEFAULTS | {"ConfigMap"},
    "GpuProfile": _NODES,
    "GpuNodes": _NODES,
    "Node": _NODES,
    "Driver": _NODES | {"nvidia.com/NVIDIADriver", "amd.com/DeviceConfig"},
    "LocalQueue": _KUEUE,
    "ClusterQueue": _KUEUE,
    "Cohort": _KUEUE,
    "ResourceFlavor": _KUEUE,
    "KaiQueue": frozenset({"scheduling.run.ai/Queue", "scheduling.run.ai/PodGroup"}),
    "VolcanoQueue": frozenset({"scheduling.volcano.sh/Queue", "scheduling.volcano.sh/PodGroup"}),
}
"""By family, the kinds without which its users are not all known; Pods and what makes them are needed for each."""


def told(names: Sequence[ClassName], census: Census | None, rows: Sequence[GpuClass]) -> tuple[str, ...]:
    """Who uses these classes, and when a change of them hits whom: at most 4 lines of at most 300 characters.

    () where there is no class to speak of.
    """
    if not names:
        return ()
    return tuple(_cut(line) for line in _lines(names, census, rows))[:LINES]


def as_json(names: Sequence[ClassName], census: Census | None, rows: Sequence[GpuClass]) -> dict[str, Any]:
    """The same for programs. Without a census, and for a class whose users cannot be seen, there are no counts."""
    row = _acting(rows)
    return {
        "rows": [one.id for one in rows],
        "effect": row.effect if row else "none",
        "trigger": row.trigger if row else "",
        "classes": [_class(name, census) for name in _by_use(names, census)[:_LISTED]],
        "seenAt": census.at if census else "",
        "unknown": _unknown(names, census),
    }


def _class(name: ClassName, census: Census | None) -> dict[str, Any]:
    found = {"family": name.family, "name": name.name}
    users = census.classes.get(name, NOBODY) if census else NOBODY
    return found if users == NOBODY and _unknown([name], census) else found | asdict(users)


def _lines(names: Sequence[ClassName], census: Census | None, rows: Sequence[GpuClass]) -> Iterator[str]:
    unknown, row = _unknown(names, census), _acting(rows)
    used = [name for name in _by_use(names, census) if census and name in census.classes]
    for name in used[:_TOLD]:
        beside = f" ({len(used) - _TOLD} more classes are hit)" if name is used[:_TOLD][-1] and used[_TOLD:] else ""
        yield _who(name, census.classes[name] if census else NOBODY, beside)
    if unknown:
        yield f"{'There may be more users' if used else 'Who uses it is not known'}: {unknown}"
    elif not used and census:
        yield f"Nobody in the cluster uses it now (seen at {census.at})"
    if row is not None:
        yield from _when(row, [census.classes[name] for name in used] if census else [], census)


def _acting(rows: Sequence[GpuClass]) -> GpuClass | None:
    """The row that says when a change acts: one that acts at once stands before one that waits."""
    order = {"live": 0, "latent": 1, "none": 2}
    return min(rows, key=lambda row: order[row.effect], default=None)


def _by_use(names: Sequence[ClassName], census: Census | None) -> list[ClassName]:
    """Those with most Pods first; else in the order given."""
    if census is None:
        return list(names)
    users = {name: census.classes.get(name, NOBODY) for name in names}
    return sorted(names, key=lambda name: -users[name].running - users[name].pending)


def _unknown(names: Sequence[ClassName], census: Census | None) -> str:
    """Why nobody can say who uses these classes; "" where all is seen."""
    if census is None:
        return "the cluster has not been looked at"
    needed = _EVERYWHERE.union(*(_NEEDED.get(name.family, frozenset()) for name in names))
    missing = sorted(needed & census.unseen.keys())
    if not missing or missing[0] == "*":
        return shown(census.unseen["*"]) if missing else ""
    beside = f" and {len(missing) - 1} more kinds" if missing[1:] else ""
    return f"{missing[0]}{beside} cannot be seen: {shown(census.unseen[missing[0]])}"


def _who(name: ClassName, users: Users, beside: str) -> str:
    title = f"{_TITLES.get(name.family, name.family)} {shown(name.name)}".rstrip()
    counts = [
        _some(users.running, "Pod runs with it", "Pods run with it"),
        _some(users.pending, "Pod waits for it", "Pods wait for it"),
        _some(users.templates, "template will ask for it", "templates will ask for it"),
        _some(users.claims, "claim is allocated", "claims are allocated"),
        _some(users.nodes, "node", "nodes"),
        *(
            _some(count, kind, f"{kind}es" if kind.endswith("s") else f"{kind}s")
            for kind, count in users.others.items()
        ),
    ]
    line = f"{title}: {', '.join(filter(None, counts))}"
    if users.tenants:
        spaces = ", ".join(f"{shown(one.namespace)}{_owned(one.owner)} {one.users}" for one in users.tenants[:3])
        line += (
            f"; in {_some(users.namespaces, 'namespace', 'namespaces')} ({spaces}{', …' if users.tenants[3:] else ''})"
        )
    return line + (f", such as {users.examples[0]}" if users.examples else "") + beside


def _owned(owner: str) -> str:
    return f" of {shown(owner)}" if owner else ""


def _some(count: int, one: str, many: str) -> str:
    return "" if not count else f"{count} {one if count == 1 else many}"


def _when(row: GpuClass, users: Sequence[Users], census: Census | None) -> Iterator[str]:
    """What is hit at once and what later. Users of several classes are mostly the same: the largest count is told."""
    counts = {state: max((getattr(one, state) for one in users), default=0) for state in _STATES}
    seen = f" (seen at {census.at})" if users and census else ""
    if row.effect == "latent":
        yield f"Latent: nothing happens before {row.trigger}{_then(counts, _STATES, ', then it hits ')}{seen}"
    elif row.effect == "live":
        at_once = [state for state in _STATES if state in row.hits]
        later = [state for state in _STATES if state not in row.hits]
        now = _then(counts, at_once, "") or ("what starts from now on" if not row.hits else "")
        if now:
            yield f"Hit at once: {now}{_then(counts, later, '; at the next start: ')}{seen}"
        elif rest := _then(counts, later, ""):
            yield f"Hit at the next start: {rest}{seen}"


_STATES: Final = ("running", "pending", "templates")
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "running": ("Pod that runs", "Pods that run"),
    "pending": ("Pod that waits", "Pods that wait"),
    "templates": ("template", "templates"),
}


def _then(counts: Mapping[str, int], states: Sequence[str], before: str) -> str:
    parts = [_some(counts[state], *_WORDS[state]) for state in states if counts[state]]
    return before + " and ".join(parts) if parts else ""


def _cut(line: str) -> str:
    """On one line that a terminal obeys nothing of."""
    plain = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in line)
    return plain if len(plain) <= LINE_CHARS else plain[: LINE_CHARS - 1] + "…"
