"""Owns waiting: until definitions are served, workloads run, and what was deleted is gone. Must not change anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.model.ref import ObjectRef
from setscrew.doctor.installed import ready
from setscrew.installing.errors import WaitError
from setscrew.installing.objects import Document, ref_of, shown
from setscrew.installing.server import Server

_PAUSE_SECONDS: Final = 0.5
_TELL_SECONDS: Final = 10
_AGAIN: Final = "run it again when that is mended, it goes on"


@dataclass(slots=True)
class Patience:
    """So many seconds for each wait. `told` hears now and then what it waits for."""

    seconds: float
    told: Callable[[str], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def until(self, done: Callable[[], str], where: str, hint: str) -> None:
        """Wait until `done()` says "", else why it is not done yet. Raises WaitError with the last reason."""
        now = self.clock()
        end, due, last = now + self.seconds, now + _TELL_SECONDS, ""
        while why := done():
            now = self.clock()
            if now > end:
                raise WaitError(f"not done after {self.seconds:.0f} s: {why}", where=where, hint=hint)
            if now > due and why != last:
                self.told(f"waiting, {end - now:.0f} s at most: {why}")
                due, last = now + _TELL_SECONDS, why
            self.pause(_PAUSE_SECONDS)


def until_established(server: Server, definitions: Iterable[Document], patience: Patience) -> None:
    """Wait until the API server serves these CustomResourceDefinitions."""
    for tree in definitions:
        ref = ref_of(tree)
        patience.until(lambda ref=ref: _unestablished(server.read(ref)), str(ref), "its status says why")  # type: ignore[misc]
    spec = [(tree["spec"]["group"], tree["spec"]["names"]["kind"]) for tree in definitions]

    def unserved() -> str:
        server.refresh()
        return next((f"{kind} is not served yet" for group, kind in spec if server.found(group, kind) is None), "")

    patience.until(unserved, "API server", "look at its log")


def until_rolled_out(server: Server, workloads: Iterable[Document], patience: Patience) -> None:
    """Wait until all replicas of these Deployments are of the newest revision and ready."""
    for tree in workloads:
        ref = ref_of(tree)
        logs = f"kubectl logs -n {ref.namespace} deploy/{ref.name} --all-containers"
        hint = f"kubectl describe pods -n {ref.namespace}; {logs}; {_AGAIN}"
        patience.until(lambda ref=ref: _unready(server, ref), str(ref), hint)  # type: ignore[misc]


def until_gone(server: Server, refs: Iterable[ObjectRef], patience: Patience) -> None:
    """Wait until none of them is there any more; the error says what holds the first that is."""
    for ref in refs:
        patience.until(lambda ref=ref: _there(server, ref), shown(ref), f"see above; {_AGAIN}")  # type: ignore[misc]


def holds(tree: Mapping[str, Any]) -> str:
    """Why an object that is being deleted is still there, as far as it says itself."""
    metadata, status, spec = tree["metadata"], tree.get("status") or {}, tree.get("spec") or {}
    if finalizers := [*(metadata.get("finalizers") or ()), *(spec.get("finalizers") or ())]:
        told = [str(one.get("message")) for one in status.get("conditions") or () if _is_trouble(one)]
        if told:
            return "; ".join(told)
        if finalizers != ["kubernetes"]:
            return f"finalizer {', '.join(finalizers)} holds it"
    return "it is being deleted" if metadata.get("deletionTimestamp") else "it is still there"


def _is_trouble(condition: Mapping[str, Any]) -> bool:
    """The conditions of a Namespace and of a definition that say what a deletion waits for."""
    kind, status = str(condition.get("type")), condition.get("status")
    return status == "True" and kind.startswith(("NamespaceDeletion", "NamespaceContent", "NamespaceFinalizers"))


def _there(server: Server, ref: ObjectRef) -> str:
    live = server.read(ref)
    return f"{shown(ref)}: {holds(live)}" if live is not None else ""


def _unestablished(live: Document | None) -> str:
    conditions = ((live or {}).get("status") or {}).get("conditions") or ()
    states = {str(one["type"]): one for one in conditions}
    if states.get("NamesAccepted", {}).get("status") == "False":
        return str(states["NamesAccepted"].get("message") or "its names are taken")
    return "" if states.get("Established", {}).get("status") == "True" else "it is not established"


def _unready(server: Server, ref: ObjectRef) -> str:
    live = server.read(ref)
    if live is None:
        return "it is not there"
    spec, status = live["spec"], live.get("status") or {}
    wanted = int(spec.get("replicas", 1))
    if int(status.get("observedGeneration", 0)) < int(live["metadata"].get("generation", 0)):
        return "no controller has looked at it yet"
    updated, available = int(status.get("updatedReplicas", 0)), int(status.get("availableReplicas", 0))
    if min(updated, available) >= wanted and int(status.get("replicas", 0)) <= wanted:
        return ""
    if min(updated, available) >= wanted:
        return (
            f"all {wanted} replicas are new and available, and {int(status['replicas']) - wanted} of before still end"
        )
    waiting, unready = _trouble_of(server, ref, _waits), _trouble_of(server, ref, _is_unready)
    why = waiting or _failure(status) or ("" if available else _unread(server)) or unready
    return f"{updated} of {wanted} replicas are new, {available} available" + (f": {why}" if why else "")


def _unread(server: Server) -> str:
    """The first source that cannot be followed, and why: without any snapshot no replica is ready."""
    found = [(str(one["metadata"]["name"]), ready(one)) for one in server.levers() if one["kind"] == "GitSource"]
    failed = (f"GitSource {name} is {reason}: {why}" for name, (status, reason, why) in found if status == "False")
    return next(failed, "")


def _failure(status: Mapping[str, Any]) -> str:
    failed = [one for one in status.get("conditions") or () if one.get("type") == "ReplicaFailure"]
    return str(failed[0].get("message", "")) if failed else ""


def _trouble_of(server: Server, ref: ObjectRef, trouble: Callable[[Mapping[str, Any]], str]) -> str:
    """That of the first pod that has any."""
    selector = ",".join(f"{key}={value}" for key, value in _labels(server.read(ref)).items())
    pods = server.client.request("GET", f"/api/v1/namespaces/{ref.namespace}/pods", query={"labelSelector": selector})
    return next((why for pod in pods.get("items") or () if (why := trouble(pod))), "")


def _is_unready(pod: Mapping[str, Any]) -> str:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((f"pod {pod['metadata']['name']} is not ready" for one in conditions if _fails(one)), "")


def _fails(condition: Mapping[str, Any]) -> bool:
    return condition.get("type") == "Ready" and condition.get("status") == "False"


def _labels(live: Document | None) -> Mapping[str, str]:
    labels: Mapping[str, str] = ((live or {}).get("spec") or {}).get("selector", {}).get("matchLabels") or {}
    return labels


def _waits(pod: Mapping[str, Any]) -> str:
    status = pod.get("status") or {}
    for one in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"{waiting['reason']} in container {one.get('name')}: {waiting.get('message', '')}".rstrip(": ")
    for one in status.get("conditions") or ():
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            return f"a pod is not scheduled: {one.get('message', '')}"
    return ""
