"""Owns taking an installation away: off first, then step by step, then a look at what is left. Must not ask anybody.

It works on what is half there, and again on what is gone: each step removes what it finds. What a step cannot remove in
time is told at the end; the others go on, since a guard that is half gone is worse than one that is nearly gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from reconciler.errors import ApiError
from reconciler.model.instant import stamp
from reconciler.model.own import ENTRY_SUFFIX, GROUP, NAMESPACE, OWN_GUARD
from reconciler.model.ref import ObjectRef
from setscrew.installing import inventory as inventories
from setscrew.installing.errors import InstallError, WaitError
from setscrew.installing.objects import DEPLOYMENT, PART_OF, PRODUCT, Document, by_helm, is_ours, ref_of, shown
from setscrew.installing.removal import DEFINITIONS, NAMESPACES, THE_REGISTRATION, Step, people_have, steps
from setscrew.installing.server import Server
from setscrew.installing.waiting import Patience, holds, until_gone
from webhook.registration.apply import current, switch_off, whoami
from webhook.registration.ownership import is_ours as is_our_entry

_PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
_PEOPLES: Final = (("", "Secret"), ("", "ConfigMap"))
_SELECTOR: Final = f"{PART_OF}={PRODUCT}"


@dataclass(slots=True)
class Removing:
    """One run. `told` hears of each object that was asked to go; `troubles` are what could not be removed, and why."""

    server: Server
    told: Callable[[ObjectRef, str], None]
    patience: Patience
    troubles: list[str] = field(default_factory=list)

    def plan(self, shipped: Iterable[Document], *, purge: bool) -> tuple[list[Step], list[ObjectRef]]:
        """The steps, and what stays because people wrote it. InstallError: Helm must begin. Raises ClusterError."""
        if by_helm(self.server.read(DEPLOYMENT)):
            hint = "`helm uninstall` it, then run this again for what Helm does not know of"
            raise InstallError("Setscrew was installed by Helm here", where=str(DEPLOYMENT), hint=hint)
        found = self.server.levers()
        levers = {ref_of(tree) for tree in found}
        known = {ref_of(tree) for tree in shipped} | set(self._recorded())
        known |= {ref_of(tree) for tree in found if is_ours(tree)}
        theirs = people_have(self._in_namespace(), known)
        planned = steps(known, levers, theirs, purge=purge)
        going = {ref for step in planned for ref in step.refs}
        return planned, [] if purge else sorted({*levers, *theirs} - going)

    def run(self, planned: Iterable[Step]) -> None:
        """Take it away. Raises ClusterError where the API server does not answer; all else is in `troubles`."""
        self._switch_off()
        for step in planned:
            present = [ref for ref in step.refs if self._deleted(ref)]
            self._wait(present)
            if any(ref.kind == "Deployment" for ref in step.refs):
                self._wait_for_pods()
            if set(step.refs) & set(DEFINITIONS):
                self.server.refresh()

    def left(self, planned: Iterable[Step], kept: Iterable[ObjectRef]) -> list[str]:
        """Each object of ours that is still there, with what holds it; not what stays on purpose."""
        self.server.refresh()
        meant = {*kept, *(() if any(set(step.refs) & set(DEFINITIONS) for step in planned) else DEFINITIONS)}
        if any(ref.namespace == NAMESPACE for ref in meant):
            meant.add(ObjectRef("", "Namespace", "", NAMESPACE))
        found = {ref_of(tree): tree for tree in self._labelled()}
        for ref in (ref for step in planned for ref in step.refs):
            if (live := self.server.read(ref)) is not None:
                found[ref] = live
        return [f"{shown(ref)}: {holds(tree)}" for ref, tree in sorted(found.items()) if ref not in meant]

    def _labelled(self) -> Iterator[Document]:
        """All objects with our label, of every kind that can be listed, and all of our own group."""
        for (group, _, _), kind in self.server.served.kinds().items():
            yield from self.server.names(kind, selector="" if group == GROUP else _SELECTOR)

    def _recorded(self) -> Iterator[ObjectRef]:
        """What the inventory names, as far as the objects bear our label."""
        for ref in inventories.read(self.server.read(inventories.REF)).objects:
            live = self.server.read(ref)
            if live is not None and is_ours(live):
                yield ref

    def _in_namespace(self) -> Iterator[ObjectRef]:
        for group, kind in _PEOPLES:
            if (info := self.server.found(group, kind)) is not None:
                yield from (ref_of(tree) for tree in self.server.names(info, NAMESPACE))

    def _switch_off(self) -> None:
        """From here on nothing is refused, and a reconciler that still runs puts nothing back."""
        client = self.server.client
        if current(client) is not None or self._running():
            switch_off(client, stamp(datetime.now(UTC)), whoami(client))
            self.told(THE_REGISTRATION, "switched off")

    def _deleted(self, ref: ObjectRef) -> bool:
        if ref == THE_REGISTRATION and self._shared():
            self.told(ref, "kept: entries of others are in it")
            return False
        try:
            asked = self._asked(ref)
        except WaitError as error:
            self.troubles.append(str(error))
            return False
        except ApiError as error:
            self.troubles.append(f"{shown(ref)}: {error.message}")
            return False
        if asked:
            self.told(ref, "deleted")
        return asked

    def _asked(self, ref: ObjectRef) -> bool:
        """Ask for its removal, again for a while: the API server learns a moment later that nothing is refused."""
        asked = [False]

        def once() -> str:
            try:
                asked[0] = self.server.delete(ref)
            except ApiError as error:
                if not _refused_by_us(error):
                    raise
                return error.message
            return ""

        self.patience.until(once, shown(ref), "who else guards it?")
        return asked[0]

    def _shared(self) -> bool:
        live = current(self.server.client) or {}
        return any(not is_our_entry(str(entry["name"])) for entry in live.get("webhooks") or ())

    def _wait(self, refs: list[ObjectRef]) -> None:
        try:
            until_gone(self.server, refs, self.patience)
        except WaitError as error:
            self.troubles.append(str(error))

    def _running(self) -> list[str]:
        page = self.server.get(f"{_PODS}?labelSelector=app.kubernetes.io/name%3D{PRODUCT}") or {}
        return [str(one["metadata"]["name"]) for one in page.get("items") or ()]

    def _wait_for_pods(self) -> None:
        def there() -> str:
            names = self._running()
            return f"pods still end: {', '.join(names)}" if names else ""

        hint = f"a node that is gone keeps its pods: kubectl delete pod -n {NAMESPACE} --all --force"
        try:
            self.patience.until(there, f"namespace {NAMESPACE}", hint)
        except WaitError as error:
            self.troubles.append(str(error))


def present(server: Server) -> bool:
    """Whether anything of an installation is there at all."""
    refs = (THE_REGISTRATION, *DEFINITIONS, *(ObjectRef("", "Namespace", "", name) for name in NAMESPACES))
    return any(server.read(ref) is not None for ref in refs)


def _refused_by_us(error: ApiError) -> bool:
    return error.status in (403, 500) and (OWN_GUARD in error.message or ENTRY_SUFFIX in error.message)
