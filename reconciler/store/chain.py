"""Owns the hash chain of decision records: its links, and its head, which is kept beside the database.

Each record's hash covers the hash before it, so a record that is changed, added or taken out anywhere breaks the chain.
What is cut off at the end breaks nothing: therefore the head (number and hash of the last record) also stands in
`audit-head.json`. Removing records from the front would leave the head of what was removed as the new beginning.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from reconciler.store.private_file import write_private
from reconciler.store.state import State

HEAD_FILE: Final = "audit-head.json"


@dataclass(frozen=True, slots=True)
class Head:
    """The last record: its number and its hash (64 hex digits)."""

    seq: int
    hash: str

    def then(self, body: str) -> Head:
        """The head once a record with this body, as it is stored, has been added."""
        link = f"{self.hash}\n{self.seq + 1}\n{body}"
        return Head(self.seq + 1, hashlib.sha256(link.encode()).hexdigest())


def beginning(cluster: str) -> Head:
    """The head of a chain without records. Each cluster has its own, so records of one do not fit into another's."""
    return Head(0, hashlib.sha256(f"setscrew decisions of {cluster}".encode()).hexdigest())


def noted_head(state: State) -> Head | None:
    """The head as it stands beside the database; None where there is none or it cannot be read."""
    path = _path(state)
    noted = _noted(path).get(state.cluster) if path else None
    try:
        return Head(int(noted["seq"]), str(noted["hash"])) if noted else None
    except (KeyError, TypeError, ValueError):
        return None


def note_head(state: State, head: Head) -> None:
    """Keep the head beside the database, whole or not at all (0600). Raises StoreError."""
    path = _path(state)
    if path is None:
        return
    write_private(path, json.dumps({**_noted(path), state.cluster: asdict(head)}) + "\n")


def _noted(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _path(state: State) -> Path | None:
    """Beside an SQLite file; a database server has no such place."""
    url = state.engine.url
    return Path(url.database).with_name(HEAD_FILE) if url.get_backend_name() == "sqlite" and url.database else None
