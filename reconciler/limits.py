"""Owns every limit with its unit; must not hold policy or behaviour."""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# Admission. A body that is refused is an unguarded write under `failurePolicy: Ignore`, so no object that etcd takes
# (1.5 MiB) may make one: the API server writes `<`, `&` and control characters as six bytes, and names of members,
# which etcd holds for custom resources only. Both count little against REVIEW_BODY_BYTES; on the wire it is 18 MiB.
REVIEW_BODY_BYTES: Final = 8 * MIB
REVIEW_NAME_BYTES: Final = 16
REVIEW_WIRE_BYTES: Final = 19 * MIB
REVIEW_THREAD_BYTES: Final = 256 * KIB
REVIEW_DEPTH: Final = 200
DENIAL_PATHS: Final = 10
# A refusal names so many paths to programs: whoever asks for thousands must not make the answer late.
DENIAL_CAUSES: Final = 100
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
# What git prints, and any one file that a fetch writes: a few KiB of tree objects can name a billion files.
GIT_OUTPUT_BYTES: Final = 64 * MIB
GIT_PACK_BYTES: Final = 1024 * MIB
# Commits of one source that are remembered, the current one among them; a moving source is fetched so deep.
REVISIONS_KEPT: Final = 10
# Of the commits that one push has brought beside its newest, so many of the newest are rendered: a writer waits.
REVISIONS_RENDERED: Final = 3
# Earlier forms of objects in one snapshot, those of the newest revisions first.
EARLIER_FORMS: Final = 10_000
# The answer to a waiting writer: each line, why one source could not be read, and how many sources say so.
LOOK_LINE_BYTES: Final = MIB
LOOK_REASON_CHARS: Final = 300
LOOK_REASONS: Final = 20
# How long a GitOps writer may take to put back what it has deleted, and how many deletes are waited for.
DELETE_SETTLE_SECONDS: Final = 10
DELETES_PENDING: Final = 1_000
# How long a waiting writer waits for server forms while others are being asked for.
QUICK_FORMS_SECONDS: Final = 1.0

# The server engine: dry-runs a second, and how many at a time.
DRY_RUNS_PER_SECOND: Final = 50
DRY_RUNS_AT_ONCE: Final = 4

# Items of a list without order that differ in spelling are tried with each other; beyond so many pairs they differ.
COMPARED_PAIRS: Final = 10_000
# Changes that one comparison lists. An object that differs in more places is called different as a whole, by name.
COMPARED_CHANGES: Final = 200

# The drift report. Values are cut for people; whoever needs all of a value reads the object itself.
REPORT_VALUE_CHARS: Final = 1024
REPORT_ITEMS: Final = 200
REPORT_DEPTH: Final = 30
REPORT_CHANGES: Final = 200
# Problems of the desired state that a report lists; the log of the reconciler has them all.
REPORT_PROBLEMS: Final = 50
REPORT_PAGE: Final = 100
REPORT_PAGE_MAX: Final = 1_000
REPORT_STALE_SECONDS: Final = 900

# The state store.
STATE_BUSY_SECONDS: Final = 10
DELIVERIES_KEPT: Final = 10_000
DELIVERY_HOURS: Final = 24
DECISION_LINE_BYTES: Final = 64 * KIB

# Receivers, continued: whole read of a body, and the token bucket of one receiver.
PUSH_READ_SECONDS: Final = 30
# GitHub sends up to 25 MB; what is larger than a push may be is dropped unkept up to here.
PUSH_DISCARD_BYTES: Final = 32 * MIB
PUSH_DISCARD_SECONDS: Final = 5
POKE_SECONDS: Final = 1
PUSH_REFS: Final = 1_000
PUSH_RATE_PER_SECOND: Final = 10
PUSH_BURST: Final = 50

# The admission listener. A client that is silent this long is let go, so that it holds no place.
ADMISSION_WORKERS: Final = 2
ADMISSION_CONNECTIONS: Final = 2_000
HANDSHAKE_SECONDS: Final = 5
HEADER_SECONDS: Final = 5
REVIEW_THREADS: Final = 2
REVIEW_HELD_BYTES: Final = 64 * MIB
DRAIN_SECONDS: Final = 2.0
DECISION_QUEUE: Final = 1_000
DECISION_GROUPS: Final = 32
DECISION_NAME_CHARS: Final = 512
DECISION_EXTRAS: Final = 16
# A record that is larger than a line may be is cut to so many characters a text and items a list: that always fits.
DECISION_CUT_CHARS: Final = 64
DECISION_CUT_ITEMS: Final = 5
# Records that one transaction of the state store takes.
DECISION_BATCH: Final = 500

# Certificates of the admission listener: renewed at two thirds of their life, valid a little before they are made.
CA_DAYS: Final = 365
SERVING_DAYS: Final = 7
CLOCK_SKEW_SECONDS: Final = 300

# The client of the API server. A dry-run may wait for several webhooks of 10 seconds each.
API_CONNECT_SECONDS: Final = 5
API_SECONDS: Final = 60
API_CONNECTIONS: Final = 8
API_MESSAGE_CHARS: Final = 600
LIST_PAGE_OBJECTS: Final = 500
# Up to so many objects of one kind and namespace are read one by one, more by listing.
LIST_FROM_OBJECTS: Final = 5
# The server engine tries again after 429, 5xx and lost connections; the waits double from the first.
DRY_RUN_TRIES: Final = 4
DRY_RUN_FIRST_WAIT_SECONDS: Final = 0.25
DRY_RUN_LONGEST_WAIT_SECONDS: Final = 10.0

# Grants: how long one lasts, its words, one grant as it is stored; how many hold at a time, and the file of them all.
GRANT_HOURS: Final = 8
GRANT_ENTRIES: Final = 100
GRANT_TEXT_CHARS: Final = 1024
GRANT_BYTES: Final = 64 * KIB
GRANTS_IN_FORCE: Final = 200
GRANTS_FILE_BYTES: Final = 16 * MIB

# The API listener. A client that is silent this long in the middle of a request is let go.
API_THREADS: Final = 16
API_SILENT_SECONDS: Final = 5
API_KEEPALIVE_SECONDS: Final = 5
API_DRAIN_SECONDS: Final = 5
API_BACKLOG: Final = 128

# A form that the server would not give is asked for again after this long, then twice as long each time.
FORM_RETRY_SECONDS: Final = 2
FORM_RETRY_SECONDS_MOST: Final = 300
# The API server needs up to a second to act by a new or removed mutator: until then its answers are those of before.
SERVER_SETTLE_SECONDS: Final = 3
# Forms that are asked for before the snapshot is published anew, and how many of them a waiting writer waits for.
FORMS_AT_ONCE: Final = 250
FORMS_QUICKLY: Final = 25
# New objects that are looked at in the cluster before the snapshot with them is published; more wait for a scan.
SIGHTS_QUICKLY: Final = 250
# How long `setscrew enforce` waits for the reconciler, which may be busy with a look at Git.
SWITCH_SECONDS: Final = 90
