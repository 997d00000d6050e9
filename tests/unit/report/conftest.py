"""A guarded Deployment and Secret to make findings of."""

from __future__ import annotations

import pytest

from reconciler.canonical.form import CanonicalObject
from reconciler.model.objects import Provenance
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.policy.model import Policy
from reconciler.snapshot.model import Entry, SourceState


def entry(ref: ObjectRef, version: str = "v1", want: dict | None = None) -> Entry:
    info = KindInfo(ref.group, version, ref.kind, ref.kind.lower() + "s", namespaced=True)
    origin = Provenance(source="shop", revision="main@sha1:" + "a" * 40, file="deploy/web.yaml", line=12)
    return Entry(CanonicalObject(ref, info, want or {}, {}, origin), Policy(name="default"))


@pytest.fixture
def deployment() -> Entry:
    return entry(ObjectRef("apps", "Deployment", "shop", "web"))


@pytest.fixture
def secret() -> Entry:
    return entry(ObjectRef("", "Secret", "shop", "db"))


@pytest.fixture
def source() -> SourceState:
    return SourceState(
        name="shop",
        url="https://bot:hunter2@git.example.com/shop.git?private_token=abc",
        path="deploy",
        revision="main@sha1:" + "a" * 40,
        commit="a" * 40,
        signer="Dana\x1b[31m <dana@example.com> (SHA256:abc)",
    )
