"""Holds the order of registering: what a snapshot needs comes before it, what it leaves unused goes after it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import StoreError
from reconciler.model.ref import KindInfo
from reconciler.policy.model import Policy, Rules
from reconciler.snapshot.model import MemorySnapshot
from setscrew import registrar
from setscrew.registrar import Registrar
from webhook.registration.places import Guarded

PEM = b"-----BEGIN CERTIFICATE-----\n"
SOFT = Policy("soft")
CONFIG_MAP, SECRET = (
    Guarded(KindInfo("", "v1", kind, resource, namespaced=True), SOFT, "shop")
    for kind, resource in (("ConfigMap", "configmaps"), ("Secret", "secrets"))
)


class Kept:
    """Stands for the keeper: remembers what was wanted."""

    def __init__(self) -> None:
        self.wanted: list[set[str]] = []

    def want(self, document: dict[str, Any]) -> None:
        core = next((one for one in document["webhooks"] if one["name"].startswith("core-v1.")), {"rules": []})
        self.wanted.append({resource for rule in core["rules"] for resource in rule["resources"]})

    def start(self) -> None:
        """Nothing runs."""


@dataclass
class Certificates:
    """Stands for the certificates: a bundle, or none for a reason."""

    bundle: bytes = PEM
    ca_bundle: bytes = PEM
    broken: bool = False

    def current(self) -> Certificates:
        if self.broken:
            raise StoreError("the disk is full")
        return Certificates(ca_bundle=self.bundle)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Registrar, Kept, Certificates, list[str]]:
    kept, certificates, said = Kept(), Certificates(), list[str]()
    guarded = {"one": [CONFIG_MAP], "two": [SECRET], "none": []}
    monkeypatch.setattr(registrar, "_guarded", lambda snapshot: guarded[snapshot.digest])
    monkeypatch.setattr(Registrar, "_made", lambda *_: kept)
    client: Any = object()
    stub: Any = certificates
    return Registrar(client, tmp_path, "https://127.0.0.1:8443", said.append, stub), kept, certificates, said


def snapshot(name: str) -> MemorySnapshot:
    return MemorySnapshot((), Rules(()), digest=name)


def test_what_a_snapshot_needs_is_added_before_it_and_what_it_does_not_goes_after_it(site: Any) -> None:
    found, kept, _, _ = site
    for name in ("one", "two", "none"):
        found.preparing(snapshot(name))
        found.published(snapshot(name))
    assert kept.wanted == [
        {"configmaps"},
        {"configmaps"},
        {"configmaps", "secrets"},
        {"secrets"},
        {"secrets"},
        set(),
    ]


@pytest.mark.parametrize("trouble", [{"broken": True}, {"bundle": b""}], ids=["no certificate", "an empty bundle"])
def test_what_cannot_be_registered_holds_no_snapshot_up_and_is_told(site: Any, trouble: dict[str, Any]) -> None:
    found, kept, certificates, said = site
    for name, value in trouble.items():
        setattr(certificates, name, value)
    found.preparing(snapshot("one"))
    found.published(snapshot("one"))
    assert kept.wanted == []
    assert all("no other registration can be made" in line for line in said)
    assert len(said) == 2


def test_without_an_address_nothing_is_registered(site: Any) -> None:
    found, kept, _, _ = site
    found.url = ""
    found.published(snapshot("one"))
    assert kept.wanted == []


def test_a_renewal_that_comes_beside_a_snapshot_does_not_bring_back_what_was_asked_before_it(site: Any) -> None:
    found, kept, certificates, _ = site
    found.published(snapshot("one"))
    reading, go_on = threading.Event(), threading.Event()
    current = certificates.current

    def slow() -> Certificates:
        if threading.current_thread() is renewal:
            reading.set()
            go_on.wait()
        return current()  # type: ignore[no-any-return]

    certificates.current = slow
    renewal = threading.Thread(target=found.renewed)
    beside = threading.Thread(target=found.published, args=(snapshot("two"),))
    renewal.start()
    reading.wait()
    beside.start()
    beside.join(0.2)  # it waits for the renewal, or is done before it
    go_on.set()
    renewal.join()
    beside.join()
    assert kept.wanted[-1] == {"secrets"}
