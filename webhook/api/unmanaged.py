"""Owns `/api/v1/unmanaged`: what there is of guarded kinds and Git does not declare, by namespace. Must not count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response

from reconciler.report.unmanaged import Place, Unmanaged
from webhook.api.access import Scope, scope
from webhook.api.ports import ApiSettings, ApiState
from webhook.api.report import listed, query

FILTERS: Final = ("namespace", "kind")


def blueprint(state: ApiState, settings: ApiSettings) -> Blueprint:
    """Its one route."""
    routes = Blueprint("unmanaged", __name__, url_prefix="/api/v1/unmanaged")

    @routes.get("")
    def unmanaged() -> Response:
        filters, limit = query(FILTERS)
        found, mine = state.unmanaged(), scope()
        items = _items(found, filters, mine)
        metadata = {"countedAt": found.at, "complete": bool(found.at) and not found.unread}
        # Kinds are those of the whole cluster.
        more = {"uncounted": dict(found.unread) if mine is None else {}}
        return listed("UnmanagedList", items[:limit], settings, len(items), metadata=metadata, more=more)

    return routes


def _items(found: Unmanaged, filters: Mapping[str, str], mine: Scope) -> list[dict[str, Any]]:
    """Namespaces, those with the most unmanaged objects first; without a filter also those that have none."""
    kind = filters.get("kind", "").lower()
    items = [
        _item(name, place, kind)
        for name, place in found.places.items()
        if (mine is None or name in mine) and filters.get("namespace", name) == name
    ]
    items.sort(key=lambda one: (-one["unmanaged"], one["namespace"]))
    return [one for one in items if one["unmanaged"] or not kind]


def _item(namespace: str, place: Place, kind: str) -> dict[str, Any]:
    """Kinds are counted as `apps/Deployment`; `kind` is the name alone, in lower case, "" for all."""
    counted = [(*_kind(title), number) for title, number in place.unmanaged.items()]
    chosen = sorted((one for one in counted if kind in ("", one[1].lower())), key=lambda one: (-one[2], one[1], one[0]))
    kinds = [{"group": group, "kind": name, "number": number} for group, name, number in chosen]
    total = sum(number for _, _, number in chosen)
    return {"namespace": namespace, "managed": place.managed, "unmanaged": total, "kinds": kinds}


def _kind(title: str) -> tuple[str, str]:
    group, _, kind = title.rpartition("/")
    return group, kind
