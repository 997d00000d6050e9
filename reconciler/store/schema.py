"""Owns the tables of the state store and their version. Must not open a database or hold a query.

Every row carries `cluster`. What is only shown travels as JSON in `body`; what is filtered or sorted has a column.
Times are RFC 3339 in UTC with seconds, so they sort as text in every database.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import DDL, Boolean, Column, Index, Integer, MetaData, String, Table, Text, event

SCHEMA_VERSION: Final = "8"
# Versions of which a store is taken over with all that it holds (`reconciler/store/taking_over.py`).
ADDED_TO: Final = frozenset({"2", "3", "4", "5", "6", "7"})
METADATA: Final = MetaData()

META: Final = Table(
    "meta",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

DRIFT: Final = Table(
    "drift",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("state", String, nullable=False),
    Column("api_group", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("namespace", String, nullable=False),
    Column("name", String, nullable=False),
    Column("source", String, nullable=False),
    Column("first_seen", String, nullable=False),
    Column("last_seen", String, nullable=False),
    Column("body", Text, nullable=False),
)

# One short row a finding, which lists and sums read in place of its body: the members of `reconciler.report.line.Line`.
# Beside them what it keeps from look to look: `known` is the fingerprint of when it last was known, and `before` the
# finding of then, where it is not known now.
LINES: Final = Table(
    "lines",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("api_group", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("namespace", String, nullable=False),
    Column("name", String, nullable=False),
    Column("source", String, nullable=False),
    Column("first_seen", String, nullable=False),
    Column("last_seen", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("team", String, nullable=False),
    Column("cost_center", String, nullable=False),
    Column("who", String, nullable=False),
    Column("adopted", Boolean, nullable=False),
    Column("digest", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("occurrences", Integer, nullable=False),
    Column("known", String, nullable=False),
    Column("before", Text, nullable=False),
    # They are read all together, so they are kept in the order of their key, and not looked up by it one by one.
    sqlite_with_rowid=False,
)

# Findings that are over, as they last were; an object may stand here several times.
RESOLVED: Final = Table(
    "resolved",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("resolved_at", String, primary_key=True),
    Column("occurrences", Integer, nullable=False),
    Column("body", Text, nullable=False),
)

# What happened to findings; `seq` says in what order.
HISTORY: Final = Table(
    "history",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("cluster", String, nullable=False),
    Column("id", String, nullable=False),
    Column("event", String, nullable=False),
    Column("time", String, nullable=False),
    Column("body", Text, nullable=False),
)

# What happened on a day (UTC, `2030-01-31`) in a namespace ("": of objects that have none).
DAYS: Final = Table(
    "days",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("day", String, primary_key=True),
    Column("namespace", String, primary_key=True),
    Column("found", Integer, nullable=False),
    Column("resolved", Integer, nullable=False),
    Column("denials", Integer, nullable=False),
)

# What is remembered of corrections of an object, by the id of its finding, until it is at rest.
HEALING: Final = Table(
    "healing",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("body", Text, nullable=False),
)

# Labels of the namespaces of the cluster, as they were last seen.
NAMESPACES: Final = Table(
    "namespaces",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("labels", Text, nullable=False),
)

# What a revision of Git has dropped, until the cluster has lost it, too; `uid` is the live object's once it is seen.
DROPPED: Final = Table(
    "dropped",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("api_group", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("namespace", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("since", String, nullable=False),
    Column("uid", String, nullable=False),
    Column("body", Text, nullable=False),
)

SOURCES: Final = Table(
    "sources",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("url", String, nullable=False),
    Column("ref", String, nullable=False),
    Column("path", String, nullable=False),
    Column("state", String, nullable=False),
    Column("message", Text, nullable=False),
    Column("since", String, nullable=False),
    Column("updated", String, nullable=False),
    Column("attempted", String, nullable=False),
    Column("enforced", String, nullable=False),
    Column("signer", String, nullable=False),
    Column("objects", Integer, nullable=False),
)

# What is only shown of a source.
SOURCE_FACTS: Final = Table(
    "source_facts",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("body", Text, nullable=False),
)

# Kept also when a source is configured no longer: what was enforced once is no new source.
MODES: Final = Table(
    "modes",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("enforced", Boolean, nullable=False),
    Column("since", String, nullable=False),
)

ADOPTIONS: Final = Table(
    "adoptions",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("api_group", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("namespace", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("source", String, nullable=False),
    Column("adopted", Boolean, nullable=False),
    Column("uid", String, nullable=False),
)

# Since when an object is adopted, and the commit that declared it then. Adopted before there was this table: no row.
GUARDED_SINCE: Final = Table(
    "guarded_since",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("api_group", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("namespace", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("since", String, nullable=False),
    Column("at_commit", String, nullable=False),
)

DELIVERIES: Final = Table(
    "deliveries",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("receiver", String, primary_key=True),
    Column("delivery", String, primary_key=True),
    Column("result", String, nullable=False),
    Column("time", String, nullable=False),
)

# Only `body` is evidence; columns are what is filtered by, and must say what it says. `allowed` is 0 or 1, NULL for a
# gap. Rows are numbered without a hole from 1, and `hash` chains each to all before it (reconciler.store.chain).
DECISIONS: Final = Table(
    "decisions",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("time", String, nullable=False),
    Column("allowed", Integer),
    Column("code", String, nullable=False),
    Column("would", String, nullable=False),
    Column("user", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("namespace", String, nullable=False),
    Column("name", String, nullable=False),
    Column("source", String, nullable=False),
    Column("policy", String, nullable=False),
    Column("worker", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("hash", String, nullable=False),
)

# Times have columns of their own only as far as queries need them; `asked` is the spec as it was asked for.
GRANTS: Final = Table(
    "grants",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("not_after", String, nullable=False),
    Column("revoked", String, nullable=False),
    Column("asked", Text, nullable=False),
    Column("body", Text, nullable=False),
)

# `until` is "" while a span is open; `body` is the span as JSON.
BLIND: Final = Table(
    "blind",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("cause", String, nullable=False),
    Column("since", String, nullable=False),
    Column("until", String, nullable=False),
    Column("body", Text, nullable=False),
)

# Writes that nobody judged, as the API server's audit log names them; `id` is its auditID.
SLIPPED: Final = Table(
    "slipped",
    METADATA,
    Column("cluster", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("time", String, nullable=False),
    Column("body", Text, nullable=False),
)

Index("resolved_by_time", RESOLVED.c.cluster, RESOLVED.c.resolved_at)
Index("history_by_object", HISTORY.c.cluster, HISTORY.c.id, HISTORY.c.seq)
Index("history_by_time", HISTORY.c.cluster, HISTORY.c.time)
Index("blind_by_time", BLIND.c.cluster, BLIND.c.since)
Index("slipped_by_time", SLIPPED.c.cluster, SLIPPED.c.time)
Index("deliveries_by_time", DELIVERIES.c.cluster, DELIVERIES.c.time)
Index("decisions_by_object", DECISIONS.c.cluster, DECISIONS.c.namespace, DECISIONS.c.name)
Index("decisions_by_time", DECISIONS.c.cluster, DECISIONS.c.time)
Index("decisions_by_worker", DECISIONS.c.cluster, DECISIONS.c.worker, DECISIONS.c.number)

# Records of decisions are evidence: the database itself refuses to alter one.
APPEND_ONLY: Final = tuple(
    f"CREATE TRIGGER IF NOT EXISTS decisions_no_{verb} BEFORE {verb} ON decisions "
    "BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END"
    for verb in ("update", "delete")
)

# Who was allowed what is evidence as well: a grant is made, and may be revoked once.
for _name, _when in {
    "grants_no_delete": "BEFORE DELETE ON grants",
    "grants_revoked_once": "BEFORE UPDATE ON grants WHEN OLD.revoked <> '' OR NEW.revoked = '' OR NEW.id <> OLD.id",
}.items():
    _statement = f"CREATE TRIGGER {_name} {_when} BEGIN SELECT RAISE(ABORT, 'grants are kept as they were'); END"
    _trigger = DDL(_statement)  # type: ignore[no-untyped-call] # SQLAlchemy's own
    event.listen(GRANTS, "after_create", _trigger.execute_if(dialect="sqlite"))
