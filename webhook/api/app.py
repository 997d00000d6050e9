"""Owns the assembly of the API server: routes over an injected state. Must not open files, sockets or databases."""

from __future__ import annotations

from flask import Blueprint, Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from reconciler.errors import StoreError
from webhook.api import (
    access,
    clusters,
    drift,
    events,
    hooks,
    openapi,
    page,
    problems,
    report,
    resources,
    sources,
    unmanaged,
)
from webhook.api.metrics import make_registry
from webhook.api.ports import ApiSettings, ApiState, Refresh


def create_api_app(state: ApiState, settings: ApiSettings, refresh: Refresh) -> Flask:
    """The Flask app. Raises ValueError without a token: an open report is never an accident."""
    if not settings.token:
        raise ValueError("the API server needs a token")
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.push_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = 0
    registry, deliveries = make_registry(state, settings)
    problems.register(app)
    access.register(app, settings.token, settings.readers, settings.callers)
    app.register_blueprint(_health(state))
    app.register_blueprint(_metrics(registry))
    for part in (drift, report, clusters, resources, unmanaged, events):
        app.register_blueprint(part.blueprint(state, settings))
    app.register_blueprint(sources.blueprint(state, settings, refresh))
    app.register_blueprint(openapi.blueprint(settings))
    app.register_blueprint(page.blueprint(state, settings))
    app.register_blueprint(hooks.blueprint(state, settings, refresh, deliveries))
    return app


def _health(state: ApiState) -> Blueprint:
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", content_type="text/plain")

    @routes.get("/readyz")
    def readyz() -> Response:
        try:
            state.observed()
        except StoreError:
            return Response("not ready\n", 503, content_type="text/plain")
        return Response("ok\n", content_type="text/plain")

    return routes


def _metrics(registry: CollectorRegistry) -> Blueprint:
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return routes
