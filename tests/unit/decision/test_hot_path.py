"""What a decision does not do, counted: a time would say little on a busy machine, a count says it anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.limits import REVIEW_SPLIT_BYTES
from reconciler.snapshot import rows
from reconciler.store.snapshot_file import publish
from tests.support import decisions
from webhook.decision import raw
from webhook.decision.decide import decide
from webhook.decision.review import decode
from webhook.server.feed import Feed, SnapshotFile

FREE = {"metadata": {"annotations": {"example.com/seen": "yes"}, "resourceVersion": "2"}, "status": {"seen": 1}}
DRIFT = {"spec": {"replicas": 5}}


class Counted:
    """A decoder that keeps what it was given."""

    def __init__(self, decoder: Any) -> None:
        self.decoder, self.given = decoder, list[bytes]()

    def decode(self, data: Any) -> Any:
        self.given.append(bytes(data))
        return self.decoder.decode(data)


@pytest.fixture
def values(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """The values of objects that are decoded."""
    counted = Counted(raw._VALUE)
    monkeypatch.setattr(raw, "_VALUE", counted)
    return counted


@pytest.fixture
def forms(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """The headers of canonical forms that are read."""
    counted = Counted(rows._HEADER)
    monkeypatch.setattr(rows, "_HEADER", counted)
    return counted


@pytest.fixture
def held(tmp_path: Path) -> SnapshotFile:
    """A snapshot file as the server reads it, with one Deployment."""
    (tmp_path / "secret-values.key").write_bytes(decisions.KEY)
    publish(decisions.snapshot(["web"]), tmp_path / "snapshots")
    feed = Feed.of(tmp_path)
    current = feed.current()
    assert current is not None
    return current


def review(patch: Any, **request: Any) -> bytes:
    whole = json.loads(decisions.review({"object": "web", "patch": patch}))
    whole["request"] |= request
    return json.dumps(whole).encode()


def test_of_what_git_does_not_declare_nothing_is_decoded(held: SnapshotFile, values: Counted, forms: Counted) -> None:
    decision = decide(decode(review(DRIFT, name="nobody-declares-this")), held, 0.0)
    assert decision.code == "unguarded"
    assert values.given == forms.given == []


def test_members_that_are_the_same_are_not_decoded_and_no_form_is_read(
    held: SnapshotFile, values: Counted, forms: Counted
) -> None:
    decision = decide(decode(review(FREE)), held, 0.0)
    assert decision.code == "conforms"
    text = b"\n".join(values.given)
    assert b"containers" not in text
    assert b"managedFields" not in text
    assert b'"seen": 1' not in text
    assert b"example.com/seen" in text
    assert forms.given == []


def test_a_change_of_content_reads_the_form_once(held: SnapshotFile, values: Counted, forms: Counted) -> None:
    decision = decide(decode(review(DRIFT)), held, 0.0)
    assert decision.code == "drift"
    assert len(forms.given) == 1
    assert sum(b"containers" in value for value in values.given) == 2


def test_objects_are_decoded_once_however_often_they_are_looked_at(values: Counted) -> None:
    request = decode(review(DRIFT))
    assert values.given == []
    first = request.object, request.old
    decoded = len(values.given)
    assert (request.object, request.old) == first
    assert len(values.given) == decoded > 0


def test_of_large_members_what_is_the_same_is_decoded_once_for_both(values: Counted) -> None:
    data = {f"key{number}": "x" * (REVIEW_SPLIT_BYTES // 8) for number in range(16)}
    items = [{"name": f"item{number}", "text": "y" * 1000} for number in range(100)]
    old = {"data": data, "spec": {"items": items, "gone": 1}}
    new = {"data": {**data, "key3": "other"}, "spec": {"items": [*items[:50], {"name": "other"}, *items[51:], 7]}}
    request = decode(review({}, object=new, oldObject=old))
    assert (request.object, request.old) == (new, old)
    assert len(values.given) == len(data) + 1 + len(items) + 1 + 2
    assert request.object["spec"]["items"][3] is request.old["spec"]["items"][3]
