"""Owns the names of the guard's own API: group, version, the kinds of its levers. Must not read documents."""

from __future__ import annotations

from typing import Final

GROUP: Final = "setscrew.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
# The levers, by the API server's plural: objects that steer the guard itself.
LEVERS: Final = {"driftgrants": "DriftGrant", "driftpolicies": "DriftPolicy", "gitsources": "GitSource"}
