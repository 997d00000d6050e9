"""Owns the checks of an installation in a cluster, seen from outside: pods, leader, registration, sources. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.model.own import ADMISSION_SERVICE, NAMESPACE, OWN_GUARD, REGISTRATION, ROLE_LABEL, SNAPSHOT_NOTE
from setscrew.doctor.facts import Document, Try
from setscrew.doctor.finding import Finding, Missing, State, need
from setscrew.installing.objects import VERSION
from setscrew.installing.rollout import stage
from webhook.registration.apply import switched_off
from webhook.registration.ownership import is_ours
from webhook.tls.lifetime import Validity, left

_ON: Final = "`setscrew register` switches it on: docs/operations/emergency.md"
_LOGS: Final = f"kubectl logs -n {NAMESPACE} deploy/setscrew --all-containers says why"
_SHOWN: Final = 5
_BLIND: Final = "a firewall between control plane and nodes, or a NetworkPolicy? port 8443 of the pods must be reached"


@dataclass(frozen=True, slots=True)
class Installed:
    """What was learned of it, as the API server holds it. `ours` is the version of this command.

    `bundles` are the authorities of the registration; `guard` is policy and binding of our own objects. `tried` is a
    dry-run as the canary on a lever, which must be refused. `published`: how many Secrets of snapshots there are, and
    why the newest manifest cannot be used, "" if it can.
    """

    now: datetime
    ours: str
    deployment: Document | Missing | None
    pods: tuple[Document, ...] | Missing
    lease: Document | Missing | None
    registration: Document | Missing | None
    bundles: tuple[Validity, ...] | Missing
    published: tuple[int, str] | Missing
    levers: tuple[Document, ...] | Missing
    guard: tuple[Document | None, Document | None] | Missing
    tried: Try | Missing


def deployment(facts: Installed) -> Iterator[Finding]:
    """All replicas are there, ready, of one version, and of the one that this command knows."""
    live = need(facts.deployment)
    if live is None:
        what = f"there is no Deployment setscrew in {NAMESPACE}"
        yield Finding("deployment", "problem", what, "setscrew install")
        return
    status, wanted = live.get("status") or {}, int(live["spec"].get("replicas", 1))
    ready, new = int(status.get("availableReplicas", 0)), int(status.get("updatedReplicas", 0))
    if not ready:
        yield Finding("deployment", "problem", f"none of {wanted} replicas is ready", _LOGS)
    elif min(ready, new) < wanted:
        what = f"{ready} of {wanted} replicas are ready, {new} of the newest revision"
        yield Finding("deployment", "warning", what, _LOGS)
    elif wanted < 2:
        what = "one replica: while it is replaced nobody answers"
        yield Finding("deployment", "warning", what, f"kubectl scale -n {NAMESPACE} deploy/setscrew --replicas=2")
    else:
        yield Finding("deployment", "ok", f"{ready} of {wanted} replicas are ready")
    version = str((live["metadata"].get("annotations") or {}).get(VERSION, ""))
    if version != facts.ours:
        what = f"{version or 'an unknown version'} is installed, this command is {facts.ours}"
        yield Finding("deployment", "warning", what, "use the command of that version, or `setscrew upgrade`")


def leader(facts: Installed) -> Iterator[Finding]:
    """Somebody holds the Lease, renews it, and is a pod that is there."""
    live = need(facts.lease)
    spec = (live or {}).get("spec") or {}
    holder, renewed = str(spec.get("holderIdentity") or ""), _time(spec.get("renewTime"))
    fix = f"one takes it within seconds where a replica runs: {_LOGS}"
    if not holder or renewed is None:
        what = "nobody leads: Git is not read and the registration not kept"
        yield Finding("leader", "problem", what, fix)
        return
    age = facts.now - renewed
    pods = facts.pods if not isinstance(facts.pods, Missing) else ()
    if age > timedelta(seconds=3 * int(spec.get("leaseDurationSeconds") or 10)):
        what = f"{holder} leads, and has not said so for {age.total_seconds():.0f} s"
        yield Finding("leader", "problem", what, fix)
    elif pods and holder not in {str(pod["metadata"]["name"]) for pod in pods}:
        what = f"{holder} leads, and is none of the pods"
        yield Finding("leader", "problem", what, "a process outside of the cluster holds the Lease: end it")
    else:
        yield Finding("leader", "ok", f"{holder} leads")
    leads = [
        str(pod["metadata"]["name"])
        for pod in pods
        if (pod["metadata"].get("labels") or {}).get(ROLE_LABEL) == "leader"
    ]
    if pods and leads and leads != [holder]:
        what = f"{', '.join(leads)} bears the label of the leader, so the report may be asked of a follower"
        yield Finding("leader", "warning", what, "it is put right by the pods; if it stays, end that pod")


def replicas(facts: Installed) -> Iterator[Finding]:
    """All pods judge with the same snapshot."""
    pods = [pod for pod in need(facts.pods) if not pod["metadata"].get("deletionTimestamp")]
    digests = {
        str(one["metadata"]["name"]): (one["metadata"].get("annotations") or {}).get(SNAPSHOT_NOTE, "") for one in pods
    }
    without = sorted(name for name, digest in digests.items() if not digest)
    if not pods:
        yield Finding("replicas", "problem", "there is no pod", _LOGS)
    elif len(without) == len(pods):
        yield Finding(
            "replicas", "unknown", "no pod says which snapshot it judges with", "wait for the first; else its log"
        )
    elif without:
        what = f"{', '.join(without)} has no snapshot: it is not ready, and asked nothing"
        yield Finding(
            "replicas", "warning", what, "it restores what is published within seconds; else its log says why"
        )
    elif len(set(digests.values())) > 1:
        told = ", ".join(f"{name}: {str(digest)[:12]}" for name, digest in sorted(digests.items()))
        fix = "they agree within seconds; if it stays, the log of the one behind says why"
        yield Finding("replicas", "warning", f"pods judge with several snapshots ({told})", fix)
    else:
        yield Finding(
            "replicas", "ok", f"{len(pods)} pods judge with snapshot {str(next(iter(digests.values())))[:12]}"
        )


def registration(facts: Installed) -> Iterator[Finding]:
    """It is there, on, and calls the Service."""
    live = need(facts.registration)
    entries = [one for one in (live or {}).get("webhooks") or () if is_ours(str(one["name"]))]
    if live is not None and (when := switched_off(live)):
        yield Finding("registration", "problem", f"the guard was switched off at {when}: nothing is refused", _ON)
        return
    if _report_only(facts):
        yield Finding(
            "registration", "ok", "nothing is registered, as the overlay report-only says: nothing is refused"
        )
        return
    if not entries:
        fix = f"the leader makes it as soon as a replica answers and a source was read: {_LOGS}"
        yield Finding("registration", "problem", "there is no entry: nothing is refused", fix)
        return
    called = [(one.get("clientConfig") or {}).get("service") or {} for one in entries]
    if any((one.get("namespace"), one.get("name")) != (NAMESPACE, ADMISSION_SERVICE) for one in called):
        what = f"entries call something else than Service {NAMESPACE}/{ADMISSION_SERVICE}"
        fix = f"delete it, the leader makes it anew: kubectl delete validatingwebhookconfiguration {REGISTRATION}"
        yield Finding("registration", "problem", what, fix)
    else:
        yield Finding("registration", "ok", f"{len(entries)} entries call Service {NAMESPACE}/{ADMISSION_SERVICE}")


def ca_bundle(facts: Installed) -> Iterator[Finding]:
    """What the API server trusts is a certificate, and in time."""
    bundles = need(facts.bundles)
    if not bundles:
        yield Finding("ca-bundle", "unknown", "nothing is registered, so no bundle is", "see the check registration")
        return
    last = max(one.not_after for one in bundles)
    until = left(last, facts.now)
    if last <= facts.now:
        fix = f"the leader makes another: {_LOGS}; docs/operations/emergency.md"
        yield Finding("ca-bundle", "problem", f"the registered authority {until}", fix)
    else:
        yield Finding("ca-bundle", "ok", f"the registered authority {until}")


def published(facts: Installed) -> Iterator[Finding]:
    """There is a snapshot for replicas that start while Git is away, and it can be used."""
    count, why = need(facts.published)
    if not count:
        yield Finding("published", "warning", "no snapshot is published: a replica that starts needs the leader", _LOGS)
    elif why:
        fix = "the leader publishes it anew; who else writes there? `kubectl get secrets -n setscrew-snapshots`"
        yield Finding("published", "problem", f"what is published cannot be used: {why}", fix)
    else:
        yield Finding("published", "ok", f"a signed snapshot is published, in {count} Secrets")


def sources(facts: Installed) -> Iterator[Finding]:
    """Git can be read: as `kubectl get gitsources` tells."""
    found = [(str(one["metadata"]["name"]), ready(one)) for one in need(facts.levers) if one["kind"] == "GitSource"]
    for name, (status, reason, message) in found:
        told = f"{f': {message}' if message else ''}"
        if status == "Unknown":
            fix = "wait, or look at the log of the leader"
            yield Finding("sources", "warning", f"{name} is not enforced yet{told}", fix)
        elif status == "False" and reason != "Suspended":
            fix = "the last good revision is enforced; docs/reference/errors.md"
            yield Finding("sources", "problem", f"{name} is {reason}{told}", fix)
    if not found:
        yield Finding("sources", "warning", "there is no GitSource: nothing is guarded", "kubectl apply one")
    elif all(status == "True" for _, (status, _, _) in found):
        yield Finding("sources", "ok", f"{len(found)} of {len(found)} sources are ready")


def ready(lever: Mapping[str, Any]) -> tuple[str, str, str]:
    """Status, reason and message of its condition Ready, as Setscrew has written it last."""
    conditions = (lever.get("status") or {}).get("conditions") or ()
    one: Mapping[str, Any] = next((one for one in conditions if one.get("type") == "Ready"), {})
    return str(one.get("status") or "Unknown"), str(one.get("reason") or ""), str(one.get("message") or "")


def rollout(facts: Installed) -> Iterator[Finding]:
    """How much is refused: not a fault, but nobody may forget it."""
    now = stage(need(facts.levers))
    on = "`setscrew rollout advance` when the record shows only what you mean: docs/how-to/roll-out.md"
    if now == "Deny":
        yield Finding("rollout", "ok", "changes away from Git are refused, as policies say")
    else:
        yield Finding("rollout", "ok", f"stage {now}: shipped policies refuse nothing yet", on)


def own_guard(facts: Installed) -> Iterator[Finding]:
    """What guards Setscrew's own objects is there, and bound."""
    policy, binding = need(facts.guard)
    fix = "setscrew upgrade --force-conflicts puts it back"
    spec = (binding or {}).get("spec") or {}
    if policy is None or binding is None:
        what = f"ValidatingAdmissionPolicy {OWN_GUARD} {'is not bound' if policy else 'is not there'}"
        yield Finding("own-guard", "problem", f"{what}: a cluster-admin may change the guard's own objects", fix)
    elif spec.get("policyName") != OWN_GUARD or "Deny" not in (spec.get("validationActions") or ()):
        yield Finding("own-guard", "problem", f"the binding of {OWN_GUARD} denies nothing", fix)
    else:
        yield Finding("own-guard", "ok", "Setscrew's own objects are guarded")


def calls(facts: Installed) -> Iterator[Finding]:
    """The API server reaches the pods: shown by a dry-run as the canary that must be refused."""
    if _report_only(facts):
        yield Finding("calls", "unknown", "nothing is registered, so nobody is called")
        return
    one = need(facts.tried)
    states: Mapping[str, State] = {"sees": "ok", "blind": "problem", "silent": "problem"}
    state = states.get(one.proof, "unknown")
    if state == "ok":
        yield Finding("calls", "ok", f"the guard sees: a dry-run on {one.object} was refused, as it must be")
    else:
        words = {"blind": "the guard sees nothing", "silent": "the guard does not answer"}
        what = f"{words.get(one.proof, 'nothing is proved')}, shown by a dry-run on {one.object}: {one.detail}"
        yield Finding("calls", state, what, one.fix or (_BLIND if state == "problem" else ""))


def _report_only(facts: Installed) -> bool:
    live = facts.deployment
    if isinstance(live, Missing) or live is None:
        return False
    pod = live["spec"]["template"]["spec"]
    containers = (*(pod.get("initContainers") or ()), *pod["containers"])
    return any("--no-register" in (one.get("args") or ()) for one in containers)


def _time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
