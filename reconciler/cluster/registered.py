"""Owns reading the registration as it is in force: which entry is asked about which object. Must not write it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.errors import ApiError
from reconciler.model.own import ENTRY_SUFFIX, OFF, REGISTRATION
from reconciler.model.ref import KindInfo
from reconciler.model.tree import dig

_PATH: Final = f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{REGISTRATION}"
_NAME: Final = "kubernetes.io/metadata.name"
_MEANING: Final = {"In": True, "NotIn": False}
STATUS: Final = "status"


@dataclass(frozen=True, slots=True)
class Registered:
    """The registration now. `off`: since when and by whom it is switched off, "" where it is not.

    `version` changes with each write of it, and is "" while there is none; `entries` are ours, as they stand there.
    """

    version: str = ""
    off: str = ""
    entries: tuple[Mapping[str, Any], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the entries."""
        return tuple(str(entry.get("name")) for entry in self.entries)

    def asked_about(self, kind: KindInfo) -> list[tuple[str, str]]:
        """(entry, subresource) of each that sees an UPDATE of objects of that kind: "", or `status` where it does."""
        found = []
        for entry in self.entries:
            resources = {one for rule in entry.get("rules") or () if _matches(rule, kind) for one in rule["resources"]}
            if kind.resource in resources:
                found.append((str(entry.get("name")), ""))
            elif f"{kind.resource}/{STATUS}" in resources:
                found.append((str(entry.get("name")), STATUS))
        return found

    def selecting(self, place: str, asked: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those of `asked` whose namespaceSelector takes in the namespace `place`; "" is none and taken in by all."""
        selectors = {str(entry.get("name")): entry.get("namespaceSelector") or {} for entry in self.entries}
        return [(name, subresource) for name, subresource in asked if not place or _selects(selectors[name], place)]


def read_registered(client: ApiClient) -> Registered:
    """The registration. Raises ClusterError."""
    try:
        live = client.request("GET", _PATH)
    except ApiError as error:
        if error.status != 404:
            raise
        return Registered()
    off = dig(live, "metadata", "annotations", OFF)
    entries = [one for one in live.get("webhooks") or () if str(one.get("name")).endswith(ENTRY_SUFFIX)]
    version = str(dig(live, "metadata", "resourceVersion"))
    return Registered(version, str(off or "at an unknown time") if isinstance(off, str) else "", tuple(entries))


def _selects(selector: Mapping[str, Any], place: str) -> bool:
    """Ours select by name alone; what somebody else asks of labels is not known here, and counts as met."""
    by_name = [one for one in selector.get("matchExpressions") or () if one.get("key") == _NAME]
    return all((place in (one.get("values") or ())) == _MEANING.get(one.get("operator"), True) for one in by_name)


def _matches(rule: Mapping[str, Any], kind: KindInfo) -> bool:
    wanted = (("apiGroups", kind.group), ("apiVersions", kind.version), ("operations", "UPDATE"))
    return all({value, "*"} & set(rule.get(name) or ()) for name, value in wanted)
