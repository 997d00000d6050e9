"""Owns under which grant a finding came about: records of decisions held against its changes. Must not read records.

Only the newest record that touches a path counts: what somebody wrote there later came about otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reconciler.report.drift import DriftItem

# Codes of decisions that let something away from Git.
DEPARTURES = ("granted", "audited", "warned", "not-adopted", "unverified", "writer-recorded")
Record = Mapping[str, Any]
# Up to here a time reads the same with fractions of a second and without.
SECOND: Final = len("2030-01-01T00:00:00")


def grant_of(item: DriftItem, records: Sequence[Record]) -> str:
    """The id of the newest grant under which one of the item's differences was written; "" where none was.

    `records` are those of the item's object with one of DEPARTURES as code, newest first.
    """
    if item.state == "missing":
        deleted = (record for record in records if record.get("operation") == "DELETE")
        return str(next(deleted, {}).get("grant", ""))
    written = [record for record in records if record.get("operation") != "DELETE"]
    places = [change.path for change in item.changes] or [""]
    last = {next((at for at, record in enumerate(written) if touches(record, place)), -1) for place in places}
    return next((grant for at in sorted(last - {-1}) if (grant := str(written[at].get("grant", "")))), "")


def newer(records: Sequence[Record], since: str) -> Sequence[Record]:
    """Those of a later second than `since` (RFC 3339; "": all)."""
    return [one for one in records if str(one.get("time", ""))[:SECOND] > since[:SECOND]] if since else records


def touches(record: Record, place: str) -> bool:
    """True if the record is of a write at, above or below `place`. One that names no path, or not all, is of any."""
    paths = record.get("paths") or []
    if not paths or record.get("morePaths") or not place:
        return True
    return any(_below(str(one.get("path")), place) or _below(place, str(one.get("path"))) for one in paths)


def _below(inner: str, outer: str) -> bool:
    return f"{inner}/".startswith(f"{outer}/")
