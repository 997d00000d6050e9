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
# Members of objects that are larger on both sides are compared part by part before they are decoded.
REVIEW_SPLIT_BYTES: Final = 64 * KIB
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
PUSH_BODY_BYTES_MOST: Final = 25 * MIB
PUSH_SECRET_BYTES: Final = 16
PUSH_REF_BYTES: Final = 255
PUSH_URL_CHARS: Final = 2_048
PUSH_DELIVERY_CHARS: Final = 200
PUSH_EVENT_CHARS: Final = 50
# How far the time that a sender has signed may be from ours.
PUSH_CLOCK_SECONDS: Final = 300
# How often files of secrets are looked at, and how long a push waits for the store to remember it.
PUSH_SECRETS_SECONDS: Final = 1.0
PUSH_STORE_SECONDS: Final = 0.3
PUSH_READ_SECONDS: Final = 30  # the whole of a body
# GitHub sends up to 25 MB; what is larger than a push may be is dropped unkept up to here.
PUSH_DISCARD_BYTES: Final = 32 * MIB
PUSH_DISCARD_SECONDS: Final = 5
POKE_SECONDS: Final = 0.5
PUSH_REFS: Final = 1_000
PUSH_RATE_PER_SECOND: Final = 10
PUSH_BURST: Final = 50

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
RENDER_PROCESSES: Final = 64
RENDER_OPEN_FILES: Final = 256
RENDERS_AT_ONCE: Final = 4
# The packed sub-charts of a chart, each of which is a file of Git: what they unpack to with all that is packed in them,
# how many files that is, and how much it may grow. Up to FILE_BYTES it may as it likes: nearly empty templates shrink.
CHART_UNPACKED_BYTES: Final = 100 * MIB
CHART_ENTRIES: Final = 10_000
CHART_RATIO: Final = 100
CHARTS_DEEP: Final = 5
# Kustomizations that lead to each other.
BASES_DEEP: Final = 50
RENDER_CACHE_BYTES: Final = 1024 * MIB
YAML_DEPTH: Final = 100
YAML_NODES: Final = 1_000_000
YAML_ALIASES: Final = 100
YAML_DOCUMENTS: Final = 1_000
# Git.
GIT_SECONDS: Final = 60
# What git prints, and any one file that a fetch writes: a few KiB of tree objects can name a billion files.
GIT_OUTPUT_BYTES: Final = 64 * MIB
GIT_PACK_BYTES: Final = 256 * MIB
REPOSITORY_FILES: Final = 50_000
# Proof of a GitHub App (the host takes ten minutes at most), how long before its end a token is asked for anew, and how
# long the host may take.
APP_STATEMENT_SECONDS: Final = 480
APP_TOKEN_MARGIN_SECONDS: Final = 300
APP_SECONDS: Final = 20
# One key of a Secret; Kubernetes takes 1 MiB for all of them.
SECRET_BYTES: Final = MIB
# A source that failed is looked at again after the first, then twice as long each time, but never more rarely than it
# wants to be; waits vary by a part of them, so that sources do not move in step.
SOURCE_RETRY_SECONDS: Final = 5
SOURCE_RETRY_SECONDS_MOST: Final = 900
SOURCE_JITTER: Final = 0.1
# A source that Git could not be asked about for so many of its intervals, and at least so long, is stale.
SOURCE_STALE_INTERVALS: Final = 3
SOURCE_STALE_SECONDS: Final = 900
# A revision that loses more than half of a source's objects is held, if they are at least so many, or all.
SOURCE_LOST_OBJECTS: Final = 5
# How many sources are read at a time.
SOURCES_AT_ONCE: Final = 4
# Commits of one source that are remembered, the current one among them; a moving source is fetched so deep.
REVISIONS_KEPT: Final = 10
# Signatures: a commit or tag, the signature in it, one call of gpg; the weakest RSA key of an SSH signature.
SIGNED_OBJECT_BYTES: Final = MIB
SIGNATURE_BYTES: Final = 64 * KIB
SIGNATURE_SECONDS: Final = 20
SIGNING_RSA_BITS: Final = 3072
# How deep a mirror becomes where every commit must be signed (the last step is all of it), and how many are checked.
HISTORY_STEPS: Final = (50, 500, 2**31 - 1)
STRICT_COMMITS: Final = 5_000
# Of the commits that one push has brought beside its newest, so many of the newest are rendered: a writer waits.
REVISIONS_RENDERED: Final = 3
# Earlier forms of objects in one snapshot, those of the newest revisions first.
EARLIER_FORMS: Final = 10_000
# A question to the reconciler, over its socket.
QUESTION_BYTES: Final = 64 * KIB
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
# A document inside a string: compared as text beyond these, and read in a thread where it is too big for a loop.
EMBEDDED_BYTES: Final = 512 * KIB
EMBEDDED_NODES: Final = 50_000
EMBEDDED_LOOP_BYTES: Final = 16 * KIB
STRAY_CONFIG_BYTES: Final = 64 * KIB  # a ConfigMap that Git does not declare, for rules about GPU classes
# The drift report. Values are cut for people; whoever needs all of a value reads the object itself.
REPORT_VALUE_CHARS: Final = 1024
REPORT_ITEMS: Final = 200
REPORT_DEPTH: Final = 30
REPORT_CHANGES: Final = 200
# Problems of the desired state that a report lists; the log of the reconciler has them all.
REPORT_PROBLEMS: Final = 50
REPORT_PAGE: Final = 100
REPORT_PAGE_MAX: Final = 1_000
# Of a list so many findings are sent before the others are read.
REPORT_FIRST: Final = 20
REPORT_STALE_SECONDS: Final = 900
# One answer with all findings; more of them are read page by page. A page is cut from a list that stays as it was for
# a while, packed: so many lists at once, in so many bytes.
REPORT_BYTES: Final = 50 * MIB
REPORT_LIST_SECONDS: Final = 300
REPORT_LISTS: Final = 8
REPORT_LISTS_BYTES: Final = 64 * MIB
# What may be asked: characters of one parameter, requirements of a label selector, label columns of a summary.
REPORT_PARAMETER_CHARS: Final = 1024
REPORT_SELECTORS: Final = 20
REPORT_LABELS: Final = 10
# Who is named in a row of the summary, and how far back refused changes are counted unless told otherwise.
REPORT_WRITERS: Final = 3
REPORT_DENIALS_SECONDS: Final = 86_400
# What code hosts take of one SARIF run, and what they show of it; results of one OpenReports object (under 1 MiB).
SARIF_RESULTS: Final = 25_000
SARIF_SHOWN: Final = 5_000
OPENREPORTS_RESULTS: Final = 500
# What happened to findings: events of one object and of all, and findings that are over; paths that an event names.
HISTORY_OF_OBJECT: Final = 100
HISTORY_KEPT: Final = 100_000
HISTORY_PATHS: Final = 10
RESOLVED_KEPT: Final = 10_000
# Days of which is kept how much drift was found and resolved and how many changes were refused.
DAYS_KEPT: Final = 30
# Objects that Git has dropped and that are still there: the newest are remembered, and looked at so often.
DROPPED_KEPT: Final = 10_000
ORPHANS_SECONDS: Final = 15.0
# How often the labels of the namespaces are read.
NAMESPACES_SECONDS: Final = 30.0
# Owners: a file of code owners, its lines, one pattern; labels of a namespace and what one says. The patterns of such a
# file take at most 32 MiB of memory, and a path some milliseconds.
CODEOWNERS_BYTES: Final = MIB
CODEOWNERS_RULES: Final = 20_000
CODEOWNERS_PATTERN_CHARS: Final = 512
OWNER_LABELS: Final = 64
OWNER_CHARS: Final = 256
# Records of decisions about one object that are held against what differs on it.
ATTRIBUTED_RECORDS: Final = 50
# The state store. What each connection keeps of the file: by default it grows with the file up to 2 MiB.
STATE_BUSY_SECONDS: Final = 10
STATE_CACHE_KIB: Final = 256
# And so many statements: by default 128, of some 10 KB each, most of which differ only in how many ids they name.
STATE_STATEMENTS: Final = 16
STATE_CONNECTIONS: Final = 2
DELIVERIES_KEPT: Final = 10_000
DELIVERY_HOURS: Final = 24
DECISION_LINE_BYTES: Final = 64 * KIB

