"""Owns what the page of coverage says: kinds, entries of the webhook, what is unmanaged. Must not read a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from reconciler.model.own import ENTRY_SUFFIX
from reconciler.report.query import Matching
from reconciler.report.summary import NOTHING
from reconciler.report.unmanaged import Unmanaged
from webhook.api.pages import words

_FAILURES: Final = {"Fail": words.Sign("refused", "×", "well"), "Ignore": words.Sign("admitted", "!", "warm")}
_PROOFS: Final = {
    "sees": words.Sign("sees", "✓", "well"),
    "waiting": words.Sign("waiting", "…", ""),
    "": words.Sign("not proved", "?", ""),
}
# Namespaces with the most unmanaged objects are named, the others counted.
_PLACES: Final = 50


def percent(managed: int, unmanaged: int) -> str:
    """`96 %` managed; never 100 where one is not, nor 0 where one is. "–" of none."""
    total = managed + unmanaged
    if not total:
        return "–"
    rounded = 100 * managed // total
    return f"{'< 1' if managed and not rounded else rounded} %"


def places(found: Unmanaged) -> tuple[list[dict[str, Any]], int]:
    """Namespaces with unmanaged objects, the most first, and how many more there are than are named."""
    some = [(name, place) for name, place in found.places.items() if place.number]
    some.sort(key=lambda one: (-one[1].number, one[0]))
    rows = [
        {
            "name": name or NOTHING["namespace"],
            "managed": place.managed,
            "unmanaged": place.number,
            "percent": percent(place.managed, place.number),
            "kinds": sorted(place.unmanaged.items(), key=lambda one: (-one[1], one[0])),
        }
        for name, place in some[:_PLACES]
    ]
    return rows, max(0, len(some) - _PLACES)


def unguarded(found: Matching, most: int) -> tuple[list[dict[str, Any]], int]:
    """Findings of objects that were there before Git declared them, so many of them at most, and how many there are."""
    places = [place for place, line in enumerate(found.lines) if not line.adopted]
    return [msgspec.json.decode(found.texts[place]) for place in places[:most]], len(places)


def kinds(managed: Mapping[str, int]) -> list[dict[str, Any]]:
    """Guarded kinds with their sources, the most objects first, out of `Kind.group|source`."""
    found: dict[str, dict[str, Any]] = {}
    for key, number in managed.items():
        name, _, source = key.partition("|")
        kind, _, group = name.partition(".")
        one = found.setdefault(name, {"kind": kind, "group": group, "number": 0, "sources": []})
        one["number"] += number
        one["sources"].append(source)
    return sorted(found.values(), key=lambda one: (-one["number"], one["kind"]))


def entries(registration: Mapping[str, Any], canary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Entries of the webhook: what they are asked about, what happens if nobody answers, and what the canary proved."""
    proofs = canary.get("entries") or {}
    registered = {str(one.get("name")): one for one in registration.get("entries") or ()}
    return [_entry(name, registered.get(name, {}), proofs.get(name, {})) for name in sorted({*registered, *proofs})]


def _entry(name: str, entry: Mapping[str, Any], proof: Mapping[str, Any]) -> dict[str, Any]:
    failure, state = str(entry.get("failurePolicy", "")), str(proof.get("state", ""))
    return {
        "name": name.removesuffix(ENTRY_SUFFIX),
        "resources": list(entry.get("resources") or ()),
        "failure": failure,
        "failure_sign": _FAILURES.get(failure, words.Sign(failure, "?", "odd")),
        "sign": _PROOFS.get(state, words.Sign(state, "!", "loud")),
        "saw": str(proof.get("saw", "")),
        "detail": str(proof.get("detail", "")),
    }
