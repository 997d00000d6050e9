"""Owns `/api/v1/sources`: each source and how it stands, and the word to look at one now. Must not fetch."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from flask.json import dumps

from reconciler.model.own import API_VERSION
from webhook.api.ports import ApiSettings, ApiState, Refresh
from webhook.api.problems import Problem
from webhook.api.report import known_only, listed


def blueprint(state: ApiState, settings: ApiSettings, refresh: Refresh) -> Blueprint:
    """Its three routes."""
    routes = Blueprint("sources", __name__, url_prefix="/api/v1/sources")

    @routes.get("")
    def sources() -> Response:
        known_only(())
        return listed("SourceList", state.sources(), settings)

    @routes.get("/<name>")
    def source(name: str) -> Response:
        known_only(())
        found = {"apiVersion": API_VERSION, "kind": "Source", **_found(state, name)}
        return Response(dumps(found) + "\n", content_type="application/json")

    @routes.post("/<name>/refresh")
    def look(name: str) -> Response:
        known_only(())
        _found(state, name)
        try:
            refresh(name)
        except OSError:
            raise Problem(503, "the reconciler cannot be asked now", headers={"Retry-After": "5"}) from None
        told = {"status": "accepted", "sources": [name]}
        return Response(dumps(told) + "\n", 202, content_type="application/json")

    return routes


def _found(state: ApiState, name: str) -> dict[str, Any]:
    found = next((one for one in state.sources() if one["name"] == name), None)
    if found is None:
        raise Problem(404, "there is no source of this name")
    return found
