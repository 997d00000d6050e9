"""An API app over a real store in a directory of its own, and what it asks the reconciler."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reconciler.model.ref import ObjectRef
from reconciler.report.drift import Attribution, DriftChange, DriftItem, DriftSource, finding_id
from reconciler.store.findings import Pass, managed_key, replace_findings
from reconciler.store.sources import SourceStatus, save_source
from reconciler.store.state import State, open_state, sqlite_url
from setscrew.stored_state import StoredState
from webhook.api.app import create_api_app
from webhook.api.configuration import Receiver, Secret
from webhook.api.ports import ApiSettings

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET = b"0123456789abcdef0123"
PUSH = {
    "ref": "refs/heads/main",
    "before": "0" * 40,
    "after": "a" * 40,
    "repository": {"clone_url": "https://git.example.com/Shop.git", "html_url": "https://git.example.com/Shop"},
}


@dataclass
class Asked:
    """What the reconciler was asked; `error` is raised instead where it is set."""

    sources: list[str] = field(default_factory=list)
    error: OSError | None = None

    def __call__(self, source: str) -> None:
        if self.error:
            raise self.error
        self.sources.append(source)


def finding(kind: str = "Deployment", name: str = "web", state: str = "drifted", **more: Any) -> DriftItem:
    return DriftItem(
        id=finding_id(ObjectRef("apps", kind, "shop", name)),
        fingerprint="f",
        api_version="apps/v1",
        kind=kind,
        namespace="shop",
        name=name,
        state=state,
        source=DriftSource("shop", "https://git.example.com/Shop.git", "deploy", "deploy/web.yaml", 12, "r", "c" * 40),
        first_seen="2030-01-01T00:00:00Z",
        last_seen="2030-01-02T03:00:00Z",
        **more,
    )


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = open_state(sqlite_url(tmp_path / "state.db"))
    yield opened
    opened.close()


@pytest.fixture
def filled(state: State) -> State:
    change = DriftChange("/spec/replicas", "replace", 3, 5, "changed", "kubectl-edit", "Update", "t", "spec.replicas")
    items = [
        finding(changes=(change,), attribution=Attribution("kubectl-edit", "", "t", "managedFields")),
        finding("ConfigMap", "mig", "missing"),
    ]
    replace_findings(
        state, items, Pass("2030-01-02T03:00:00Z", "ab" * 32, {managed_key("Deployment", "apps", "shop"): 4})
    )
    shop = SourceStatus("shop", "Ready", "https://git.example.com/Shop.git", "refs/heads/main", "deploy")
    save_source(state, shop, "2030-01-02T00:00:00Z")
    return state


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def client(state: State, asked: Asked) -> FlaskClient:
    receivers = {"gh": Receiver("gh", "github", ("shop",), (Secret(SECRET),))}
    settings = ApiSettings(token=b"swordfish", now=lambda: NOW, receivers=lambda: receivers, push_body_bytes=10_000)
    settings = replace(settings, stream_seconds=0)
    return create_api_app(StoredState(state), settings, asked).test_client()


@pytest.fixture
def get(client: FlaskClient) -> Callable[..., TestResponse]:
    def ask(path: str, **headers: str) -> TestResponse:
        return client.get(path, headers={"Authorization": "Bearer swordfish", **headers})

    return ask


@pytest.fixture
def push(client: FlaskClient) -> Callable[..., TestResponse]:
    def send(payload: Any = PUSH, *, name: str = "gh", secret: bytes = SECRET, **headers: str) -> TestResponse:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        proof = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        sent = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": "d1",
            "X-Hub-Signature-256": proof,
        }
        sent |= {key.replace("_", "-"): value for key, value in headers.items()}
        return client.post(f"/hooks/v1/{name}", data=body, headers={key: value for key, value in sent.items() if value})

    return send
