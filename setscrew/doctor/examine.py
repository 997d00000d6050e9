"""Owns the list of checks and their run: each makes findings of the facts, none can end the others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar

from reconciler.errors import place
from setscrew.doctor import cluster, installed, machine, registered, serving
from setscrew.doctor.facts import Facts
from setscrew.doctor.finding import Finding, MissingError
from setscrew.doctor.installed import Installed

F = TypeVar("F")
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

# Of an installation in a cluster, and what of the checks above needs nothing but the cluster.
INSTALLED: Final[dict[str, Callable[[Installed], Iterable[Finding]]]] = {
    "deployment": installed.deployment,
    "leader": installed.leader,
    "replicas": installed.replicas,
    "registration": installed.registration,
    "calls": installed.calls,
    "ca-bundle": installed.ca_bundle,
    "published": installed.published,
    "sources": installed.sources,
    "rollout": installed.rollout,
    "own-guard": installed.own_guard,
}
_OF_THE_CLUSTER: Final = ("identities", "clock", "versions")


def examine(facts: Facts) -> list[Finding]:
    """All findings, in the order of CHECKS; at least one of each. Never raises."""
    return list(_examined(CHECKS, facts))


def examine_installed(found: Installed, facts: Facts) -> list[Finding]:
    """All findings of an installation in a cluster. Never raises."""
    shared = {name: CHECKS[name] for name in _OF_THE_CLUSTER}
    return [*_examined(INSTALLED, found), *_examined(shared, facts)]


def _examined(checks: Mapping[str, Callable[[F], Iterable[Finding]]], facts: F) -> Iterator[Finding]:
    return (finding for name, check in checks.items() for finding in _findings(name, check, facts))


def _findings(name: str, check: Callable[[F], Iterable[Finding]], facts: F) -> Iterator[Finding]:
    try:
        yield from check(facts)
    except MissingError as error:
        yield Finding(name, "unknown", error.missing.why, error.missing.fix)
    except Exception as error:  # noqa: BLE001 - what nobody foresaw of one check must not hide the others
        yield Finding(name, "unknown", f"this check failed: {place(error)}", "report it: a defect of Setscrew")
