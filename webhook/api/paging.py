"""Owns lists that stay as they were while somebody reads them page by page, and the token that leads on in one.

A list is kept packed for some minutes, in the memory of this process. A token names its list and the last finding that
was read, and is signed: it cannot be made up. After a restart it is as if the list had been kept too long.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import msgspec

from reconciler.limits import REPORT_LIST_SECONDS, REPORT_LISTS, REPORT_LISTS_BYTES
from reconciler.report.query import Matching, Query

_MAC_BYTES: Final = 16
_CHUNK: Final = 250
_PACKED: Final = 1  # the fastest: a list is packed for each first page of many


class Token(msgspec.Struct, frozen=True):
    """Which list of which query, how many findings were read, and the id of the last."""

    kept: str
    asked: str
    read: int
    last: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some findings of a list, the list's own digest and counts, how many follow, and the token that leads to them.

    `size` is that of these texts, in characters.
    """

    texts: Sequence[str]
    size: int
    counts: Mapping[str, int]
    digest: str
    remaining: int
    onward: str


@dataclass(slots=True)
class _Kept:
    chunks: list[bytes]
    total: int
    counts: dict[str, int]
    digest: str
    until: datetime

    @property
    def size(self) -> int:
        return sum(map(len, self.chunks))

    def cut(self, begin: int, end: int) -> list[str]:
        """The findings of these places."""
        first = begin // _CHUNK
        packed = self.chunks[first : -(-end // _CHUNK)]
        texts = "\n".join(zlib.decompress(one).decode() for one in packed).split("\n") if packed else []
        return texts[begin - first * _CHUNK : end - first * _CHUNK]


@dataclass(slots=True)
class Lists:
    """The lists of one process. `key` signs tokens."""

    key: bytes
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def first(self, query: Query, found: Matching, now: datetime) -> Page:
        """The first page; where it is not all, the list is kept from now on."""
        total = len(found.lines)
        if query.limit is None or total <= query.limit:
            return Page(found.texts, found.size, found.counts, found.digest, 0, "")
        lines = found.lines[: query.limit]
        onward = self._onward(query, self._keep(query, found, now), len(lines), lines[-1].id)
        size = sum(line.size for line in lines)
        return Page(found.texts[: query.limit], size, found.counts, found.digest, total - len(lines), onward)

    def next(self, query: Query, token: Token, now: datetime) -> Page | None:
        """The page that the token leads to; None where its list is kept no longer."""
        with self._lock:
            kept = self._kept.get(token.kept)
            if kept is None or kept.until < now:
                return None
        end = kept.total if query.limit is None else min(kept.total, token.read + query.limit)
        texts = kept.cut(token.read, end)
        last = msgspec.json.decode(texts[-1])["id"] if texts else ""
        onward = self._onward(query, token.kept, end, last) if end < kept.total else ""
        return Page(texts, sum(map(len, texts)), kept.counts, kept.digest, kept.total - end, onward)

    def again(self, query: Query, token: Token, found: Matching, now: datetime) -> str:
        """A token for the list as it is now, after the finding that was read last."""
        ids = [line.id for line in found.lines]
        read = ids.index(token.last) + 1 if token.last in ids else min(token.read, len(ids))
        return self._onward(query, self._keep(query, found, now), read, "".join(ids[read - 1 : read]))

    def read(self, text: str, query: Query) -> Token | None:
        """The token in `text`, None where it is none of ours, or of another query."""
        try:
            whole = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (ValueError, binascii.Error):
            return None
        mac, body = whole[:_MAC_BYTES], whole[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body)):
            return None
        token = msgspec.json.decode(body, type=Token)
        return token if token.asked == query.key else None

    def _keep(self, query: Query, found: Matching, now: datetime) -> str:
        """Equal lists of one query are kept once, from now on."""
        name = hashlib.sha256(f"{query.key}{found.digest}".encode()).hexdigest()[:24]
        until = now + timedelta(seconds=REPORT_LIST_SECONDS)
        with self._lock:
            known = self._kept.pop(name, None)
        if known is None:
            parts = (found.texts[place : place + _CHUNK] for place in range(0, len(found.texts), _CHUNK))
            chunks = [zlib.compress("\n".join(part).encode(), _PACKED) for part in parts]
            known = _Kept(chunks, len(found.texts), dict(found.counts), found.digest, until)
        known.until = until
        with self._lock:
            self._kept[name] = known
            self._forget(now)
        return name

    def _forget(self, now: datetime) -> None:
        """The oldest go first; the newest always stays."""
        for name in [name for name, one in self._kept.items() if one.until < now]:
            del self._kept[name]
        while len(self._kept) > 1 and (
            len(self._kept) > REPORT_LISTS or sum(one.size for one in self._kept.values()) > REPORT_LISTS_BYTES
        ):
            del self._kept[next(iter(self._kept))]

    def _onward(self, query: Query, kept: str, read: int, last: str) -> str:
        body = msgspec.json.encode(Token(kept, query.key, read, last))
        return base64.urlsafe_b64encode(self._mac(body) + body).decode().rstrip("=")

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self.key, body, "sha256")[:_MAC_BYTES]
