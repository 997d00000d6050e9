"""Owns every limit with its unit; must not hold policy or behaviour."""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# Admission. Two objects of 3 MiB and an envelope fit; the API server sends no more.
REVIEW_BODY_BYTES: Final = 8 * MIB
REVIEW_THREAD_BYTES: Final = 256 * KIB
REVIEW_DEPTH: Final = 200
DENIAL_PATHS: Final = 10
DENIAL_VALUE_CHARS: Final = 120
DENIAL_MESSAGE_CHARS: Final = 4096
WEBHOOK_TIMEOUT_SECONDS: Final = 3
REFRESH_MARGIN_SECONDS: Final = 0.3
ADMISSION_KEEPALIVE_SECONDS: Final = 120
SNAPSHOT_POLL_SECONDS: Final = 0.1

# Receivers.
PUSH_BODY_BYTES: Final = 5 * MIB
PUSH_SECRET_BYTES: Final = 16

# Rendering.
FILE_BYTES: Final = 5 * MIB
INPUT_BYTES: Final = 20 * MIB
INPUT_FILES: Final = 5_000
RENDERED_BYTES: Final = 64 * MIB
RENDERED_OBJECTS: Final = 20_000
OBJECT_BYTES: Final = 3 * MIB // 2
RENDER_WALL_SECONDS: Final = 90
RENDER_CPU_SECONDS: Final = 60
RENDER_MEMORY_BYTES: Final = 2 * 1024 * MIB
YAML_DEPTH: Final = 100
YAML_NODES: Final = 1_000_000
YAML_ALIASES: Final = 100
YAML_DOCUMENTS: Final = 1_000

# Git.
GIT_SECONDS: Final = 60

# The server engine: dry-runs a second, and how many at a time.
DRY_RUNS_PER_SECOND: Final = 50
DRY_RUNS_AT_ONCE: Final = 4
