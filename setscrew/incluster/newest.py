"""Owns the number of the newest published manifest, where nobody may write it who may only write what is published.

By it a replica that has restored nothing yet knows an old manifest from the newest one. Must not read a manifest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.secrets import read_keys
from reconciler.model.own import NAMESPACE, NEWEST_MANIFEST, SIGNING

_PATH: Final = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{SIGNING}"
_NUMBER: Final = re.compile(rb"[0-9]{1,18}")


@dataclass(slots=True)
class Newest:
    """It stands beside the public key. All methods raise ClusterError."""

    client: ApiClient
    _noted: int = 0

    def number(self) -> int:
        """What was noted last; 0 where nothing is."""
        found = read_keys(self.client, "ConfigMap", NAMESPACE, SIGNING) or {}
        text = found.get(NEWEST_MANIFEST, b"")
        return int(text) if _NUMBER.fullmatch(text) else 0

    def note(self, number: int) -> None:
        """For the leader, after that manifest was published: before it, nobody could restore anything."""
        if number != self._noted:
            body = {"data": {NEWEST_MANIFEST: str(number)}}
            self.client.request("PATCH", _PATH, body, content_type="application/merge-patch+json")
            self._noted = number
