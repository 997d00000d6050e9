"""Owns what the page of coverage says: guarded kinds and entries of the webhook. Must not read a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reconciler.model.own import ENTRY_SUFFIX
from webhook.api.pages import words

_FAILURES: Final = {"Fail": words.Sign("refused", "×", "well"), "Ignore": words.Sign("admitted", "!", "warm")}
_PROOFS: Final = {
    "sees": words.Sign("sees", "✓", "well"),
    "waiting": words.Sign("waiting", "…", ""),
    "": words.Sign("not proved", "?", ""),
}


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
