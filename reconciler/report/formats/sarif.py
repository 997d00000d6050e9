"""Owns the report as SARIF 2.1.0, cut to what code hosts take; the cut is named in it. Must not judge severity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from reconciler.limits import SARIF_RESULTS, SARIF_SHOWN
from reconciler.report.formats import words
from reconciler.report.formats.report import Report
from reconciler.report.printable import one_line

ROOT: Final = "%SRCROOT%"
_CHANGES: Final = 5
_LEVELS: Final = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note"}
_RULES: Final = {
    "drifted": ("drift/modified", "The live object differs from what Git declares."),
    "missing": ("drift/missing", "Git declares the object, and the cluster has none."),
    "extra": ("drift/extra", "The cluster has an object of an exclusive kind that Git does not declare."),
    "orphaned": ("drift/orphaned", "Git declared the object once and does no more, and the cluster still has it."),
    "unknown": ("drift/unknown", "Nobody can tell whether the object is as Git declares."),
}
_NUMBERS: Final = {state: number for number, state in enumerate(_RULES)}


def as_sarif(report: Report) -> Iterator[str]:
    """One run. The worst findings come first, so that a cut takes the least of them."""
    items = sorted(report.items(), key=words.badness)
    run = {
        "tool": {"driver": _driver(report.version)},
        "invocations": [_invocation(report, len(items))],
        "versionControlProvenance": _repositories(items),
        "columnKind": "unicodeCodePoints",
        "results": [_result(item) for item in items[:SARIF_RESULTS]],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    yield msgspec.json.encode({"$schema": schema, "version": "2.1.0", "runs": [run]}).decode() + "\n"


def _driver(version: str) -> dict[str, Any]:
    rules = [
        {"id": rule, "shortDescription": {"text": text}, "defaultConfiguration": {"level": "warning"}}
        for rule, text in _RULES.values()
    ]
    return {"name": "Setscrew", "rules": rules} | ({"version": version} if version else {})


def _invocation(report: Report, total: int) -> dict[str, Any]:
    told = []
    if stale := words.caution(report.metadata):
        told.append({"level": "error", "message": {"text": stale}})
    if total > SARIF_RESULTS:
        text = (
            f"{total - SARIF_RESULTS} of {total} findings are left out, the least severe: a run holds {SARIF_RESULTS}"
        )
        told.append({"level": "warning", "message": {"text": text}})
    elif total > SARIF_SHOWN:
        text = f"there are {total} findings; code hosts may show the {SARIF_SHOWN} most severe only"
        told.append({"level": "note", "message": {"text": text}})
    if remaining := report.metadata.get("remainingItemCount", 0):
        told.append({"level": "warning", "message": {"text": f"{remaining} findings were not asked for"}})
    found = {"executionSuccessful": not stale, "toolExecutionNotifications": told}
    ended = report.metadata.get("generatedAt")
    return found | ({"endTimeUtc": ended} if ended else {})


def _repositories(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each repository at each commit once. Paths are of the one there is; of several, of that of their finding."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for item in items:
        source = item.get("source", {})
        url, commit = source.get("url", ""), source.get("commit", "")
        if "://" in url and commit:
            branch = source.get("revision", "").partition("@")[0]
            found[url, commit] = {"repositoryUri": quote(url, safe=":/@%"), "revisionId": one_line(commit)} | (
                {"branch": one_line(branch)} if branch else {}
            )
    places = list(found.values())
    return [places[0] | {"mappedTo": {"uriBaseId": ROOT}}] if len(places) == 1 else places


def _result(item: Mapping[str, Any]) -> dict[str, Any]:
    # What is in sync has passed the first rule; a result that has passed has no level.
    passed = item["state"] == words.IN_SYNC
    state = "drifted" if passed else str(item["state"])
    level = "none" if passed else _LEVELS.get(words.severity(item), "warning")
    return {
        "ruleId": _RULES[state][0],
        "ruleIndex": _NUMBERS[state],
        "kind": "pass" if passed else "fail",
        "level": level,
        "message": {"text": _message(item)},
        "locations": [_location(item)],
        "partialFingerprints": {"driftFingerprint/v1": str(item["fingerprint"])},
        "properties": {"severity": words.severity(item), "cluster": item.get("cluster", ""), "team": words.team(item)},
    }


def _message(item: Mapping[str, Any]) -> str:
    changes = item.get("changes", ())
    parts = [words.changed(change) for change in changes[:_CHANGES]]
    parts += [f"{len(changes) - _CHANGES} more fields"] if len(changes) > _CHANGES else []
    what = "; ".join(parts) or words.fields(item)
    if item["state"] == words.IN_SYNC:
        return f"{words.object_name(item)}: {what}"
    return f"{words.object_name(item)}: {what} (by {words.who(item)}, since {one_line(item.get('firstSeen', ''))})"


def _location(item: Mapping[str, Any]) -> dict[str, Any]:
    group = words.group_of(item)
    parts = (group, item["kind"], item["namespace"], item["name"])
    name = "/".join(one_line(part) for part in parts if part)
    found: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": name, "kind": "resource"}]}
    source = item.get("source", {})
    if file := source.get("file", ""):
        physical: dict[str, Any] = {"artifactLocation": {"uri": quote(file.lstrip("/")), "uriBaseId": ROOT}}
        if source.get("line", 0) > 0:
            physical["region"] = {"startLine": source["line"]}
        found["physicalLocation"] = physical
    return found
