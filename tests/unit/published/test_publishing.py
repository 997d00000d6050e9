"""Holds what is published, restored and refused, with a namespace in memory in place of an API server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from lzma import decompress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from reconciler.errors import ApiError, StoreError
from reconciler.limits import PUBLISHED_GRACE_SECONDS, PUBLISHED_KEPT
from reconciler.model.own import MANIFEST
from reconciler.published.manifest import dumped, loaded
from reconciler.published.publisher import Publisher
from reconciler.published.restorer import Restorer
from reconciler.published.signing import sign
from reconciler.snapshot.model import Entry, MemorySnapshot
from reconciler.store.snapshot_file import POINTER, write
from tests.support.decisions import KEY, SOURCE, earlier, snapshot
from tests.support.fake_api import refused
from tests.support.published import FakeNamespace

SIGNING = Ed25519PrivateKey.generate()


@dataclass
class Site:
    """A leader and a follower that meet in one namespace."""

    directory: Path
    there: FakeNamespace = field(default_factory=FakeNamespace)
    said: list[str] = field(default_factory=list)
    tick: float = 0.0
    noted: int = 0
    unheard: list[ApiError] = field(default_factory=list)
    publisher: Publisher = field(init=False)

    def __post_init__(self) -> None:
        self.publisher = Publisher(self.there.api, SIGNING, self.said.append, noted=self.note, clock=lambda: self.tick)

    def note(self, number: int) -> None:
        if self.unheard:
            raise self.unheard.pop()
        self.noted = number

    def publish(self, one: MemorySnapshot) -> list[str]:
        """The names of what was written for it."""
        self.there.written.clear()
        self.publisher.publish(one)
        return list(self.there.written)

    def restore(self, secret_key: bytes = KEY) -> bool:
        return Restorer(self.there.api, SIGNING.public_key(), self.directory, secret_key, lambda: self.noted).restore()

    @property
    def current(self) -> str:
        return str(json.loads((self.directory / POINTER).read_text())["digest"])

    def sign(self, data: bytes) -> None:
        """Put a manifest there that the leader has signed, whatever it says."""
        self.there.alter(MANIFEST, {"data": data, "signature": sign(SIGNING, data)})


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "snapshots")


def two_sources() -> MemorySnapshot:
    """The object of another source beside that of the shop."""
    web, config = snapshot(["web", "config"]).entries
    place = replace(config.object.provenance, source="other")
    other = Entry(replace(config.object, provenance=place), config.policy)
    sources = {SOURCE.name: SOURCE, "other": replace(SOURCE, name="other")}
    return replace(snapshot(["web"]), entries=(web, other), sources=sources)


def pushed(one: MemorySnapshot, commit: str = "cd" * 20) -> MemorySnapshot:
    """The same after a push to the shop."""
    return replace(one, sources={**one.sources, SOURCE.name: replace(SOURCE, commit=commit)})


def refusal(site: Site, secret_key: bytes = KEY) -> str:
    """The code of what restoring ends with; what was there before is there still."""
    before = site.current
    with pytest.raises(StoreError) as caught:
        site.restore(secret_key)
    assert site.current == before
    assert "\n" not in str(caught.value)
    return caught.value.code


def test_a_fresh_replica_gets_the_very_file_that_the_leader_wrote(site: Site, tmp_path: Path) -> None:
    held = snapshot(["web", "secret", "crd", "deviceclass"])
    site.publish(held)
    assert site.restore()
    tmp_path.joinpath("leader").mkdir()
    assert site.current == write(held, tmp_path / "leader").stem
    assert not site.restore()


def test_nothing_is_restored_where_nothing_is_published(site: Site) -> None:
    assert not site.restore()
    assert not site.directory.exists()


def test_a_push_rewrites_the_chunk_of_its_source_and_the_manifest(site: Site) -> None:
    assert len(site.publish(two_sources())) == 5
    assert site.publish(two_sources()) == []
    written = site.publish(pushed(two_sources()))
    assert len(written) == 2
    assert written[-1] == MANIFEST
    assert b"cdcdcd" not in site.there.content(written[0])  # packed
    parts = loaded(site.there.content(MANIFEST)).parts
    assert parts["source:shop"].chunks == (written[0],)


def test_a_large_part_is_cut_and_joined(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("reconciler.published.manifest.PUBLISHED_CHUNK_BYTES", 4096)
    held = snapshot(["web", "crd"])
    site.publish(held)
    assert max(len(part.chunks) for part in loaded(site.there.content(MANIFEST)).parts.values()) > 1
    assert site.restore()
    assert site.current == write(held, tmp_path).stem


def test_no_secret_value_is_in_what_is_published(site: Site) -> None:
    site.publish(replace(snapshot(["secret"]), before=(earlier("secret", {"commit": "oldest", "patch": {}}),)))
    for name in site.there.secrets:
        content = site.there.content(name)
        plain = content if name == MANIFEST else decompress(content)
        for planted in (b"example-from-git", b"ZXhhbXBsZS1mcm9tLWdpdA", KEY):
            assert planted not in plain
    assert any(b"hmac:" in decompress(site.there.content(name)) for name in site.there.secrets if name != MANIFEST)


def test_a_manifest_that_somebody_else_signed_is_not_followed(site: Site) -> None:
    site.publish(snapshot(["web"]))
    site.restore()
    data = site.there.content(MANIFEST)
    site.there.alter(MANIFEST, {"data": data, "signature": sign(Ed25519PrivateKey.generate(), data)})
    assert refusal(site) == "SS6101"
    site.there.alter(MANIFEST, {"data": data.replace(b"shop", b"shap"), "signature": sign(SIGNING, data)})
    assert refusal(site) == "SS6101"
    site.there.alter(MANIFEST, {})
    assert refusal(site) == "SS6101"
    site.publish(snapshot(["web"]))
    assert any("SS6101" in line for line in site.said)
    assert site.restore()


def test_an_older_manifest_is_not_followed_and_the_leader_goes_beyond_it(site: Site) -> None:
    site.publish(snapshot(["web"]))
    old = site.there.secrets[MANIFEST]
    site.publish(pushed(snapshot(["web"])))
    site.restore()
    site.there.secrets[MANIFEST] = old
    assert refusal(site) == "SS6102"
    site.publish(snapshot(["web"]))
    assert loaded(site.there.content(MANIFEST)).sequence == 3
    assert site.restore()


def test_a_replica_that_has_restored_nothing_is_given_no_older_manifest(site: Site, tmp_path: Path) -> None:
    site.publish(snapshot(["web"]))
    old = site.there.secrets[MANIFEST]
    site.publish(pushed(snapshot(["web"])))
    new = site.there.secrets[MANIFEST]
    fresh = Site(tmp_path / "fresh", site.there, noted=site.noted)
    site.there.secrets[MANIFEST] = old
    with pytest.raises(StoreError) as caught:
        fresh.restore()
    assert caught.value.code == "SS6102"
    assert not fresh.directory.exists()
    site.there.secrets[MANIFEST] = new
    assert fresh.restore()


def test_a_number_that_could_not_be_noted_is_noted_with_the_next_try(site: Site) -> None:
    site.unheard.append(refused(500))
    with pytest.raises(ApiError):
        site.publish(snapshot(["web"]))
    assert site.noted == 0
    assert site.restore()
    assert site.publish(snapshot(["web"])) == []
    assert site.noted == 1


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_chunk_that_is_altered_cut_or_missing_replaces_nothing(site: Site, place: str) -> None:
    site.publish(snapshot(["web"]))
    site.restore()
    held = pushed(snapshot(["web"]))
    site.publish(held)
    (name,) = loaded(site.there.content(MANIFEST)).parts["source:shop"].chunks
    good = site.there.content(name)
    at = 0 if place == "first" else len(good) - 1
    for bad in (good[:-1], good + b"\x00", good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :], b""):
        site.there.alter(name, {"data": bad})
        assert refusal(site) == "SS6103"
    del site.there.secrets[name]
    assert refusal(site) == "SS6103"
    assert site.publish(held) == [name]
    assert site.restore()


def test_an_altered_chunk_is_written_anew_by_a_leader_that_has_just_begun(site: Site) -> None:
    site.publish(snapshot(["web"]))
    (name,) = loaded(site.there.content(MANIFEST)).parts["source:shop"].chunks
    site.there.alter(name, {"data": b"other"})
    again = Site(site.directory, site.there)
    assert again.publish(snapshot(["web"])) == [name]
    assert "SS6103" in again.said[0]
    assert site.restore()


def test_another_key_of_secret_values_is_not_mixed(site: Site) -> None:
    site.publish(snapshot(["web"]))
    site.restore()
    site.publish(pushed(snapshot(["web"])))
    assert refusal(site, b"another key") == "SS6106"


def test_a_next_format_is_not_read_and_unknown_names_are(site: Site) -> None:
    site.publish(snapshot(["web"]))
    site.restore()
    site.publish(pushed(snapshot(["web"])))
    told: dict[str, Any] = json.loads(site.there.content(MANIFEST))
    site.sign(json.dumps({**told, "format": 2}).encode())
    assert refusal(site) == "SS6104"
    packed = {**told, "parts": {name: {**part, "codec": "zstd"} for name, part in told["parts"].items()}}
    site.sign(json.dumps(packed).encode())
    assert refusal(site) == "SS6104"
    site.sign(b"[]")
    assert refusal(site) == "SS6103"
    site.sign(json.dumps({**told, "invented": {"later": 1}}).encode())
    assert site.restore()


def test_chunks_stay_while_a_follower_may_read_them(site: Site) -> None:
    for number in range(PUBLISHED_KEPT + 3):
        site.publish(pushed(snapshot(["web"]), f"{number:040}"))
    assert len(site.there.secrets) == 1 + 2 + PUBLISHED_KEPT + 3
    site.tick = PUBLISHED_GRACE_SECONDS + 1
    site.publish(pushed(snapshot(["web"]), "f" * 40))
    assert len(site.there.secrets) == 1 + 2 + PUBLISHED_KEPT + 0
    assert site.restore()


def test_two_leaders_for_a_moment_do_not_lose_a_number(site: Site) -> None:
    other = Site(site.directory, site.there)
    site.publish(snapshot(["web"]))
    other.publish(pushed(snapshot(["web"])))
    site.publish(snapshot(["web"]))
    assert loaded(site.there.content(MANIFEST)).sequence == 3


def test_a_manifest_is_its_own_copy(site: Site) -> None:
    site.publish(snapshot(["web"]))
    found = loaded(site.there.content(MANIFEST))
    assert loaded(dumped(found)) == found
    assert msgspec.json.decode(dumped(found))["format"] == 1
