"""Owns the checks of the cluster: clock, rights, the policies that hold our own identities, versions. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.limits import CLOCK_SKEW_SECONDS
from setscrew.doctor.facts import Facts, Held
from setscrew.doctor.finding import Finding, State, need
from setscrew.installing.versions import OLDEST_KUBERNETES, TESTED_KUBERNETES, minor, tested

_SKEW_SECONDS: Final = 60


def clock(facts: Facts) -> Iterator[Finding]:
    """This machine and the API server agree on the time."""
    skew = need(facts.skew)
    if abs(skew) <= _SKEW_SECONDS:
        yield Finding("clock", "ok", "this machine and the API server agree on the time")
        return
    state: State = "problem" if abs(skew) > CLOCK_SKEW_SECONDS else "warning"
    ahead = "ahead of" if skew > 0 else "behind"
    what = f"the API server's clock is {abs(skew):.0f} s {ahead} this machine's"
    own = f"own certificates are dated {CLOCK_SKEW_SECONDS // 60} minutes back, and no more"
    yield Finding("clock", state, what, f"synchronise both (NTP): {own}")


def rights(facts: Facts) -> Iterator[Finding]:
    """The identity that asked may do what the reconciler does."""
    found = need(facts.asked)
    for one in found.refused:
        state: State = "problem" if one.needed else "warning"
        what = f"{found.user} may not {one}: it is needed to {one.purpose}"
        yield Finding("rights", state, what, "apply manifests/base/rbac.yaml; give --kubeconfig of the reconciler")
    if not found.refused:
        yield Finding("rights", "ok", f"{found.user} has every right that manifests/base/rbac.yaml gives")


def identities(facts: Facts) -> Iterator[Finding]:
    """Canonicalizer and canary are held to dry-runs by a policy that is bound."""
    for name, held in need(facts.held).items():
        fix = f"kubectl apply -f manifests/base/{name.removeprefix('setscrew-')}-policy.yaml"
        if why := _loose(name, held):
            what = f"{name} is not held to dry-runs: {why}"
            yield Finding("identities", "problem" if held.account else "warning", what, fix)
        else:
            yield Finding("identities", "ok", f"{name} is held to dry-runs")


def _loose(name: str, held: Held) -> str:
    if held.policy is None:
        return f"there is no ValidatingAdmissionPolicy {name}"
    if held.binding is None:
        return "its ValidatingAdmissionPolicy is not bound"
    policy, binding = held.policy.get("spec") or {}, held.binding.get("spec") or {}
    if binding.get("policyName") != name or "Deny" not in (binding.get("validationActions") or ()):
        return "the binding of its ValidatingAdmissionPolicy denies nothing"
    if binding.get("matchResources"):
        return "the binding of its ValidatingAdmissionPolicy is for some objects only"
    if policy.get("failurePolicy") != "Fail" or not policy.get("validations"):
        return "its ValidatingAdmissionPolicy was weakened"
    return ""


def versions(facts: Facts) -> Iterator[Finding]:
    """The API server is one that Setscrew is tested with, or can work with."""
    version = need(facts.served).version
    found, oldest = minor(version), ".".join(map(str, OLDEST_KUBERNETES))
    if found is None:
        yield Finding("versions", "unknown", f"the API server's version cannot be read; {tested()}")
    elif found < OLDEST_KUBERNETES:
        what = f"the API server is {version}, without matchConditions or policies that Setscrew relies on; {tested()}"
        yield Finding("versions", "problem", what, f"{oldest} is the oldest that can work")
    elif found not in TESTED_KUBERNETES:
        fix = f"try it on a cluster that may fail: {oldest} and later should work"
        yield Finding("versions", "warning", f"the API server is {version}; {tested()}", fix)
    else:
        yield Finding("versions", "ok", f"the API server is {version}, a tested version")
