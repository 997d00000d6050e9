"""Owns what is added to a finding as it leaves: links, what its source is called now, the grant that it names.

None of it is stored, so that it is as it is now. Must not choose findings, nor read a store by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, overload
from urllib.parse import quote

import msgspec

from reconciler.model.instant import stamp_of
from reconciler.policy.grant import Grant
from reconciler.report.links import GitHost, Repository, repository
from reconciler.report.query import IN_SYNC

_READ: Final = ("id", "state", "source", "grant")
_NO_SOURCE: Final = {"ref": "", "origin": ""}
_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Leaving:
    """What findings are given on their way. `sources` are as the store shows them; `grants` is asked once, if at all.

    `hosts` are Git hosts that are configured. `ignored`: fields that rules hide are shown, too.
    """

    sources: Sequence[Mapping[str, Any]]
    grants: Callable[[], Sequence[Grant]]
    hosts: Mapping[str, GitHost]
    ignored: bool = False
    _sources: dict[str, dict[str, str]] = field(init=False)
    _repositories: dict[str, Repository | None] = field(default_factory=dict)
    _grants: dict[str, Grant] | None = None

    def __post_init__(self) -> None:
        self._sources = {
            str(one["name"]): {name: str(one.get(name, "")) for name in _NO_SOURCE} for one in self.sources
        }

    def text(self, text: str) -> str:
        """A finding as it is stored, as it is sent: what nothing is added to is passed on as it is."""
        held: dict[str, Any] = _decode(text)
        known: dict[str, Any] = {name: _read(held[name]) for name in _READ if name in held}
        if not self.ignored:
            held.pop("ignored", None)
        held.update(self._more(known))
        return _encode(held).decode()

    def item(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """The same for one that was read."""
        left = {name: value for name, value in item.items() if self.ignored or name != "ignored"}
        return left | self._more(item)

    def _more(self, item: Mapping[str, Any]) -> dict[str, Any]:
        source: Mapping[str, Any] = item.get("source") or {}
        found: dict[str, Any] = {"source": {**source, **self._sources.get(str(source.get("name", "")), _NO_SOURCE)}}
        if item.get("state") != IN_SYNC:  # of which there is no finding that a link could lead to
            found |= {"links": self._links(str(item.get("id", "")), source)}
        grant = self._grant(str(item.get("grant") or ""))
        return found | ({"exception": _exception(grant)} if grant else {})

    def _links(self, identity: str, source: Mapping[str, Any]) -> dict[str, str]:
        url, commit = str(source.get("url", "")), str(source.get("commit", ""))
        if url not in self._repositories:
            self._repositories[url] = repository(url, self.hosts)
        pages, place = self._repositories[url], identity if identity.isalnum() else quote(identity, safe="")
        links = {"self": f"/api/v1/drift/{place}", "ui": f"/objects/{place}", "git": "", "commit": ""}
        if pages is not None:
            at = pages.commit(commit)
            line = source.get("line", 0)
            file = pages.file(commit, str(source.get("file", "")), line if isinstance(line, int) else 0)
            links |= {"git": file or at, "commit": at}
        return links

    def _grant(self, identity: str) -> Grant | None:
        if not identity:
            return None
        if self._grants is None:
            self._grants = {one.id: one for one in self.grants()}
        return self._grants.get(identity)


@dataclass(frozen=True, slots=True)
class Sent(Sequence[str]):
    """Stored findings, each as it is sent once it is asked for: the first is sent before the last is made."""

    stored: Sequence[str]
    leaving: Leaving

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        found = self.stored[place]
        return self.leaving.text(found) if isinstance(found, str) else Sent(found, self.leaving)

    def __len__(self) -> int:
        return len(self.stored)

    def __iter__(self) -> Iterator[str]:
        return map(self.leaving.text, self.stored)


def _exception(grant: Grant) -> dict[str, str]:
    """By whose leave, until when, and why."""
    until = min(filter(None, (grant.not_after, grant.revoked)))
    return {"id": grant.id, "by": grant.approver or grant.created_by, "until": stamp_of(until), "reason": grant.reason}
