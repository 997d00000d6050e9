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

# In a cluster: the account of the pods, and the one that puts back what drifts.
RECONCILER_ACCOUNT: Final = "setscrew-reconciler"
HEALER_ACCOUNT: Final = "setscrew-healer"
# The Services of the pods, and the port by which the API server calls the first.
ADMISSION_SERVICE: Final = "setscrew-admission"
ADMISSION_SERVICE_PORT: Final = 443
API_SERVICE: Final = "setscrew-api"
# Who leads: the Lease, and the label by which the leader's pod is found.
LEASE: Final = "setscrew"
ROLE_LABEL: Final = f"{GROUP}/role"
LEADER: Final = "leader"
FOLLOWER: Final = "follower"
# On each Pod: the snapshot that it judges with.
SNAPSHOT_NOTE: Final = f"{GROUP}/snapshot"
# Keys that all replicas share, as Secrets of NAMESPACE; the public half of the signing key is a ConfigMap.
VALUES_SECRET: Final = "setscrew-values"  # noqa: S105 - the name of one
VALUES_FILE: Final = "secret-values.key"
SIGNING: Final = "setscrew-signing"
PRIVATE_FILE: Final = "private.pem"
PUBLIC_FILE: Final = "public.pem"
# Beside it: the number of the newest published manifest.
NEWEST_MANIFEST: Final = "newest-manifest"
TLS_SECRET: Final = "setscrew-tls"  # noqa: S105 - the name of one
# Published snapshots, mailboxes ("look at Git now", of one replica) and records of followers have their own namespace.
SNAPSHOTS_NAMESPACE: Final = "setscrew-snapshots"
SNAPSHOT_TYPE: Final = f"{GROUP}/snapshot"
MANIFEST: Final = "manifest"
MAILBOX: Final = "refresh-"
RECORDS: Final = "records-"
# The policy that guards what is ours and no lever, its ConfigMap of who may change it, and the groups that always may.
OWN_GUARD: Final = "setscrew-levers"
INSTALLERS: Final = "setscrew:installers"
GRANTORS: Final = "setscrew:grantors"
