"""Which objects wait for the server's form, and how long."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

import reconciler.loop.forms as module
from reconciler.limits import FORM_RETRY_SECONDS, FORM_RETRY_SECONDS_MOST
from reconciler.loop.assemble import Declared, assemble
from reconciler.loop.forms import Forms
from tests.unit.loop.test_assemble import RULES, context, rendered

CLIENT: Any = object()


def declared(name: str = "a") -> Declared:
    return next(iter(assemble([(context(), [rendered(name, data={"x": "1"})])], RULES).objects.values()))


def answering(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    """The server engine refuses with `reason`, or ("") gives the object back as it is."""

    def forms(_: Any, pairs: Any, **__: Any) -> Any:
        for one, _kind in pairs:
            tree = None if reason else {**one.tree, "immutable": False}
            yield one, SimpleNamespace(tree=tree, reason=reason, volatile=(), warnings=("mind the gap",))

    monkeypatch.setattr(module, "canonical_forms", forms)


def test_without_an_identity_for_dry_runs_nothing_is_pending() -> None:
    assert Forms(None).pending([declared()], 0.0) == []


def test_a_confirmed_form_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "")
    forms, one = Forms(CLIENT), declared()
    assert forms.confirm(forms.pending([one], 0.0), {"shop": context()}, 0.0) == 1
    assert forms.confirmed[one.key].confidence == "server"
    assert "mind the gap" in forms.confirmed[one.key].notes
    assert forms.pending([one], 1e9) == []


def test_a_refused_form_waits_twice_as_long_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "namespace shop does not exist yet")
    forms, one, now, waits = Forms(CLIENT), declared(), 0.0, []
    for _ in range(12):
        forms.confirm(forms.pending([one], now), {"shop": context()}, now)
        assert forms.reasons == {one.key: "namespace shop does not exist yet"}
        due = next(second for second in range(1, 1000) if forms.pending([one], now + second))
        waits.append(due)
        now += due
    assert waits[:3] == [FORM_RETRY_SECONDS, 2 * FORM_RETRY_SECONDS, 4 * FORM_RETRY_SECONDS]
    assert waits[-1] == FORM_RETRY_SECONDS_MOST


def test_a_changed_cluster_ends_all_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "no")
    forms, one = Forms(CLIENT), declared()
    forms.confirm([one], {"shop": context()}, 0.0)
    assert forms.pending([one], 0.0) == []
    forms.retry_now()
    assert forms.pending([one], 0.0) == [one]


def test_what_no_revision_declares_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "")
    forms, one, two = Forms(CLIENT), declared("a"), declared("b")
    forms.confirm([one, two], {"shop": context()}, 0.0)
    forms.forget([two.key])
    assert set(forms.confirmed) == {two.key}


def test_a_confirmed_form_takes_the_place_of_the_newest_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "")
    forms, one = Forms(CLIENT), declared()
    forms.confirm([one], {"shop": context()}, 0.0)
    moved = rendered("a", data={"x": "1"})
    moved = replace(moved, provenance=replace(moved.provenance, file="moved.yaml"))
    (entry,) = assemble([(context(), [moved])], RULES).entries(forms.confirmed, forms.reasons)
    assert (entry.object.confidence, entry.object.provenance.file) == ("server", "moved.yaml")
