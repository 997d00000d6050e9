"""Which objects wait for the server's form, how long, and which answers become forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

import reconciler.loop.forms as module
from reconciler.cluster.canonicalizer import ServerForm
from reconciler.cluster.mutators import Mutator, Rule
from reconciler.cluster.pace import Rate
from reconciler.limits import FORM_RETRY_SECONDS, FORM_RETRY_SECONDS_MOST
from reconciler.loop.assemble import Declared, assemble
from reconciler.loop.forms import Forms
from reconciler.loop.server_state import ServerState
from reconciler.loop.trust import View
from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Policy
from tests.unit.loop.test_assemble import RULES, context, rendered

CLIENT: Any = object()
QUOTA = "quota:shop"
EVERYTHING = Rule(frozenset("*"), frozenset("*"), frozenset("*"))


def declared(name: str = "a", *, trusted: tuple[str, ...] = ()) -> Declared:
    rules = replace(RULES, policies=(Policy("mine", trusted_mutators=trusted),))
    return next(iter(assemble([(context(), [rendered(name, data={"x": "1"})])], rules).objects.values()))


def mutator(name: str = "injector", digest: str = "1") -> Mutator:
    ref = ObjectRef("admissionregistration.k8s.io", "MutatingWebhookConfiguration", "", name)
    return Mutator(ref.kind, name, (EVERYTHING,), digest, {ref: {}})


def seen(*mutators: Mutator, version: str = "v1.36.3") -> View:
    return View(ServerState(version, mutators=mutators))


class Server:
    """The server engine: refuses with `reason`, or gives the object back with `added` in its data."""

    def __init__(self) -> None:
        self.reason = self.cause = ""
        self.added: dict[str, str] = {}
        self.rate: Rate | None = None

    def forms(self, _: Any, pairs: Any, *, rate: Rate, **__: Any) -> Any:
        self.rate = rate
        for one, _kind in pairs:
            if self.reason:
                yield one, ServerForm(None, reason=self.reason, retryable_cause=self.cause)
            else:
                tree = {**one.tree, "data": {**one.tree["data"], **self.added}}
                yield one, ServerForm(tree, "post", warnings=("mind the gap",))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    one = Server()
    monkeypatch.setattr(module, "canonical_forms", one.forms)
    return one


def ask(forms: Forms, *some: Declared, now: float = 0.0, unchanged: Callable[[], bool] = lambda: True) -> int:
    return forms.confirm(forms.pending(some, now), {"shop": context()}, now, unchanged)


def data(forms: Forms, one: Declared) -> Any:
    return forms.confirmed[one.key].want["data"]


def test_without_an_identity_for_dry_runs_nothing_is_pending() -> None:
    assert Forms(None).pending([declared()], 0.0) == []


def test_a_confirmed_form_is_asked_for_once(server: Server) -> None:
    forms, one = Forms(CLIENT), declared()
    assert ask(forms, one) == 1
    assert forms.confirmed[one.key].confidence == "server"
    assert "mind the gap" in forms.confirmed[one.key].notes
    assert forms.pending([one], 1e9) == []


def test_at_rest_objects_are_looked_through_again_only_when_the_first_is_due(server: Server) -> None:
    looked = 0

    class Counted(list[Declared]):
        def __iter__(self) -> Iterator[Declared]:
            nonlocal looked
            looked += 1
            return super().__iter__()

    server.reason = "namespace shop does not exist yet"
    forms, one = Forms(CLIENT), declared()
    some = Counted([one])
    ask(forms, one)
    assert [forms.pending(some, now) for now in (0.0, 0.5, 1.0)] == [[], [], []]
    assert looked == 1
    assert forms.pending(some, FORM_RETRY_SECONDS) == [one]
    forms.note({})
    assert (forms.pending(some, 0.0), looked) == ([], 3)


def test_the_server_is_asked_at_the_rate_of_the_installation(server: Server) -> None:
    assert ask(Forms(CLIENT, rate=Rate(5, 1)), declared()) == 1
    assert server.rate == Rate(5, 1)


def test_a_refused_form_waits_twice_as_long_each_time(server: Server) -> None:
    server.reason = "namespace shop does not exist yet"
    forms, one, now, waits = Forms(CLIENT), declared(), 0.0, []
    for _ in range(12):
        ask(forms, one, now=now)
        assert forms.reasons == {one.key: "namespace shop does not exist yet"}
        due = next(second for second in range(1, 1000) if forms.pending([one], now + second))
        waits.append(due)
        now += due
    assert waits[:3] == [FORM_RETRY_SECONDS, 2 * FORM_RETRY_SECONDS, 4 * FORM_RETRY_SECONDS]
    assert waits[-1] == FORM_RETRY_SECONDS_MOST


def test_a_changed_cause_ends_the_waits_for_it_and_no_other(server: Server) -> None:
    forms, one, two = Forms(CLIENT), declared("a"), declared("b")
    server.reason, server.cause = "full", QUOTA
    ask(forms, one)
    server.reason, server.cause = "not yours", "right"
    ask(forms, two)
    assert forms.causes == {QUOTA, "right"}
    forms.note({QUOTA: "full", "right": "none"})
    assert forms.pending([one, two], 0.0) == []
    forms.note({QUOTA: "half full", "right": "none"})
    assert forms.pending([one, two], 0.0) == [one]


def test_another_refusal_is_waited_for_from_the_beginning(server: Server) -> None:
    forms, one = Forms(CLIENT), declared()
    server.reason, server.cause = "full", QUOTA
    ask(forms, one)
    ask(forms, one, now=10)
    server.cause = "right"
    ask(forms, one, now=100)
    assert forms.pending([one], 100 + FORM_RETRY_SECONDS) == [one]


def test_what_no_revision_declares_is_forgotten(server: Server) -> None:
    forms, one, two = Forms(CLIENT), declared("a"), declared("b")
    ask(forms, one, two)
    forms.forget([two.key])
    assert set(forms.confirmed) == {two.key}


def test_a_confirmed_form_takes_the_place_of_the_newest_revision(server: Server) -> None:
    forms, one = Forms(CLIENT), declared()
    ask(forms, one)
    moved = rendered("a", data={"x": "1"})
    moved = replace(moved, provenance=replace(moved.provenance, file="moved.yaml"))
    (entry,) = assemble([(context(), [moved])], RULES).entries(forms.confirmed, forms.reasons)
    assert (entry.object.confidence, entry.object.provenance.file) == ("server", "moved.yaml")


# Another state of the server


def test_another_version_of_the_server_is_asked_again_while_the_old_form_stays(server: Server) -> None:
    forms, one = Forms(CLIENT, view=seen(version="v1.36.3")), declared()
    ask(forms, one)
    forms.view = seen(version="v1.37.0")
    assert forms.pending([one], 0.0) == [one]
    server.reason, server.cause = "full", QUOTA
    ask(forms, one)
    assert data(forms, one) == {"x": "1"}
    assert forms.reasons[one.key] == "full"
    server.reason, server.added = "", {"new-default": "2"}
    ask(forms, one, now=10)
    assert data(forms, one) == {"x": "1", "new-default": "2"}
    assert forms.pending([one], 1e9) == []


def test_answers_given_while_the_server_changed_do_not_count(server: Server) -> None:
    forms, one = Forms(CLIENT), declared()
    assert ask(forms, one, unchanged=lambda: False) == 0
    assert not forms.confirmed
    assert forms.pending([one], 0.0) == [one]


def test_objects_without_any_form_are_asked_for_first(server: Server) -> None:
    forms, one, two = Forms(CLIENT, view=seen()), declared("a"), declared("b")
    ask(forms, one)
    forms.view = seen(version="v1.37.0")
    assert forms.pending([one, two], 0.0) == [two, one]


def test_a_form_of_the_process_before_holds_until_the_server_is_asked(server: Server) -> None:
    forms, one = Forms(CLIENT, view=seen()), declared()
    forms.adopt(one.key, replace(one.form, confidence="server"), frozenset())
    assert forms.pending([one], 0.0) == [one]
    ask(forms, one)
    assert forms.pending([one], 0.0) == []


# Mutators


def test_what_a_mutator_that_nobody_trusts_adds_does_not_become_wanted(server: Server) -> None:
    forms, one = Forms(CLIENT, view=seen()), declared()
    ask(forms, one)
    forms.view, server.added = seen(mutator()), {"injected": "1"}
    assert ask(forms, one) == 0
    assert data(forms, one) == {"x": "1"}
    assert forms.suspicions[one.key].paths == ("/data/injected",)
    assert forms.reasons[one.key].startswith(
        "untrusted-mutator: MutatingWebhookConfiguration injector would make something else of it at /data/injected"
    )


def test_at_first_sight_the_offline_form_stays(server: Server) -> None:
    forms, one = Forms(CLIENT, view=seen(mutator())), declared()
    server.added = {"injected": "1"}
    ask(forms, one)
    assert not forms.confirmed
    assert one.key in forms.suspicions


def test_a_declared_value_that_a_mutator_replaces_is_seen(server: Server) -> None:
    forms, one = Forms(CLIENT, view=seen(mutator())), declared()
    server.added = {"x": "2"}
    ask(forms, one)
    assert forms.suspicions[one.key].paths == ("/data/x",)


def test_a_mutator_without_effect_harms_nothing(server: Server) -> None:
    forms, one = Forms(CLIENT, view=seen(mutator())), declared()
    assert ask(forms, one) == 1
    assert not forms.suspicions


def test_what_a_trusted_mutator_adds_is_wanted(server: Server) -> None:
    forms, one = Forms(CLIENT, view=seen()), declared(trusted=("injector",))
    ask(forms, one)
    forms.view, server.added = seen(mutator()), {"injected": "1"}
    assert ask(forms, one) == 1
    assert data(forms, one) == {"x": "1", "injected": "1"}


def test_a_trusted_mutator_that_changes_is_followed(server: Server) -> None:
    forms, one = Forms(CLIENT, view=seen(mutator())), declared(trusted=("injector",))
    ask(forms, one)
    forms.view, server.added = seen(mutator(digest="2")), {"injected": "2"}
    ask(forms, one)
    assert data(forms, one) == {"x": "1", "injected": "2"}


def test_a_mutator_that_goes_takes_its_suspicion_along(server: Server) -> None:
    forms, one = Forms(CLIENT, view=seen(mutator())), declared()
    server.added = {"injected": "1"}
    ask(forms, one)
    forms.view, server.added = seen(), {}
    assert ask(forms, one) == 1
    assert not forms.suspicions
    assert not forms.reasons


def test_a_server_that_is_again_as_it_was_needs_no_other_form(server: Server) -> None:
    forms, one = Forms(CLIENT, view=seen()), declared()
    ask(forms, one)
    forms.view, server.added = seen(mutator()), {"injected": "1"}
    ask(forms, one)
    forms.view = seen()
    assert forms.pending([one], 1e9) == []
    assert not forms.suspicions
    assert not forms.reasons


def test_what_a_trusted_mutator_added_before_explains_it_beside_an_untrusted_one(server: Server) -> None:
    forms, one = Forms(CLIENT, view=seen(mutator("good"))), declared(trusted=("good",))
    server.added = {"injected": "1"}
    ask(forms, one)
    forms.view = seen(mutator("good"), mutator("other"))
    assert ask(forms, one) == 1
    assert not forms.suspicions


def test_a_form_taken_on_the_word_of_somebody_trusted_no_longer_explains_nothing_and_goes(server: Server) -> None:
    server.added = {"injected": "1"}
    forms, one = Forms(CLIENT, view=seen(mutator())), declared()
    before = replace(one.form, confidence="server", want={**one.form.want, "data": {"x": "1", "injected": "1"}})
    forms.adopt(one.key, before, frozenset({"injector"}))
    ask(forms, one)
    assert not forms.confirmed
    assert one.key in forms.suspicions
