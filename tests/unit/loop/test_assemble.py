"""From rendered objects to entries: what is left out is named."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from reconciler.canonical.engine import Context
from reconciler.loop.assemble import Assembly, assemble
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.policy.model import Action, MaskRule, Rules
from reconciler.schema.builtin import Builtin, pack_kinds
from reconciler.schema.catalog import Catalog
from reconciler.store.schema_data import load_builtin
from setscrew import configuration

RULES = configuration.load(None).rules
_TIED: tuple[tuple[str, Action], ...] = (("mild", "Warn"), ("strict", "Deny"))


def rendered(name: str, source: str = "shop", kind: str = "ConfigMap", api: str = "v1", **more: Any) -> RenderedObject:
    tree = {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, **more}
    return RenderedObject(tree, Provenance(source, "r", f"{source}.yaml", 3))


def context(rules: Rules = RULES) -> Context:
    return Context(Catalog((load_builtin(),), rules, ()), rules, b"k" * 32)


def test_an_unknown_kind_is_left_out_and_named_with_its_place() -> None:
    found = assemble([(context(), [rendered("a"), rendered("b", kind="Odd", api="example.com/v1")])], RULES)
    assert [ref.name for ref in found.objects] == ["a"]
    assert found.problems[0].startswith("shop.yaml:3: unknown kind Odd in example.com/v1")


def test_of_two_sources_that_declare_one_object_the_earlier_keeps_it() -> None:
    first, second = rendered("a", "one", data={"x": "1"}), rendered("a", "two", data={"x": "2"})
    found = assemble([(context(), [first]), (context(), [second])], RULES)
    (entry,) = found.entries({}, {})
    assert entry.object.provenance.source == "one"
    assert found.problems == (
        "ConfigMap shop/a is declared twice: one:one.yaml:3 keeps it, two:two.yaml:3 is left out",
    )


def test_without_a_policy_nothing_is_guarded_and_it_is_said() -> None:
    bare = Rules((), RULES.masks, RULES.steering, RULES.lists)
    found = assemble([(context(), [rendered("a")])], bare)
    assert not found.objects
    assert found.problems == ("ConfigMap shop/a: no DriftPolicy matches, so it is not guarded",)


def test_two_policies_of_one_priority_are_named_once_and_the_stricter_one_applies() -> None:
    mild, strict = (replace(RULES.policies[-1], name=name, priority=5, action=action) for name, action in _TIED)
    rules = replace(RULES, policies=(mild, strict, *RULES.policies))
    found = assemble([(context(rules), [rendered("a"), rendered("b")])], rules)
    assert {one.policy.name for one in found.objects.values()} == {"strict"}
    assert found.problems == (
        "DriftPolicy strict has the same priority as mild for ConfigMap shop/a: the stricter one, strict, applies",
    )


def test_what_no_schema_knows_is_named_since_no_server_stores_it() -> None:
    found = assemble([(context(), [rendered("a", dta={"x": "1"}), rendered("b")])], RULES)
    assert found.problems == (
        "ConfigMap shop/a: dta: no such field in the schema, so what Git declares there is not stored",
    )


def test_a_version_that_is_no_longer_served_is_named_and_guarded_in_one_that_is() -> None:
    served = {key: kind for key, kind in load_builtin().kinds().items() if key[1] != "v1beta1"}
    cluster = Builtin(pack_kinds("1.36.3", served.values()), load_builtin().types_data, load_builtin().defaults_data)
    own = Context(Catalog((cluster, load_builtin()), RULES, ()), RULES, b"k" * 32)
    spec = {"spec": {"devices": {"requests": [{"name": "gpu", "deviceClassName": "big"}]}}}
    old = rendered("a", api="resource.k8s.io/v1beta1", kind="ResourceClaimTemplate", spec=spec)
    found = assemble([(own, [old])], RULES)
    (entry,) = found.entries({}, {})
    assert entry.version == "v1"
    said = "judged as resource.k8s.io/v1, but no longer served as Git has it: resource.k8s.io/v1beta1"
    assert found.problems == (f"ResourceClaimTemplate.resource.k8s.io shop/a: {said}",)
    again = assemble([(own, [rendered("a", api="resource.k8s.io/v1", kind="ResourceClaimTemplate")])], RULES, found)
    assert again.problems == ()


def test_a_kind_that_is_never_guarded_is_left_out_and_it_is_said() -> None:
    rules = replace(RULES, never_guarded=("Endpoints", "coordination.k8s.io/*"))
    found = assemble([(context(rules), [rendered("a"), rendered("b", kind="Endpoints")])], rules)
    assert [ref.kind for ref in found.objects] == ["ConfigMap"]
    assert found.problems == (
        "Endpoints shop/b: objects of this kind are never guarded (neverGuarded), so it is left out",
    )


def test_the_key_changes_with_the_manifest_and_with_nothing_else() -> None:
    def key(one: RenderedObject) -> str:
        return next(iter(assemble([(context(), [one])], RULES).objects.values())).key

    same = RenderedObject(rendered("a", data={"x": "1"}).tree, Provenance("shop", "other", "moved.yaml", 9))
    assert key(rendered("a", data={"x": "1"})) == key(same)
    assert key(rendered("a", data={"x": "1"})) != key(rendered("a", data={"x": "2"}))


def test_what_is_written_as_before_keeps_its_form_wherever_it_stands_now() -> None:
    one, number = rendered("a", data={"x": "1"}), rendered("b", data={"x": 1})
    before = assemble([(context(), [one, number])], RULES)
    moved = RenderedObject(copy.deepcopy(one.tree), Provenance("shop", "r", "moved.yaml", 9))
    # Python takes True for 1; JSON does not.
    after = assemble([(context(), [moved, rendered("b", data={"x": True})])], RULES, before)
    kept, changed = after.objects.values()
    assert kept.form.want is before.objects[kept.ref].form.want
    assert kept.form.provenance.file == "moved.yaml"
    assert changed.form.want["data"] == {"x": True}
    assert changed.key != before.objects[changed.ref].key


def test_a_value_that_is_made_anew_from_now_on_gives_another_form() -> None:
    one = rendered("a", data={"x": "1"})
    before = assemble([(context(), [one])], RULES)
    (after,) = assemble([(context(), [replace(one, generated=("/data/x",))])], RULES, before).objects.values()
    assert [mask.path for mask in after.form.masks if mask.rule == "generated-values"] == [("data", "x")]


def test_an_object_that_goes_to_another_source_has_the_masks_of_that_one() -> None:
    free = MaskRule("free", ("ConfigMap",), ("/data/x",), "ignored", when="always", sources=("one",))
    rules = replace(RULES, masks=(*RULES.masks, free))

    def masked(source: str, before: Assembly | None = None) -> tuple[bool, str, Assembly]:
        one = rendered("a", source, data={"x": "1"})
        found = assemble([(context(rules), [one])], rules, before)
        (declared,) = found.objects.values()
        return "free" in {mask.rule for mask in declared.form.masks}, declared.key, found

    there, key, first = masked("one")
    elsewhere, other, _ = masked("two", first)
    assert (there, elsewhere) == (True, False)
    assert key != other
    plain = assemble([(context(), [rendered("a", "two", data={"x": "1"})])], RULES)
    assert [one.key for one in plain.objects.values()] == [other]
