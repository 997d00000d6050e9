"""Owns the checks before anything is changed: what could keep it from standing, each with its code. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.limits import CLOCK_SKEW_SECONDS
from reconciler.model.own import ENTRY_SUFFIX, NAMESPACE, OFF, REGISTRATION
from reconciler.report.printable import one_line
from setscrew.doctor.finding import State
from setscrew.doctor.rights import Right
from setscrew.installing.objects import PART_OF, Document, by_helm, is_ours
from setscrew.installing.trying import Tried
from setscrew.installing.versions import OLDEST_KUBERNETES, TESTED_KUBERNETES, definition_problems, minor, tested

_SKEW_SECONDS: Final = 60
_NAMED: Final = 5
_NO_ANSWER: Final = "failed calling webhook"
_OFF_LABELS: Final = ("privileged", "baseline")
# As container runtimes read it: host and port, path in lower case, a tag, a digest.
_IMAGE: Final = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/|\[[0-9a-fA-F:]+\](?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,})?"
)
# As container runtimes tell a host from the first part of a path.
_REGISTRY: Final = re.compile(r"(?:localhost|[^/]*[.:][^/]*)/")
_ENFORCE: Final = "pod-security.kubernetes.io/enforce"


@dataclass(frozen=True, slots=True)
class Preflight:
    """One thing that was looked at. `why` says what would go wrong, `fix` what to do next, `code` stays the same."""

    code: str
    check: str
    state: State
    what: str
    why: str = ""
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        """As it is printed: one line each."""
        told = {"code": self.code, "check": self.check, "state": self.state}
        return {**told, "what": one_line(self.what), "why": one_line(self.why), "fix": one_line(self.fix)}


def silent(message: str) -> bool:
    """Whether an answer of the API server says that the guard itself gave none."""
    return _NO_ANSWER in message and ENTRY_SUFFIX in message


@dataclass(frozen=True, slots=True)
class Ground:
    """What was learned of the cluster. `images` are those to be run; `foreign` owners of an installation of ours.

    `skew`: seconds that the API server is ahead of here. `down`: API groups whose server does not answer, and why.
    `definitions`: ours as they are, by name, beside those wanted.
    """

    version: str
    user: str
    skew: float
    refused: Sequence[Right]
    namespaces: Mapping[str, Document]
    registration: Document | None
    deployment: Document | None
    down: Mapping[str, str]
    tried: Sequence[Tried]
    definitions: Sequence[tuple[Document, Document]]
    images: frozenset[str]
    registers: bool


def checks(ground: Ground) -> list[Preflight]:
    """All of them, at least one each."""
    return [found for check in _CHECKS for found in check(ground)]


def _version(ground: Ground) -> Iterator[Preflight]:
    code, found = "SS4210", minor(ground.version)
    oldest = ".".join(map(str, OLDEST_KUBERNETES))
    if found is None:
        yield Preflight(code, "server-version", "unknown", f"the API server says no version: {ground.version!r}")
    elif found < OLDEST_KUBERNETES:
        why = "its client certificates have no id of the credential, by which nodes and controllers are known"
        yield Preflight(code, "server-version", "problem", f"the API server is {ground.version}", why, f"use {oldest}+")
    elif found not in TESTED_KUBERNETES:
        why = "it should work, and nobody has tried"
        fix = "try it on a cluster that may fail first"
        what = f"the API server is {ground.version}; {tested()}"
        yield Preflight(code, "server-version", "warning", what, why, fix)
    else:
        yield Preflight(code, "server-version", "ok", f"the API server is {ground.version}")


def _rights(ground: Ground) -> Iterator[Preflight]:
    if not ground.refused:
        yield Preflight("SS4211", "rights", "ok", f"{ground.user} may apply every object")
        return
    named = ", ".join(map(str, ground.refused[:_NAMED]))
    more = f" and {len(ground.refused) - _NAMED} more" if len(ground.refused) > _NAMED else ""
    why = "the installation would stop in the middle"
    fix = "run it as cluster-admin; afterwards nothing runs with these rights"
    yield Preflight("SS4211", "rights", "problem", f"{ground.user} may not {named}{more}", why, fix)


def _other(ground: Ground) -> Iterator[Preflight]:
    code, live = "SS4212", ground.deployment
    if by_helm(live):
        why = "two installers would undo each other"
        fix = "go on with `helm upgrade`, or `helm uninstall` it first"
        yield Preflight(code, "other-installation", "problem", "Setscrew was installed by Helm here", why, fix)
    elif live is not None and not is_ours(live):
        what = f"Deployment {NAMESPACE}/setscrew is there, without the label {PART_OF}"
        why = "it is somebody else's, or was made by hand, and both would guard"
        yield Preflight(code, "other-installation", "problem", what, why, "remove it, or label it if it is ours")
    elif live is not None:
        yield Preflight(code, "other-installation", "ok", "Setscrew is installed already: it is brought up to date")
    else:
        yield Preflight(code, "other-installation", "ok", "no other installation is here")


def _registration(ground: Ground) -> Iterator[Preflight]:
    code, live = "SS4213", ground.registration
    entries = [str(one["name"]) for one in (live or {}).get("webhooks") or ()]
    foreign = [name for name in entries if not name.endswith(ENTRY_SUFFIX)]
    by_url = [one for one in (live or {}).get("webhooks") or () if (one.get("clientConfig") or {}).get("url")]
    what = f"ValidatingWebhookConfiguration {REGISTRATION}"
    if foreign:
        why = "it is somebody else's, and the reconciler would write into it"
        yield Preflight(code, "registration", "problem", f"{what} has entries {', '.join(foreign)}", why, "rename it")
    elif by_url:
        why = "a `setscrew run` outside of the cluster guards it, and both would fight over the registration"
        fix = "end it, then `setscrew register --remove`"
        yield Preflight(code, "registration", "problem", f"{what} calls {by_url[0]['clientConfig']['url']}", why, fix)
    elif OFF in ((live or {}).get("metadata", {}).get("annotations") or {}):
        since = one_line(str((live or {})["metadata"]["annotations"][OFF]))
        why = "it stays off, and nothing is refused, whatever is installed"
        fix = "afterwards, if the guard is to work: `setscrew register`"
        yield Preflight(code, "registration", "warning", f"the guard was switched off at {since}", why, fix)
    else:
        yield Preflight(code, "registration", "ok", f"{what} is free or ours")


def _clock(ground: Ground) -> Iterator[Preflight]:
    ahead = "ahead of" if ground.skew > 0 else "behind"
    what = f"the API server's clock is {abs(ground.skew):.0f} s {ahead} this machine's"
    why = "certificates and grants hold for a time; where nodes are wrong by as much, they are not valid"
    if abs(ground.skew) <= _SKEW_SECONDS:
        yield Preflight("SS4214", "clock", "ok", "this machine and the API server agree on the time")
    elif abs(ground.skew) <= CLOCK_SKEW_SECONDS:
        yield Preflight("SS4214", "clock", "warning", what, why, "synchronise both (NTP)")
    else:
        yield Preflight("SS4214", "clock", "problem", what, why, "synchronise both (NTP)")


def _namespaces(ground: Ground) -> Iterator[Preflight]:
    code, bad = "SS4215", False
    for name, live in ground.namespaces.items():
        labels = live["metadata"].get("labels") or {}
        if (live.get("status") or {}).get("phase") == "Terminating":
            bad = True
            why, fix = (
                "nothing can be made in it",
                f"wait until it is gone: kubectl get namespace {name} -o yaml says what holds it",
            )
            yield Preflight(code, "namespaces", "problem", f"namespace {name} is being deleted", why, fix)
        elif not is_ours(live):
            bad = True
            why = "what else is in it is beside the guard's keys, and goes when Setscrew is removed"
            fix = "nothing if it is meant for Setscrew; else move what is in it"
            yield Preflight(code, "namespaces", "warning", f"namespace {name} was there before", why, fix)
        elif labels.get(_ENFORCE) in _OFF_LABELS:
            bad = True
            why = "pods with more rights than the guard's own may run beside its keys"
            yield Preflight(code, "namespaces", "warning", f"namespace {name} does not enforce `restricted`", why, "")
    if not bad:
        yield Preflight(code, "namespaces", "ok", "the namespaces are free or ours, with Pod Security `restricted`")


def _aggregated(ground: Ground) -> Iterator[Preflight]:
    for group, why in sorted(ground.down.items()):
        what = f"API group {group} does not answer: {why}"
        told = "its objects cannot be compared, and no namespace can be deleted as long as it is so"
        fix = "repair its APIService, or remove it: kubectl get apiservices"
        yield Preflight("SS4216", "aggregated-apis", "warning", what, told, fix)
    if not ground.down:
        yield Preflight("SS4216", "aggregated-apis", "ok", "every API group answers")


def _dry_runs(ground: Ground) -> Iterator[Preflight]:
    answers = [(one.ref, one.refused) for one in ground.tried if one.refused is not None]
    refused = [(ref, error) for ref, error in answers if not silent(error.message)]
    if len(refused) < len(answers):
        what = f"the guard does not answer: {len(answers) - len(refused)} of its own levers could not be tried"
        why = "they fail closed while no replica answers; what is to be changed of them is, when one does"
        yield Preflight("SS4217", "dry-run", "warning", what, why)
    for ref, error in refused:
        what = f"{ref}: {error.message}"
        yield Preflight("SS4217", "dry-run", "problem", what, "the API server would refuse it", error.hint)
    if not answers:
        unseen = sum(bool(one.unseen) for one in ground.tried)
        rest = f"; {unseen} that come with others could not be tried" if unseen else ""
        what = f"the API server takes {len(ground.tried) - unseen} objects as a dry-run{rest}"
        yield Preflight("SS4217", "dry-run", "ok", what)


def _definitions(ground: Ground) -> Iterator[Preflight]:
    bad = False
    for live, wanted in ground.definitions:
        for problem in definition_problems(live, wanted):
            bad = True
            what, why = (
                f"{wanted['metadata']['name']}: {problem}",
                "objects that people wrote would be lost or unreadable",
            )
            yield Preflight("SS4218", "definitions", "problem", what, why, "docs/how-to/upgrade.md says how to go on")
    if not bad:
        yield Preflight("SS4218", "definitions", "ok", "no definition loses a version or an object")


def _images(ground: Ground) -> Iterator[Preflight]:
    unread = sorted(one for one in ground.images if not _IMAGE.fullmatch(one))
    for image in unread:
        why = "no node could pull it, and the replicas would never start"
        fix = "--image REGISTRY/setscrew:TAG, for example registry.example.com/setscrew:0.1.0"
        yield Preflight("SS4219", "image", "problem", f"{image!r} is not the name of an image", why, fix)
    if unread:
        return
    local = sorted(one for one in ground.images if not _REGISTRY.match(one))
    for image in local:
        why = "nodes look for it at Docker Hub, unless they hold it already"
        fix = "--image REGISTRY/setscrew:TAG: your registry's copy"
        yield Preflight("SS4219", "image", "warning", f"image {image} names no registry", why, fix)
    if not local:
        yield Preflight("SS4219", "image", "ok", f"image {', '.join(sorted(ground.images))}")


def _reach(ground: Ground) -> Iterator[Preflight]:
    if not ground.registers:
        yield Preflight("SS4220", "reachability", "ok", "this overlay registers nothing, so nobody is called")
        return
    what = "whether the API server reaches a pod's port 8443 shows when one runs"
    why = "a firewall between control plane and nodes would leave the guard blind (GKE and EKS private clusters)"
    fix = "`setscrew doctor --in-cluster` tries it then: a dry-run as the canary, which must be refused"
    yield Preflight("SS4220", "reachability", "unknown", what, why, fix)


_CHECKS: Final[tuple[Callable[[Ground], Iterator[Preflight]], ...]] = (
    _version,
    _rights,
    _other,
    _registration,
    _clock,
    _namespaces,
    _aggregated,
    _dry_runs,
    _definitions,
    _images,
    _reach,
)
