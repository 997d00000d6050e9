"""Owns the report as OpenReports objects (`openreports.io/v1alpha1`), for `kubectl apply` and UIs that read them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import msgspec

from reconciler.limits import OPENREPORTS_RESULTS
from reconciler.model.own import GROUP
from reconciler.report.formats import words
from reconciler.report.formats.report import Report
from reconciler.report.printable import one_line

_API: Final = "openreports.io/v1alpha1"
_MANAGED: Final = {"app.kubernetes.io/managed-by": "setscrew"}
_RESULTS: Final = ("pass", "fail", "warn", "error", "skip")
# Of the name of a source, so that the whole name stays below 63 characters.
_SOURCE_CHARS: Final = 40


def as_openreports(report: Report) -> Iterator[str]:
    """A List of one report for each namespace and source, and of more where one would hold too many results."""
    yield '{"apiVersion": "v1", "kind": "List", "items": [\n'
    items, at = sorted(report.items(), key=_belongs), str(report.metadata.get("observedAt", ""))
    begun = ""
    for (namespace, source), group in groupby(items, key=_belongs):
        results = sorted(group, key=words.badness)
        for part, begin in enumerate(range(0, len(results), OPENREPORTS_RESULTS), start=1):
            one = _report(namespace, source, part, results[begin : begin + OPENREPORTS_RESULTS], at)
            yield begun + msgspec.json.encode(one).decode()
            begun = ",\n"
    yield "\n]}\n"


def _belongs(item: Mapping[str, Any]) -> tuple[str, str]:
    return str(item["namespace"]), str(item.get("source", {}).get("name", ""))


def _report(namespace: str, source: str, part: int, items: Sequence[Mapping[str, Any]], at: str) -> dict[str, Any]:
    results = [_result(item, at) for item in items]
    counts = Counter(str(one["result"]) for one in results)
    digest = hashlib.sha256(f"{namespace}/{source}/{part}".encode(errors="backslashreplace")).hexdigest()[:10]
    name = f"drift-{source[:_SOURCE_CHARS].rstrip('-.')}-{digest}" if source else f"drift-{digest}"
    place = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": _API,
        "kind": "Report" if namespace else "ClusterReport",
        "metadata": {"name": name, **place, "labels": _MANAGED},
        "source": "setscrew",
        "summary": {name: counts[name] for name in _RESULTS},
        "results": results,
    }


def _verdict(item: Mapping[str, Any]) -> str:
    """What is in sync has passed, what Git itself lets stay is skipped, of what is unknown nobody can tell.

    OpenReports says `warn` of what is not as it should be and is not scored: here what is watched and not enforced yet.
    """
    if words.kept_on_purpose(item):
        return "skip"
    differs = "fail" if words.is_enforced(item) else "warn"
    return {words.IN_SYNC: "pass", "unknown": "error"}.get(str(item["state"]), differs)


def _result(item: Mapping[str, Any], at: str) -> dict[str, Any]:
    result, changes = _verdict(item), item.get("changes", ())
    message = "; ".join(map(words.changed, changes[:5])) or words.fields(item)
    properties = {
        "fingerprint": item["fingerprint"],
        "firstSeen": item.get("firstSeen", ""),
        "fields": str(len(changes)),
        "who": words.who(item),
        "declaredIn": words.place(item),
        "commit": item.get("source", {}).get("commit", ""),
        "team": words.team(item),
    }
    kept = {
        "apiVersion": item["apiVersion"],
        "kind": item["kind"],
        "namespace": item["namespace"],
        "name": item["name"],
    }
    return {
        "source": "setscrew",
        "policy": "drift",
        "rule": item["state"],
        "category": f"{GROUP}/drift",
        "severity": words.severity(item),
        "result": result,
        "scored": result not in {"skip", "warn"},
        "timestamp": {"seconds": _seconds(item.get("lastSeen") or at), "nanos": 0},
        "resources": [{key: one_line(value) for key, value in kept.items() if value}],
        "message": message,
        "properties": {key: one_line(value) for key, value in properties.items() if value},
    }


def _seconds(time: str) -> int:
    try:
        return int(datetime.fromisoformat(time).timestamp())
    except (TypeError, ValueError):
        return 0
