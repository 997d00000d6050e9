"""Owns the OpenAPI document of the API server, kept by hand beside `shapes`, and its route. Must not read the state."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from flask import Blueprint, Response, jsonify

from reconciler.limits import REPORT_LABELS, REPORT_PAGE, REPORT_PAGE_MAX, REPORT_PARAMETER_CHARS
from reconciler.model.own import VERSION
from reconciler.report.drift import SEVERITIES, STATES
from reconciler.report.field_selector import NAMES as FIELD_NAMES
from reconciler.report.formats import summed
from reconciler.report.formats.registry import FORMATS
from reconciler.report.moment import MARK
from reconciler.report.query import FIELDS, SORTS
from reconciler.report.resource import VIEWS
from reconciler.report.summary import BY
from webhook.api.ports import ApiSettings
from webhook.api.shapes import SCHEMAS, TEXT, Schema, one_of, ref

_SORTED: Final = [sign + name for name in SORTS for sign in ("", "-")]
_LIMIT: Final = {"type": "integer", "minimum": 1, "maximum": REPORT_PAGE_MAX, "default": REPORT_PAGE}
_LABEL: Final = "[A-Za-z0-9]([-A-Za-z0-9_./]{0,250}[A-Za-z0-9])?"
_AGO: Final = r"^([0-9]{1,4}d|[0-9]{1,4}h|[0-9]{1,5}m|[0-9]{1,6}s)$"
_WORDS: Final = {"type": "string", "maxLength": REPORT_PARAMETER_CHARS}
_AGE: Final = {"type": "string", "pattern": _AGO, "example": "24h"}
_SINCE: Final = {"anyOf": [{"type": "string", "format": "date-time"}, _AGE]}


def _parameter(name: str, about: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "description": about, "schema": schema}


def _exact(*names: str) -> list[Schema]:
    return [_parameter(name, "any case" if name == "kind" else "exact", _WORDS) for name in names]


def _separated(pattern: str, about: str, most: int) -> Schema:
    return {
        "type": "string",
        "pattern": f"^{pattern}(,{pattern}){{0,{most - 1}}}$",
        "maxLength": REPORT_PARAMETER_CHARS,
    } | {"description": about}


_FIELD_SELECTOR: Final = {
    "type": "string",
    "pattern": f"^({'|'.join(map(re.escape, FIELD_NAMES))})(=|!=)[A-Za-z0-9-]{{0,63}}$",
    "example": "metadata.namespace=shop,attribution.user!=dana",
}
_IGNORED: Final = _parameter("includeIgnored", "also the fields that rules hide", one_of(["true", "false"]))
_FORMAT: Final = _parameter("format", "in place of Accept", one_of(tuple(FORMATS)))
_DRIFT: Final = [
    *_exact("cluster", "namespace", "kind", "group", "name", "source"),
    _parameter("owner", "the team that owns it; exact", _WORDS),
    _parameter("state", "how it differs", one_of(STATES)),
    _parameter("severity", "how bad it is", one_of(SEVERITIES)),
    _parameter("search", "in kind, namespace, name and source; any case", _WORDS),
    _parameter("since", "it began then or later; or how long ago", _SINCE),
    _parameter("until", "it began then or earlier", _SINCE),
    _parameter("minAge", "it has lasted so long at least", _AGE),
    _parameter(
        "labelSelector",
        "labels of the namespace, as kubectl takes them",
        {"type": "string", "pattern": f"^{_LABEL}(=[A-Za-z0-9]{{1,63}})?$", "example": "team=shop,env in (prod,stage)"},
    ),
    _parameter("fieldSelector", "members of findings, as kubectl takes them", _FIELD_SELECTOR),
    _IGNORED,
    _parameter("sort", "with - before it the other way round", one_of(_SORTED)),
    _parameter(
        "limit",
        "how many at once; `all` up to 50 MiB. Formats for files hold all unless told otherwise",
        {"anyOf": [_LIMIT, one_of(["all"])]},
    ),
    _parameter("continue", "`metadata.continue` of the page before, with the same other parameters", _WORDS),
    _parameter("fields", "only these keys of findings", _separated(f"({'|'.join(FIELDS)})", "", len(FIELDS))),
    _FORMAT,
]
_SUMMARY: Final = [
    _parameter("by", "what a row is", {"anyOf": [one_of(BY), {"type": "string", "pattern": f"^label:{_LABEL}$"}]}),
    _parameter("labels", "labels of namespaces as columns, with by=namespace", _separated(_LABEL, "", REPORT_LABELS)),
    _parameter(
        "trend", "`rows`: each row has its own; with by=cluster, namespace or label:KEY", one_of(["total", "rows"])
    ),
    _parameter("since", "refused changes are counted from then on; 24 hours unless told otherwise", _SINCE),
    _parameter("format", "in place of Accept", one_of(tuple(summed.FORMATS))),
]
_PAGED: Final = [_parameter("limit", "how many at once", _LIMIT)]


def _told(about: str, schema: str, media: Iterable[str] = ("application/json",)) -> Schema:
    # What is no JSON of ours has the shape that its own standard gives it.
    kinds = {name: {"schema": ref(schema) if name == "application/json" else {}} for name in media}
    return {"description": about, "content": kinds}


def _problem(about: str) -> Schema:
    return {"description": about, "content": {"application/problem+json": {"schema": ref("Problem")}}}


_PROBLEMS: Final = {
    "400": _problem("A parameter is unknown, given twice, or wrong; `detail` names it."),
    "401": _problem("There is no token, or a wrong one."),
    "403": _problem("The token is for some namespaces, and this is about the whole cluster."),
    "503": _problem("The state store cannot be read now."),
}


def _get(about: str, schema: str, parameters: list[Schema], *more: str, media: Iterable[str] = ()) -> Schema:
    extra = {
        "304": {"description": "It is as it was: `If-None-Match` names its tag."},
        "404": _problem("There is none of that name."),
        "406": _problem("No format of `Accept` is there."),
        "410": _problem("The list is kept no longer; `continue` leads on in the list as it is now."),
    }
    answers = {"200": _told(about, schema, ("application/json", *media)), **_PROBLEMS}
    return {
        "get": {
            "summary": about,
            "operationId": f"get{schema}",
            "parameters": parameters,
            "responses": answers | {status: extra[status] for status in more},
        }
    }


_MEDIA: Final = sorted({one.media_type for one in FORMATS.values()} - {"application/json"})
_SUMMED: Final = sorted({FORMATS[name].media_type for name in summed.FORMATS} - {"application/json"})
_PART: Final = {"type": "string", "minLength": 1, "example": "_"}
_ID: Final = {"name": "identity", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
_NAME: Final = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
_OBJECT: Final = [
    {"name": name, "in": "path", "required": True, "description": about, "schema": _PART}
    for name, about in {
        "cluster": "as /api/v1/clusters has it",
        "group": "`_` for the core group",
        "version": "as Git declares it",
        "kind": "exact",
        "namespace": "`_` for an object that is in none",
        "name": "exact",
    }.items()
]
_VIEW: Final = _parameter("view", "only these parts of the answer", _separated(f"({'|'.join(VIEWS)})", "", len(VIEWS)))
_FOUND: Final = [_ID, _IGNORED, _FORMAT]
_PLAIN: Final = {"content": {"text/plain": {"schema": TEXT}}}
_ANYONE: Final[list[Schema]] = []


def _health(about: str) -> Schema:
    answers = {"200": {"description": "ok", **_PLAIN}, "503": {"description": "not ready", **_PLAIN}}
    return {"get": {"summary": about, "security": _ANYONE, "responses": answers}}


def _refresh() -> Schema:
    answers = {"202": _told("taken", "Delivery"), **_PROBLEMS, "404": _problem("There is no such source.")}
    return {
        "post": {"summary": "Look at the source in Git now.", "parameters": [_NAME], "responses": answers},
    }


def _events() -> Schema:
    """The schema is that of one event; what `data` holds is JSON again."""
    since = _parameter(
        "since", "the id of an event: what came after it is told first", {"type": "string", "pattern": MARK}
    )
    stream = {"description": "Server-Sent Events", "content": {"text/event-stream": {"schema": ref("StreamEvent")}}}
    full = _problem("The state store cannot be read now, or all streams that there may be are open.")
    return {
        "get": {
            "summary": "What happens to findings, as it happens.",
            "parameters": [since, {**since, "name": "Last-Event-ID", "in": "header"}],
            "responses": {"200": stream, **_PROBLEMS, "503": full},
        }
    }


def _push() -> Schema:
    answers = {status: _problem("refused") for status in ("400", "401", "404", "405", "413", "415", "429", "503")}
    taken = {status: _told("taken", "Delivery") for status in ("200", "202")}
    body: Schema = {"content": {"application/json": {"schema": {}}}}
    about = "Takes a push; its signature is the proof, as the provider makes it."
    return {
        "post": {
            "summary": about,
            "security": _ANYONE,
            "parameters": [_NAME],
            "requestBody": body,
            "responses": {**taken, **answers},
        }
    }


PATHS: Final[Mapping[str, Schema]] = {
    "/api/v1/drift": _get("The drift report.", "DriftReport", _DRIFT, "304", "406", "410", media=_MEDIA),
    "/api/v1/drift/summary": _get("Rows whose sums tie.", "DriftSummary", _SUMMARY, "406", media=_SUMMED),
    "/api/v1/drift/{identity}": _get("One finding.", "DriftFound", _FOUND, "404", "406", media=_MEDIA),
    "/api/v1/sources": _get("Each source, and how it stands.", "SourceList", []),
    "/api/v1/sources/{name}": _get("One source, and how it stands.", "Source", [_NAME], "404"),
    "/api/v1/sources/{name}/refresh": _refresh(),
    "/api/v1/guarded": _get(
        "What enforced sources declare.", "GuardedList", [*_exact("namespace", "kind", "name", "source"), *_PAGED]
    ),
    "/api/v1/decisions": _get(
        "Decisions, newest first.",
        "DecisionList",
        [*_exact("namespace", "kind", "name", "code", "user", "source", "policy"), *_PAGED],
    ),
    "/api/v1/clusters": _get("How the cluster was last heard of, and what there is in it.", "ClusterList", []),
    "/api/v1/resources/{cluster}/{group}/{version}/{kind}/{namespace}/{name}": _get(
        "One object by its name, whether it differs or not.", "Resource", [*_OBJECT, _VIEW], "404"
    ),
    "/api/v1/unmanaged": _get(
        "What there is of guarded kinds and Git does not declare, by namespace.",
        "UnmanagedList",
        [*_exact("namespace", "kind"), *_PAGED],
    ),
    "/api/v1/events": _events(),
    "/api/v1/blind": _get("When the guard did not see writes.", "BlindList", _PAGED),
    "/api/v1/schema/drift.v1.json": {
        "get": {
            "summary": "JSON Schema of a finding, with all that it refers to.",
            "responses": {
                "200": {"description": "JSON Schema", "content": {"application/json": {"schema": {"type": "object"}}}},
                "401": _PROBLEMS["401"],
            },
        }
    },
    "/api/v1/openapi.json": {
        "get": {
            "summary": "This document.",
            "responses": {
                "200": {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {"type": "object"}}}},
                "401": _PROBLEMS["401"],
            },
        }
    },
    "/hooks/v1/{name}": _push(),
    "/healthz": _health("Whether the process answers."),
    "/readyz": _health("Whether the state store can be read."),
    "/metrics": {
        "get": {
            "summary": "Prometheus text.",
            "responses": {
                "200": {"description": "metrics", **_PLAIN},
                **{status: _PROBLEMS[status] for status in ("401", "403", "503")},
            },
        }
    },
}


def document(version: str) -> dict[str, Any]:
    """OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Setscrew", "version": version or VERSION},
        "security": [{"token": []}],
        "paths": dict(PATHS),
        "components": {
            "schemas": dict(SCHEMAS),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def finding_schema() -> dict[str, Any]:
    """JSON Schema of what stands in `items` of a drift report."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Finding of the drift report of Setscrew",
        **SCHEMAS["Finding"],
    }


def blueprint(settings: ApiSettings) -> Blueprint:
    """`/api/v1/openapi.json`, and of it the schema of a finding."""
    routes = Blueprint("openapi", __name__, url_prefix="/api/v1")

    @routes.get("/openapi.json", endpoint="document")
    def served() -> Response:
        return jsonify(document(settings.version))

    @routes.get("/schema/drift.v1.json", endpoint="schema")
    def schema() -> Response:
        return jsonify(finding_schema())

    return routes
