"""Owns the report as CloudEvents 1.0, a batch of them: one for each finding, one more where the report is stale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from reconciler.model.own import GROUP
from reconciler.report.drift import DEFAULT_CLUSTER, sha256
from reconciler.report.formats import words
from reconciler.report.formats.report import Report

# Reverse DNS, as the specification asks for.
_TYPE: Final = ".".join(reversed(GROUP.split(".")))
SCHEMA: Final = "/api/v1/schema/drift.v1.json"
_JSON: Final = "application/json"


def as_cloudevents(report: Report) -> Iterator[str]:
    """A batch in JSON. A finding that is the same as before is the same event: whoever has it drops it by its id."""
    begun = "[\n"
    if caution := words.caution(report.metadata):
        yield begun + _encoded(_stale(report.metadata, caution))
        begun = ",\n"
    for item in report.items():
        yield begun + _encoded(_event(item))
        begun = ",\n"
    yield ("" if begun.startswith(",") else begun) + "\n]\n"


def _event(item: Mapping[str, Any]) -> dict[str, Any]:
    over, in_sync = str(item.get("resolvedAt") or ""), item.get("state") == words.IN_SYNC
    happened = "in-sync" if in_sync else "resolved" if over else "detected"
    number = int(item.get("occurrences") or 1)
    return {
        "specversion": "1.0",
        "id": f"{item['fingerprint']}-{number}" + ("-resolved" if over else ""),
        "source": f"/clusters/{item.get('cluster') or DEFAULT_CLUSTER}",
        "type": f"{_TYPE}.drift.{happened}.v1",
        "subject": _subject(item),
        **({"time": time} if (time := over or str(item.get("firstSeen") or "")) else {}),
        "datacontenttype": _JSON,
        "dataschema": SCHEMA,
        "data": item,
    }


def _subject(item: Mapping[str, Any]) -> str:
    """The object as `/api/v1/resources` names it in a cluster, `_` for what it has not."""
    version = str(item.get("apiVersion") or "").rpartition("/")[2]
    named = (words.group_of(item), version, str(item["kind"]), str(item.get("namespace") or ""), str(item["name"]))
    return "/".join(("apis", *(part or "_" for part in named)))


def _stale(metadata: Mapping[str, Any], caution: str) -> dict[str, Any]:
    at = str(metadata.get("generatedAt") or "")
    return {
        "specversion": "1.0",
        "id": sha256([metadata.get("observedAt"), caution]),
        "source": "/report",
        "type": f"{_TYPE}.report.stale.v1",
        **({"time": at} if at else {}),
        "datacontenttype": _JSON,
        "data": {"reason": caution, "observedAt": metadata.get("observedAt", "")},
    }


def _encoded(event: Mapping[str, Any]) -> str:
    return msgspec.json.encode(event).decode()
