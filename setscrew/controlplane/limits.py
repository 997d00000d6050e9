"""Owns the waits and sizes of the control plane, unit in each name; must not hold behaviour."""

from __future__ import annotations

from typing import Final

# Binaries.
VERSION_SECONDS: Final = 15
"""A cold 100 MB binary on a busy disk takes seconds to print its version."""
DOWNLOAD_SECONDS: Final = 90
"""`setup-envtest` fetches some 80 MB; without a network it must not delay the build for long."""
PROGRESS_LINE_SECONDS: Final = 30
BUILD_TAIL_LINES: Final = 20

# Starting and stopping.
READY_SECONDS: Final = 90
"""Two seconds are usual; a loaded CI machine that starts several at once needs far more."""
POLL_SECONDS: Final = 0.05
STOP_GRACE_SECONDS: Final = 5.0
STOP_ALL_SECONDS: Final = 15
START_ATTEMPTS: Final = 4
LOG_TAIL_LINES: Final = 15
LOG_TAIL_BYTES: Final = 64 * 1024
STALE_SECONDS: Final = 60
"""A directory younger than this may belong to an owner that has not locked it yet."""

# Clients and certificates.
REQUEST_SECONDS: Final = 30
KUBECTL_SECONDS: Final = 120
CERTIFICATE_DAYS: Final = 30
TOKEN_SECONDS: Final = 24 * 3600
