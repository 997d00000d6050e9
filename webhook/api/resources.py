"""Owns `/api/v1/resources/…`: one object by its name, whether there is a finding of it or not. Must not compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response
from flask.json import dumps

from reconciler.model.own import API_VERSION
from reconciler.model.ref import ObjectRef
from reconciler.report.drift import finding_id
from reconciler.report.resource import VIEWS, Known, View, resource_json
from webhook.api.access import scope
from webhook.api.leaving import Leaving
from webhook.api.narrow import read_finding
from webhook.api.ports import ApiSettings, ApiState
from webhook.api.problems import Problem
from webhook.api.report import envelope, known_only, trust

PARAMETERS: Final = ("view",)
# What stands in the path for an empty group or namespace.
EMPTY: Final = "_"
_NOBODY: Final = "no source declares it and nothing was found of it; whether it is there is not known here"
# Kinds of one name in several groups.
_NAMESAKES: Final = 20
_PATH: Final = "/<cluster>/<group>/<version>/<kind>/<namespace>/<name>"


def blueprint(state: ApiState, settings: ApiSettings) -> Blueprint:
    """Its one route."""
    routes = Blueprint("resources", __name__, url_prefix="/api/v1/resources")
    routes.add_url_rule(_PATH, "resource", _Resources(state, settings).resource)
    return routes


@dataclass(frozen=True, slots=True)
class _Resources:
    state: ApiState
    settings: ApiSettings

    def resource(self, cluster: str, version: str, **names: str) -> Response:
        """How the object stands, and what was asked for of it."""
        views = _views(known_only(PARAMETERS))
        if cluster != self.settings.cluster:
            raise Problem(404, "there is no cluster of this name: /api/v1/clusters names them")
        group, namespace = (names[part] if names[part] != EMPTY else "" for part in ("group", "namespace"))
        mine, ref = scope(), ObjectRef(group, names["kind"], namespace, names["name"])
        known = self._known(ref) if mine is None or namespace in mine else None
        stands = known.stands if known is not None else None
        if known is None or stands is None:
            raise Problem(404, _NOBODY)
        if known.api_version not in ("", f"{group}/{version}" if group else version):
            raise Problem(404, f"it is known in version {known.api_version}")
        about = {"apiVersion": API_VERSION, "kind": "Resource"}
        metadata = trust(envelope(self.state, self.settings, {}, mine))
        told = {"cluster": cluster, **resource_json(known, stands, views)}
        body = {**about, "metadata": metadata, "resource": told}
        return Response(dumps(body) + "\n", content_type="application/json")

    def _known(self, ref: ObjectRef) -> Known:
        """Findings are asked for last: one that the comparison has brought is then not mistaken for none."""
        wanted, mine = self.state.wanted(ref), scope()
        observed, stale = self.state.observed(), envelope(self.state, self.settings, {}, mine).stale
        found = read_finding(self.state, finding_id(ref, self.settings.cluster), mine)
        leaving = Leaving(self.state.sources(), self.state.grants, self.settings.git_hosts)
        named = {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name}
        rows = (
            one
            for one in self.state.guarded(named, _NAMESAKES)[0]
            if (one["group"], one["kind"]) == (ref.group, ref.kind)
        )
        return Known(ref, leaving.item(found) if found else None, next(rows, None), wanted, observed.snapshot, stale)


def _views(given: Mapping[str, str]) -> tuple[View, ...]:
    """Those that are asked for, in their own order. Raises Problem 400."""
    asked = given.get("view", ",".join(VIEWS)).split(",")
    if not set(asked) <= set(VIEWS):
        raise Problem(400, f"parameter 'view' must be one or more of {','.join(VIEWS)}")
    return tuple(view for view in VIEWS if view in asked)
