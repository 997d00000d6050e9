"""Whose mutations are wanted, what decides a form beside its object, and how the untrusted are named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reconciler.cluster.mutators import GROUP, POLICY, Mutator, Rule
from reconciler.loop.assemble import Declared, assemble
from reconciler.loop.server_state import ServerState
from reconciler.loop.trust import Suspicion, View, accused, basis, mutating
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Policy
from tests.unit.loop.test_assemble import RULES, context, rendered

KEY = b"k" * 32
HOOKS: dict[str, Any] = {
    "apiVersion": f"{GROUP}/v1",
    "kind": "MutatingWebhookConfiguration",
    "metadata": {"name": "injector"},
    "webhooks": [
        {"name": "one.example.com", "clientConfig": {"url": "https://injector.example.com"}, "sideEffects": "None"}
    ],
}
REF = ObjectRef(GROUP, "MutatingWebhookConfiguration", "", "injector")


def declared(*trees: dict[str, Any], trusted: tuple[str, ...] = ()) -> dict[ObjectRef, Declared]:
    rules = replace(RULES, policies=(Policy("mine", trusted_mutators=trusted),))
    objects = [rendered("a", data={"x": "1"}), *(RenderedObject(tree, Provenance("shop")) for tree in trees)]
    return dict(assemble([(context(), objects)], rules).objects)


def mutator(tree: dict[str, Any] = HOOKS, digest: str = "1", resource: str = "configmaps") -> Mutator:
    rule = Rule(frozenset("*"), frozenset("*"), frozenset({resource}))
    return Mutator(REF.kind, REF.name, (rule,), digest, {REF: tree})


def view(objects: dict[ObjectRef, Declared], *mutators: Mutator) -> View:
    return View.of(ServerState("v1", mutators=mutators), objects, KEY)


def config(objects: dict[ObjectRef, Declared]) -> Declared:
    return next(one for one in objects.values() if one.ref.kind == "ConfigMap")


def test_nobody_is_trusted_by_default() -> None:
    objects = declared()
    assert view(objects, mutator()).untrusted(config(objects)) == (mutator(),)


def test_one_that_cannot_change_the_kind_does_not_matter() -> None:
    objects = declared()
    other = view(objects, mutator(resource="pods"))
    assert other.untrusted(config(objects)) == ()
    assert other.fingerprint(config(objects)) == view(objects).fingerprint(config(objects))


def test_a_policy_trusts_by_name() -> None:
    objects = declared(trusted=("injector",))
    assert view(objects, mutator()).untrusted(config(objects)) == ()


def test_a_source_that_declares_it_makes_it_trusted_while_it_stands_so() -> None:
    objects = declared(HOOKS)
    live = objects[REF].form.want
    assert view(objects, mutator(live)).untrusted(config(objects)) == ()
    elsewhere = {**live, "webhooks": [{**live["webhooks"][0], "clientConfig": {"url": "https://other.example.com"}}]}
    assert view(objects, mutator(elsewhere)).untrusted(config(objects)) == (mutator(),)


def test_a_binding_that_git_does_not_declare_makes_a_declared_policy_untrusted() -> None:
    tree = {"apiVersion": f"{GROUP}/v1", "kind": POLICY, "metadata": {"name": "p"}, "spec": {}}
    objects = declared(tree)
    policy, binding = (ObjectRef(GROUP, kind, "", "p") for kind in (POLICY, f"{POLICY}Binding"))
    rule = Rule(frozenset("*"), frozenset("*"), frozenset("*"))
    live = objects[policy].form.want
    alone = Mutator(POLICY, "p", (rule,), "1", {policy: live})
    bound = Mutator(POLICY, "p", (rule,), "1", {policy: live, binding: {}})
    assert view(objects, alone).untrusted(config(objects)) == ()
    assert view(objects, bound).untrusted(config(objects)) == (bound,)
    suspicion = Suspicion(config(objects).ref, (bound,), ("/data/y",))
    assert [one.ref for one in accused([suspicion], view(objects, bound))] == [binding]


def test_a_fingerprint_changes_with_the_mutator_and_with_trust() -> None:
    plain, trusting = declared(), declared(trusted=("injector",))
    prints = {
        view(plain).fingerprint(config(plain)),
        view(plain, mutator()).fingerprint(config(plain)),
        view(plain, mutator(digest="2")).fingerprint(config(plain)),
        view(trusting, mutator()).fingerprint(config(trusting)),
    }
    assert len(prints) == 4


def test_the_word_on_which_a_form_stands_is_of_the_policy_and_of_declared_mutators() -> None:
    policy = Policy("mine", trusted_mutators=("named",))
    declared = mutating([REF, ObjectRef("", "ConfigMap", "shop", "a")])
    assert basis(policy, declared) == {"named", str(REF)}


def test_the_accused_are_told_once_with_what_they_change() -> None:
    objects = declared()
    refs = [ObjectRef("", "ConfigMap", "shop", name) for name in ("a", "b", "c", "d")]
    suspicions = [Suspicion(ref, (mutator(),), ("/data/y", "/data/z")) for ref in refs]
    (one,) = accused(suspicions, view(objects, mutator()))
    assert one.ref == REF
    assert one.reason == (
        "untrusted-mutator: it would make something else of what Git declares: ConfigMap shop/a at /data/y, "
        "ConfigMap shop/b at /data/y, ConfigMap shop/c at /data/y and 1 more; "
        "declare it in Git, or name it in `trustedMutators` of the policy"
    )