# The admission listener. A client that is silent this long is let go, so that it holds no place.
ADMISSION_WORKERS: Final = 2
ADMISSION_CONNECTIONS: Final = 2_000
HANDSHAKE_SECONDS: Final = 5
HEADER_SECONDS: Final = 5
# How often a worker shows that its loop turns, and lets memory go that nobody needs.
BEAT_SECONDS: Final = 0.25
TIDY_SECONDS: Final = 10.0
# Reviews in hand in one worker: a waiting writer is one, and the API server by itself sends at most 200 at a time.
ADMISSION_REVIEWS: Final = 1_000
# The port of the metrics: scrapers at a time, how long one may be silent, and what a request of it may hold.
METRICS_CONNECTIONS: Final = 16
METRICS_SILENT_SECONDS: Final = 5
METRICS_HEAD_BYTES: Final = 8 * KIB
REVIEW_THREADS: Final = 2
# How long a thread may keep the interpreter from others: one with a big review from the loop with the small ones, a
# full pass from what is found as it happens, which would wait so long again and again at each request.
THREAD_SWITCH_SECONDS: Final = 0.0005
# Threads of the fall-back worker: a writer that waits for Git holds one.
ADMISSION_THREADS: Final = 64
REVIEW_HELD_BYTES: Final = 64 * MIB
DRAIN_SECONDS: Final = 5.0
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
# How often they are looked at, and how soon what could not be renewed is tried again.
CERTIFICATE_LOOK_SECONDS: Final = 1
RENEWAL_RETRY_SECONDS: Final = 5
# How often it is told that they cannot be renewed.
CERTIFICATE_TOLD_SECONDS: Final = 60
# A new pair of files is served when it has stood this long: the API server has its authority by then.
TLS_SETTLE_SECONDS: Final = 5
# Authorities that left a bundle are trusted on until the certificate beside it has been of the new ones for so long.
CA_OVERLAP_SECONDS: Final = 600
RSA_BITS: Final = 2048
# The registration: how long a new snapshot waits for it, how often it is looked at besides being watched, and tried
# again after a failure or while it stays away; how often that is told, and how long what is starting may take before it
# is. A probe of the admission server.
REGISTRATION_WAIT_SECONDS: Final = 3.0
REGISTRATION_LOOK_SECONDS: Final = 10.0
REGISTRATION_RETRY_SECONDS: Final = 1.0
REGISTRATION_TOLD_SECONDS: Final = 60.0
REGISTRATION_PATIENCE_SECONDS: Final = 5.0
PROBE_SECONDS: Final = 1.0
# Restored so often within the time between two lines, it has an opponent: from then on at most every few seconds.
REGISTRATION_FIGHTS: Final = 5
REGISTRATION_FIGHT_SECONDS: Final = 5.0
# etcd takes 1.5 MiB. A larger registration names no namespaces, so that more writes are asked about, and none less.
REGISTRATION_BYTES: Final = 768 * KIB
# The API server takes 64 conditions an entry, and compiles them at the first write after a change: a tenth of a second
# for 1,000 names. What is over either limit has no condition, so that more writes are asked about.
REGISTRATION_CONDITIONS: Final = 60
REGISTRATION_CONDITION_CHARS: Final = 48 * KIB
# Watching: how long one watch lasts (less than API_SECONDS, so that silence is no error), one that is to show whether
# watching works again, and the first and longest wait after one that broke.
WATCH_SECONDS: Final = 45
WATCH_RETRY_SECONDS: Final = 0.1
WATCH_RETRY_SECONDS_MOST: Final = 5.0
WATCH_PROBE_SECONDS: Final = 1
# A full pass over the cluster: while all is watched, while something cannot be, and after one that could not read all.
# After REPORT_STALE_SECONDS the last one is no report of the present, so the next has ended by then.
PASS_SECONDS: Final = 300.0
PASS_SECONDS_MOST: Final = 600.0
PASS_UNWATCHED_SECONDS: Final = 30.0
PASS_FAILED_SECONDS: Final = 5.0
# It reads objects by kind and namespace, at least so many before it compares them, and then lets them go.
PASS_READ_AT_ONCE: Final = 500
# It compares, and stores what it has found, so many objects at a time, and between two of these others have their turn:
# a moment whoever they are, and looks at what has just changed until they end, but not for long, nor for ever in all.
PASS_AT_ONCE: Final = 10
PASS_PAUSE_SECONDS: Final = 0.001
PASS_YIELDS_SECONDS: Final = 0.05
PASS_YIELDS_SECONDS_MOST: Final = 90.0
LEDGER_AT_ONCE: Final = 50
# Memory that was let go is given back so often, and what a new snapshot has brought is kept from the collector.
TRIM_SECONDS: Final = 30.0
# Objects that no source declares are counted so often, and so soon after Git declares other ones.
UNMANAGED_SECONDS: Final = 600.0
UNMANAGED_AGAIN_SECONDS: Final = 30.0
# What else decides forms and cannot be watched is looked at so often.
REDISCOVER_SECONDS: Final = 30.0
# Detection: an object that is gone may come back at once, as it does where it is replaced; so many changed objects are
# looked at together, and so many of one kind and namespace one by one; how long the first pass waits for lists; how
# often it is noted up to when the watch is current; how soon what could not be read is read again, and how often who
# uses the classes of findings. One connection a kind stays open; of more than so many kinds each is made anew.
DETECT_CONNECTIONS: Final = 64
DETECT_GONE_SECONDS: Final = 0.5
DETECT_AT_ONCE: Final = 500
# Of these, so many are the newest: a drift of now does not wait for all that another revision has changed. Where that
# is more than so many, a full pass compares them.
DETECT_NEWEST: Final = 100
DETECT_MOST: Final = 4 * DETECT_AT_ONCE
DETECT_ONE_BY_ONE: Final = 100
# What was looked at is stored so many objects at a time: the first of a long queue do not wait for the last.
DETECT_STORED: Final = 25
DETECT_LIST_SECONDS: Final = 10.0
DETECT_NOTE_SECONDS: Final = 1.0
DETECT_RETRY_SECONDS: Final = 5.0
DETECT_USERS_SECONDS: Final = 10.0
# A watch that is well gives a sign at least once in WATCH_SECONDS.
REPORT_CURRENT_SECONDS: Final = 120
# Nobody knows what is still to come: by more than this a clock was wrong, then or now.
REPORT_AHEAD_SECONDS: Final = 60
# The client of the API server. A dry-run may wait for several webhooks of 10 seconds each.
API_CONNECT_SECONDS: Final = 5
# Levels of an answer that is too deep for a decoder; what is below is not read.
API_DEPTH: Final = 200
API_SECONDS: Final = 60
API_CONNECTIONS: Final = 8
API_MESSAGE_CHARS: Final = 600
# What is read of the error that answers a stream.
API_ERROR_BYTES: Final = 64 * KIB
LIST_PAGE_OBJECTS: Final = 500
# Up to so many objects of one kind and namespace are read one by one, more by listing; so many requests at a time.
LIST_FROM_OBJECTS: Final = 5
READS_IN_FLIGHT: Final = 4
# The server engine tries again after 429, 5xx and lost connections; the waits double from the first.
DRY_RUN_TRIES: Final = 4
DRY_RUN_FIRST_WAIT_SECONDS: Final = 0.25
DRY_RUN_LONGEST_WAIT_SECONDS: Final = 10.0
# Objects of our own kinds in a cluster: characters of a text, a name, a kind; entries of a list, and of a long one.
OBJECT_TEXT_CHARS: Final = 1024
OBJECT_NAME_CHARS: Final = 253
OBJECT_KIND_CHARS: Final = 320
OBJECT_ENTRIES: Final = 100
OBJECT_ENTRIES_MOST: Final = 1_000
# How far from 0 the priority of a policy may be.
POLICY_PRIORITY: Final = 1_000_000_000
# How long changes of such objects are waited out, so that what is applied together counts together; how often they are
# read besides being watched, and tried at first, once a second; how often their status is looked at. Status writes a
# second, and how often one is written of which only the time is new.
CONFIGURED_SETTLE_SECONDS: Final = 0.2
CONFIGURED_SECONDS: Final = 30.0
CONFIGURED_TRIES: Final = 10
STATUS_LOOK_SECONDS: Final = 1.0
STATUS_WRITES_PER_SECOND: Final = 5.0
STATUS_TIME_SECONDS: Final = 60.0
# Grants: how long one lasts, its words, one grant as it is stored; how many hold at a time, and the file of them all.
GRANT_HOURS: Final = 8
GRANT_ENTRIES: Final = 100
GRANT_TEXT_CHARS: Final = 1024
GRANT_BYTES: Final = 64 * KIB
GRANTS_IN_FORCE: Final = 200
GRANTS_FILE_BYTES: Final = 16 * MIB
# How long a command waits until the leader says what has become of a grant in the cluster.
GRANT_ANSWER_SECONDS: Final = 5.0
# The API listener. A client that is silent this long in the middle of a request is let go.
API_THREADS: Final = 16
# Streams of events hold a thread each: how many at once, for how long one lasts, how often it looks, and after which
# silence it gives a sign of life. For how long a client may take nothing of what it is sent.
API_STREAMS: Final = 4
API_STREAM_SECONDS: Final = 600.0
API_STREAM_LOOK_SECONDS: Final = 1.0
API_STREAM_BEAT_SECONDS: Final = 15.0
API_STALLED_SECONDS: Final = 30
# How far the API server steps back behind the admission server where both want the CPU: strangers can keep it busy.
API_NICENESS: Final = 5
# Who reads by the word of the cluster: for how long that holds, how long an answer may take, for how long nobody is
# known by a token; of how many tokens it is remembered, how long
# one may be, how many are asked about (a second, and at once), and in how many namespaces.
CALLER_SECONDS: Final = 60.0
CALLER_ANSWER_SECONDS: Final = 5.0
CALLER_UNKNOWN_SECONDS: Final = 10.0
CALLERS_KEPT: Final = 1_000
CALLER_TOKEN_BYTES: Final = 16 * KIB
CALLERS_PER_SECOND: Final = 5.0
CALLERS_AT_ONCE: Final = 20
CALLER_NAMESPACES: Final = 1_000
CALLER_THREADS: Final = 8
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
FORMS_AT_ONCE: Final = 500
FORMS_QUICKLY: Final = 25
# New objects that are looked at in the cluster before the snapshot with them is published; more wait for a scan.
SIGHTS_QUICKLY: Final = 250
# How long `setscrew enforce` waits for the reconciler, which may be busy with a look at Git.
SWITCH_SECONDS: Final = 90
# Spans of blindness and writes that slipped through: how many are remembered, and what one span names.
BLIND_SPANS_KEPT: Final = 1_000
BLIND_ENTRIES: Final = 100
BLIND_SHOWN: Final = 10
SLIPPED_KEPT: Final = 10_000
# The canary: seconds between two rounds, entries proved in one, objects tried for an entry before it has to wait.
CANARY_SECONDS: Final = 60
CANARY_ENTRIES: Final = 5
CANARY_OBJECTS: Final = 5
# The API server learns of a registration, and workers of a snapshot, a moment after it is written: nothing is proved
# before. What keeps changing is proved all the same after the longer wait.
CANARY_SETTLE_SECONDS: Final = 5
CANARY_SETTLE_SECONDS_MOST: Final = 30
CANARY_AGAIN_SECONDS: Final = 1.0  # an admitted change is tried again then, before it is called blindness
# How often the API server's counters are read, and its audit log; one event of it, and those remembered by name.
FAIL_OPEN_SECONDS: Final = 20
AUDIT_LOG_SECONDS: Final = 1.0
AUDIT_LINE_BYTES: Final = 32 * MIB
AUDIT_NAMED: Final = 100
# Definitions of other tools: how often they are read besides being watched, and how long a change is waited out.
ADOPT_SECONDS: Final = 30.0
ADOPT_SETTLE_SECONDS: Final = 0.3
ADOPTED_SOURCES: Final = 500
# Definitions that definitions declare: so many steps from one that is in the cluster, or from a configured source.
ADOPTED_DEPTH: Final = 3
# The published census of GPU users: the file, its classes, and the namespaces and examples that a class names.
CENSUS_FILE_BYTES: Final = 16 * MIB
CENSUS_CLASSES: Final = 10_000
CENSUS_TENANTS: Final = 5
CENSUS_EXAMPLES: Final = 3
# It is published at most so often, in this part of its thread's time, and anew after so long: it says when it was true.
CENSUS_SECONDS: Final = 2.0
CENSUS_SHARE: Final = 0.05
CENSUS_REFRESH_SECONDS: Final = 60.0
# How often it is looked whether anything has changed, and how long a revision waits until all is listed once.
INVENTORY_LOOK_SECONDS: Final = 0.5
INVENTORY_WAIT_SECONDS: Final = 2.0
# Kubernetes Events: the same thing is told once in so many seconds, so many are written a second, so many wait to be
# written or are remembered as told. A note takes 1 KiB at the API server; paths that it names, and how long one may be.
EVENT_SECONDS: Final = 3_600
EVENTS_PER_SECOND: Final = 5.0
EVENTS_QUEUED: Final = 1_000
EVENTS_REMEMBERED: Final = 20_000
EVENT_NOTE_BYTES: Final = 1024
EVENT_PATHS: Final = 3
EVENT_PATH_CHARS: Final = 160
EVENT_INSTANCE_CHARS: Final = 128
# How often decisions and sources are looked at for Events, and how many decisions one look reads.
EVENT_LOOK_SECONDS: Final = 1.0
EVENT_DECISIONS: Final = 500
# Drift is seen before the record of who wrote it is there: so long its Event waits for a name.
EVENT_NAMED_SECONDS: Final = 3.0
# Metrics of findings keep the namespace as a label for up to so many series of one name; beyond, it is left empty.
METRIC_SERIES: Final = 2_000
# Healing: seconds between two corrections of one object, the last one from then on; corrections a second, over all; how
# many of one object within how long are a fight; how often one is tried that meets another write; what a line names.
HEAL_WAIT_SECONDS: Final = (2, 6, 18, 54, 162, 300)
HEALS_PER_SECOND: Final = 10.0
HEAL_FIGHTS: Final = 5
HEAL_FIGHT_SECONDS: Final = 600
HEAL_TRIES: Final = 3
HEAL_PATHS: Final = 5
# How long a restart finds again what was tried: of an object of which nothing was heard for longer it begins anew.
HEAL_FORGET_SECONDS: Final = 86_400
# How many are tried before Git is looked at anew, and how often it is looked what is due.
HEALS_AT_ONCE: Final = 100
HEAL_LOOK_SECONDS: Final = 0.5
# How soon it is looked again whether what stood in the way of putting an object back still does.
HEAL_AGAIN_SECONDS: Final = 10.0
# How long the tool that applies a source has for a new revision before anything of it is put back.
HEAL_DEPLOY_SECONDS: Final = 300.0
# In a cluster: the token of the pod is read anew so often; one of another account is asked for so long (the API server
# gives no less than ten minutes), and anew when this part of its life is over.
TOKEN_READ_SECONDS: Final = 10.0
TOKEN_SECONDS: Final = 3_600
TOKEN_RENEW_AT: Final = 0.8
# The Lease: how long one holds, after how long without a renewal its holder stops, how often it is renewed, and
# tried again or looked at by others, how long one request may take, and the longest that another's is believed to hold.
LEASE_SECONDS: Final = 10
LEASE_DEADLINE_SECONDS: Final = 6.0
LEASE_RENEW_SECONDS: Final = 2.0
LEASE_RETRY_SECONDS: Final = 1.0
LEASE_REQUEST_SECONDS: Final = 2.0
LEASE_SECONDS_MOST: Final = 60
# How long whoever stops leading waits for what it is just writing.
RESIGN_SECONDS: Final = 2.0
# How often keys and certificates are looked at besides being watched, and tried again where they cannot be had.
SHARED_LOOK_SECONDS: Final = 30.0
SHARED_RETRY_SECONDS: Final = 1.0
# Published snapshots: one Secret (Kubernetes takes 1 MiB), all parts packed, and one part unpacked.
PUBLISHED_CHUNK_BYTES: Final = 900 * KIB
PUBLISHED_BYTES: Final = 64 * MIB
PUBLISHED_UNPACKED_BYTES: Final = 512 * MIB
# What the last manifests name stays, and what nobody names any more as long as a follower may be reading it.
PUBLISHED_KEPT: Final = 3
PUBLISHED_GRACE_SECONDS: Final = 60.0
# How often it is tried where another replica publishes at the same time, or chunks go while they are read.
PUBLISHED_TRIES: Final = 3
# Mailboxes: how many are read, questions of one that are open at a time and how long one may be, looks at a time, and
# how long a mailbox in which nothing moves is kept.
MAILBOXES: Final = 64
MAILBOX_QUESTIONS: Final = 64
MAILBOX_QUESTION_BYTES: Final = KIB
MAILBOX_ANSWER_BYTES: Final = 64 * KIB
MAILBOX_LOOKS_AT_ONCE: Final = 16
MAILBOX_IDLE_SECONDS: Final = 600.0
# Records of decisions that a follower hands on: how long it gathers them, how often it looks whether they were taken,
# how soon it writes again what was not, how many wait, and how much is written at a time, unpacked (one more at most).
RECORDS_PAUSE_SECONDS: Final = 0.2
RECORDS_SECONDS: Final = 1.0
RECORDS_AGAIN_SECONDS: Final = 30.0
RECORDS_WAITING: Final = 10_000
RECORDS_BYTES: Final = 512 * KIB
