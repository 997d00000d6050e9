"""Owns the list of checks and their run: each makes findings of the facts, none can end the others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from reconciler.errors import place
from setscrew.doctor import cluster, machine, registered, serving
from setscrew.doctor.facts import Facts
from setscrew.doctor.finding import Finding, MissingError

Check = Callable[[Facts], Iterable[Finding]]

CHECKS: Final[dict[str, Check]] = {
    "server": serving.server,
    "calls": serving.calls,
    "registration": registered.registration,
    "coverage": registered.coverage,
    "ca-bundle": serving.ca_bundle,
    "certificate": serving.certificate,
    "certificate-files": serving.certificate_files,
    "clock": cluster.clock,
    "rights": cluster.rights,
    "identities": cluster.identities,
    "versions": cluster.versions,
    "reconciler": machine.reconciler,
    "store": machine.store,
    "snapshot": machine.snapshot,
    "sources": machine.sources,
    "enforcement": machine.enforcement,
    "watches": machine.watches,
    "blind": machine.blind,
    "disk": machine.disk,
}


def examine(facts: Facts) -> list[Finding]:
    """All findings, in the order of CHECKS; at least one of each. Never raises."""
    return [finding for name, check in CHECKS.items() for finding in _findings(name, check, facts)]


def _findings(name: str, check: Check, facts: Facts) -> Iterator[Finding]:
    try:
        yield from check(facts)
    except MissingError as error:
        yield Finding(name, "unknown", error.missing.why, error.missing.fix)
    except Exception as error:  # noqa: BLE001 - what nobody foresaw of one check must not hide the others
        yield Finding(name, "unknown", f"this check failed: {place(error)}", "report it: a defect of Setscrew")
