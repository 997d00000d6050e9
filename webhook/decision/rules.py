"""Owns the table of what each subresource is to us. Must not judge.

Rules of this file: every subresource that Kubernetes serves has a row; what has none is undecidable, never admitted by
accident; the API server's own words are used.
"""

from __future__ import annotations

from typing import Final, Literal

Handling = Literal["object", "replicas", "metadata", "finalize", "record", "ignore"]

SUBRESOURCES: Final[dict[str, Handling]] = {
    "": "object",
    "scale": "replicas",
    "status": "metadata",
    "resize": "object",
    "finalize": "finalize",
    # Allowed and recorded: a person's change to a running Pod, not to what Git declares.
    "ephemeralcontainers": "record",
    "binding": "record",
    # Not configuration.
    "eviction": "ignore",
    "token": "ignore",
    "exec": "ignore",
    "attach": "ignore",
    "portforward": "ignore",
    "proxy": "ignore",
    "log": "ignore",
    "approval": "ignore",
}
