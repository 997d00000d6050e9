"""Owns publishing: chunks first, the manifest last, and then what nobody needs any more goes. Must not make a snapshot.

For the leader. Whatever else is found in place of the last manifest is replaced, with a higher number than it had.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from reconciler.cluster.api import ApiClient
from reconciler.errors import ApiError, StoreError
from reconciler.limits import PUBLISHED_GRACE_SECONDS, PUBLISHED_KEPT, PUBLISHED_TRIES
from reconciler.model.instant import stamp_of
from reconciler.model.own import MANIFEST
from reconciler.published.manifest import Manifest, Part, chunk_name, dumped, listed, loaded
from reconciler.published.parts import split
from reconciler.published.secrets import Secrets, Signed
from reconciler.published.signing import Signs, sign, verify
from reconciler.snapshot.model import MemorySnapshot
from reconciler.snapshot.rows import key_id


@dataclass(slots=True)
class Publisher:
    """`say` takes one line for the log; `least` is a sequence number that was seen before, elsewhere than there.

    `noted` is given the number of each manifest once that is published; raises ClusterError.
    """

    client: ApiClient
    key: Signs
    say: Callable[[str], None]
    least: int = 0
    noted: Callable[[int], None] = lambda _: None
    now: Callable[[], float] = time.time  # noqa: TID251 - people read it, nothing is decided by it
    clock: Callable[[], float] = time.monotonic
    _secrets: Secrets = field(init=False)
    _packed: dict[str, bytes] = field(default_factory=dict)
    # Chunks that are known to be whole, with the resourceVersion that they had then.
    _whole: dict[str, str] = field(default_factory=dict)
    _named: deque[frozenset[str]] = field(default_factory=lambda: deque(maxlen=PUBLISHED_KEPT))
    # Since when nobody names a chunk, by the clock.
    _left: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._secrets = Secrets(self.client)

    def publish(self, snapshot: MemorySnapshot) -> None:
        """Make it what every replica restores; the same content is not written twice.

        Raises ClusterError, and StoreError (SS6107) for what is too large; then what was published last stands.
        """
        with self._lock:
            table, chunks = listed(split(snapshot, self._packed))
            tries = PUBLISHED_TRIES
            while True:
                tries -= 1
                there = self._secrets.versions()
                self._put_chunks(chunks, there)
                try:
                    self._put_manifest(snapshot, table)
                    break
                except ApiError as error:
                    # Another replica was faster, or somebody deletes it: what stands now is looked at anew.
                    if error.status not in (404, 409) or not tries:
                        raise
            self.noted(self.least)
            self._collect(frozenset(chunks), there)

    def _put_chunks(self, chunks: dict[str, bytes], there: dict[str, str]) -> None:
        for name, data in chunks.items():
            found = there.get(name)
            if found is not None and self._whole.get(name) == found:
                continue
            if found is not None and self._is_whole(name):
                self._whole[name] = found
                continue
            if found is not None:
                self.say(f"published snapshot: {name} was not what it is named after, and is written anew [SS6103]")
            self._whole[name] = self._secrets.put_chunk(name, data)

    def _is_whole(self, name: str) -> bool:
        held = self._secrets.chunk(name)
        return held is not None and chunk_name(held) == name

    def _put_manifest(self, snapshot: MemorySnapshot, table: dict[str, Part]) -> None:
        signed = self._secrets.manifest()
        last = self._last(signed)
        named = key_id(snapshot.secret_key)
        content = table, named, snapshot.digest
        if last is not None and last.sequence >= self.least and (last.parts, last.key_id, last.snapshot) == content:
            self.least = last.sequence
            return
        number = max(self.least, last.sequence if last is not None else 0) + 1
        manifest = Manifest(number, table, named, snapshot.digest, stamp_of(self.now()), _version())
        data = dumped(manifest)
        self._secrets.put_manifest(data, sign(self.key, data), signed.version if signed is not None else "")
        self.least = number

    def _last(self, signed: Signed | None) -> Manifest | None:
        """What is published, if we have signed it and can read it."""
        if signed is None:
            return None
        try:
            verify(self.key.public_key(), signed.signature, signed.data)
            return loaded(signed.data)
        except StoreError as error:
            self.say(f"published snapshot: what stands there is replaced: {error}")
            return None

    def _collect(self, named: frozenset[str], there: dict[str, str]) -> None:
        """Delete chunks that none of the last manifests names and that no follower can still be reading."""
        if not self._named or self._named[-1] != named:
            self._named.append(named)
        now, needed = self.clock(), frozenset[str]().union(*self._named)
        self._left = {name: self._left.get(name, now) for name in there if name not in named and name != MANIFEST}
        for name, since in list(self._left.items()):
            if name not in needed and now - since >= PUBLISHED_GRACE_SECONDS:
                self._secrets.delete(name, there[name])
                del self._left[name]
                self._whole.pop(name, None)


def _version() -> str:
    try:
        return version("setscrew")
    except PackageNotFoundError:
        return ""
