"""Owns the difference between the registration as it is and as it is wanted. Pure. Must not write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model.own import OFF
from webhook.registration.ownership import CHOICES, choosers, is_ours, taken_over

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be written. `apply` is what server-side apply sends, None if nothing differs.

    `managed` are managedFields to write before that (None: they may stay). `missing` are names of entries that are
    absent or not as they are wanted. `kept` says which choices of an admin stay, one line each.
    """

    apply: Document | None
    managed: list[dict[str, Any]] | None = None
    missing: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.apply is not None


def change(live: Mapping[str, Any] | None, wanted: Document) -> Change:
    """What it takes to make `live` (None: absent) what is `wanted`, and nothing that is not ours."""
    names = [entry["name"] for entry in wanted["webhooks"]]
    if live is None:
        return Change(wanted, missing=tuple(names))
    there = {entry["name"]: entry for entry in live.get("webhooks") or []}
    chosen = {name: _chosen(live, there[name], entry) for name, entry in _by_name(wanted).items() if name in there}
    merged = {name: {**entry, **chosen.get(name, {})} for name, entry in _by_name(wanted).items()}
    missing = tuple(name for name in names if there.get(name) != merged[name])
    unused = [name for name in there if is_ours(name) and name not in merged]
    managed = taken_over(live, names)
    if not (missing or unused or managed or _metadata_differs(live, wanted)):
        return Change(None, kept=_told(live, chosen))
    applied = [{key: one for key, one in entry.items() if key not in chosen.get(entry["name"], {})}
               for entry in wanted["webhooks"]]  # fmt: skip
    return Change({**wanted, "webhooks": applied}, managed, missing, _told(live, chosen))


def _by_name(document: Mapping[str, Any]) -> dict[str, Document]:
    return {entry["name"]: entry for entry in document["webhooks"]}


def _chosen(live: Mapping[str, Any], entry: Document, wanted: Document) -> Document:
    """What an admin has set otherwise than we would: it stays."""
    differ = [name for name in CHOICES if entry.get(name) != wanted[name]]
    return {name: entry[name] for name in differ if name in entry and choosers(live, entry["name"], name)}


def _told(live: Mapping[str, Any], chosen: Mapping[str, Document]) -> tuple[str, ...]:
    return tuple(
        f"{entry}: {name} {value} stays, as {', '.join(choosers(live, entry, name))} has set it"
        for entry, values in sorted(chosen.items())
        for name, value in values.items()
    )


def _metadata_differs(live: Mapping[str, Any], wanted: Document) -> bool:
    """Labels and annotations of others are theirs; the off-switch is ours to take back."""
    for field in ("labels", "annotations"):
        there, ours = live["metadata"].get(field) or {}, wanted["metadata"].get(field) or {}
        if {**there, **ours} != there:
            return True
    return OFF in (live["metadata"].get("annotations") or {})
