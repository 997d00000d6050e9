"""Owns restoring: what is published, checked, becomes the snapshot file of this replica. Must not publish.

Nothing that is forged, older, cut or unreadable replaces what is there.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.errors import StoreError
from reconciler.limits import PUBLISHED_TRIES
from reconciler.published.manifest import DAMAGED, Manifest, Part, chunk_name, loaded, whole
from reconciler.published.parts import joined
from reconciler.published.secrets import Secrets, Signed
from reconciler.published.signing import Verifies, verify
from reconciler.snapshot.rows import key_id
from reconciler.store.snapshot_file import POINTER, publish

OLDER: Final = "SS6102"
OTHER_KEY: Final = "SS6106"
# Beside the snapshot files: what was restored last, so that nothing older is after a restart.
RESTORED: Final = "restored.json"


@dataclass(slots=True)
class Restorer:
    """`directory` is that of the snapshot files; `secret_key` the key of Secret values that this replica has.

    `least` is the number of a manifest that was published, as it is known elsewhere than there; raises ClusterError.
    """

    client: ApiClient
    public_key: Verifies
    directory: Path
    secret_key: bytes
    least: Callable[[], int] = lambda: 0
    _secrets: Secrets = field(init=False)
    _parts: dict[str, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._secrets = Secrets(self.client)

    def restore(self) -> bool:
        """Fetch what is published; False where nothing is, or where it is here already.

        Raises ClusterError, and StoreError for what must not replace the snapshot that is there: SS6101 forged, SS6102
        older than what was published or restored before, SS6103 a part is missing or damaged, SS6104 and SS6105 not for
        this version, SS6106 of another key of Secret values.
        """
        with self._lock:
            # Asked for first: a manifest that is published meanwhile has a higher number.
            least = self.least()
            signed = self._secrets.manifest()
            for left in reversed(range(PUBLISHED_TRIES)):
                if signed is None:
                    return False
                try:
                    return self._restore(signed, least)
                except StoreError as error:
                    # A chunk may go while it is read, but then another manifest stands there.
                    again = self._secrets.manifest()
                    if error.code != DAMAGED or not left or again is None or again.version == signed.version:
                        raise
                    signed = again
        return False

    def _restore(self, signed: Signed, least: int) -> bool:
        verify(self.public_key, signed.signature, signed.data)
        manifest, seen = loaded(signed.data), self._seen()
        digest = sha256(signed.data).hexdigest()
        if seen.get("manifest") == digest and self._is_current(str(seen.get("digest"))):
            return False
        known = max(least, int(seen.get("sequence") or 0))
        if manifest.sequence < known:
            raise StoreError(
                f"what is published is number {manifest.sequence}, and number {known} was published before",
                hint="the last good snapshot holds; the leader publishes a newer one",
                code=OLDER,
            )
        if manifest.key_id != key_id(self.secret_key):
            why = "what is published was made with another key of Secret values than the one at hand"
            raise StoreError(why, hint="all replicas take it from the Secret setscrew-values", code=OTHER_KEY)
        parts = {name: self._part(name, part) for name, part in manifest.parts.items()}
        made = publish(joined(parts, self.secret_key), self.directory)
        self._parts = {part.sha256: parts[name] for name, part in manifest.parts.items()}
        self._note(manifest, digest, made)
        return True

    def _part(self, name: str, part: Part) -> bytes:
        """A part that was fetched before is not fetched again."""
        held = self._parts.get(part.sha256)
        return held if held is not None else whole(name, part, [self._chunk(chunk) for chunk in part.chunks])

    def _chunk(self, name: str) -> bytes:
        data = self._secrets.chunk(name)
        if data is None or chunk_name(data) != name:
            why = "is missing" if data is None else "is not what it is named after"
            hint = "the last good snapshot holds; the leader writes it anew with the next snapshot"
            raise StoreError(f"a part of what is published {why}", where=name, hint=hint, code=DAMAGED)
        return data

    def _seen(self) -> dict[str, Any]:
        """What was restored last under this signing key; nothing where that is not known."""
        try:
            found = json.loads((self.directory / RESTORED).read_bytes())
            int(found["sequence"])
        except (OSError, ValueError, TypeError, LookupError):
            return {}
        return dict(found) if found.get("key") == self._key else {}

    def _is_current(self, digest: str) -> bool:
        try:
            found = json.loads((self.directory / POINTER).read_bytes())
            return bool(found["digest"] == digest) and (self.directory / f"{digest}.sqlite").is_file()
        except (OSError, ValueError, TypeError, LookupError):
            return False

    def _note(self, manifest: Manifest, digest: str, made: str) -> None:
        seen = {"key": self._key, "sequence": manifest.sequence, "manifest": digest, "digest": made}
        temporary = self.directory / f"{RESTORED}.new"
        try:
            temporary.write_text(json.dumps(seen))
            temporary.replace(self.directory / RESTORED)
        except OSError as error:
            raise StoreError(f"what was restored cannot be noted: {error.strerror}", where=str(temporary)) from error

    @property
    def _key(self) -> str:
        return sha256(self.public_key.public_bytes_raw()).hexdigest()
