"""Owns the names of what is the guard's own in a cluster: its API, its registration, its identities. No documents."""

from __future__ import annotations

from typing import Final

GROUP: Final = "setscrew.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
# The levers, by the API server's plural: objects that steer the guard itself.
LEVERS: Final = {"driftgrants": "DriftGrant", "driftpolicies": "DriftPolicy", "gitsources": "GitSource"}
# The ValidatingWebhookConfiguration, the end of its entries' names, and the mark of the off-switch on it.
REGISTRATION: Final = "setscrew"
ENTRY_SUFFIX: Final = f".guard.{GROUP}"
OFF: Final = f"{GROUP}/off"
# Where it is installed, and its accounts that only dry-run: one learns what would be stored, one must be refused.
NAMESPACE: Final = "setscrew-system"
DRY_RUNNERS: Final = ("setscrew-canonicalizer", "setscrew-canary")
# How the API server begins the user name of a service account; NAMESPACE:NAME follows.
SERVICE_ACCOUNT: Final = "system:serviceaccount:"
CANONICALIZER: Final = f"{SERVICE_ACCOUNT}{NAMESPACE}:{DRY_RUNNERS[0]}"
CANARY: Final = f"{SERVICE_ACCOUNT}{NAMESPACE}:{DRY_RUNNERS[1]}"
