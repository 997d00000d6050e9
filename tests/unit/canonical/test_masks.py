"""Owns where a mask rule hides something in one object, for which live values, and what is a CA."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from reconciler.canonical.engine import canonicalize, confirm
from reconciler.canonical.form import Mask
from reconciler.canonical.masks import hidden_paths, hides, masks_for, plausible_ca, without
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT
from reconciler.policy.model import MaskRule
from reconciler.policy.pattern import compiled
from reconciler.schema.types import PLAIN, TypeNode
from tests.support.decisions import builtin_rules, context, manifests

REF = ObjectRef("x.io", "Foo", "shop", "web")
PORTS = TypeNode(list_type="map", keys=("port", "protocol"), defaults={"protocol": "TCP"})
TYPES = TypeNode(
    fields={"ports": PORTS, "apps": TypeNode(list_type="map", keys=("name",), each=TypeNode({"ports": PORTS}))}
)
TCP, UDP = 'k:{"port":1,"protocol":"TCP"}', 'k:{"port":1,"protocol":"UDP"}'
DER = b"\x30\x03\x02\x01\x05"


def pem(der: bytes = DER) -> str:
    return f"# a CA\n-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def masks(declared: Any, path: str, types: TypeNode = TYPES, **rule: Any) -> list[Mask]:
    one = MaskRule("r", ("x.io/Foo",), (compiled(path),), "why", **rule)
    return list(masks_for(REF, declared, types, [one], replicas_path=".spec.size".replace(".", "/")))


def paths(declared: Any, path: str, types: TypeNode = TYPES, **rule: Any) -> list[tuple[str, ...]]:
    return [mask.path for mask in masks(declared, path, types, **rule)]


@pytest.mark.parametrize(
    ("declared", "path", "found"),
    [
        ({}, "/a/b", [("a", "b")]),
        ({"a": {"b": None}}, "/a/b", [("a", "b")]),
        ({"a": {"b": ""}}, "/a/b", [("a", "b")]),
        ({"a": {"b": 0}}, "/a/b", []),
        ({"a": {"b": 1}}, "/a/**", []),
        ({"a": {"x": {"b": 1}, "y": {}}}, "/a/*/b", [("a", "y", "b")]),
        ({"ports": [{"port": 1, "n": 3}, {"port": 1, "protocol": "UDP"}]}, "/ports/*/n", [("ports", UDP, "n")]),
        ({"apps": [{"name": "a", "ports": [{"port": 1, "n": 3}, {"port": 1, "protocol": "UDP"}]}]}, "/apps/*/ports/*/n",
         [("apps", 'k:{"name":"a"}', "ports", UDP, "n")]),
        ({}, "{replicas}", [("spec", "size")]),
    ],
)  # fmt: skip
def test_what_git_leaves_out_is_hidden_item_by_item(declared: Any, path: str, found: Any) -> None:
    assert paths(declared, path) == found


@pytest.mark.parametrize(
    ("declared", "path", "found"),
    [
        ({"ports": [{"port": 1}]}, ".ports[?(@.port==1)].n", [("ports", TCP, "n")]),
        ({"ports": [{"port": 1, "name": "http"}]}, '.ports[?(@.name=="http")].n', [("ports", TCP, "n")]),
        ({"ports": []}, '.ports[?(@.name=="http")].n', []),
        ({}, '.ports[?(@.port==1 && @.protocol=="UDP")].n', [("ports", UDP, "n")]),
        ({"ports": [{"port": 1}]}, ".ports[0].n", [("ports", TCP, "n")]),
        ({"ports": [{"port": 1}]}, ".ports[1].n", []),
        ({"other": [{"a": 1}, {"a": 2}]}, ".other[?(@.a==2)].n", [("other", "i:1", "n")]),
        ({"other": {"0": {}}}, "/other/0/n", [("other", "0", "n")]),
    ],
)
def test_indices_and_filters_become_the_keys_of_the_declared_item(declared: Any, path: str, found: Any) -> None:
    assert paths(declared, path, when="always") == found


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ({}, True),
        ({"names": ("we*",)}, True),
        ({"names": ("other",)}, False),
        ({"namespaces": ("shop",)}, True),
        ({"namespaces": ("pay",)}, False),
        ({"when": "aggregated"}, False),
    ],
)
def test_a_rule_may_be_for_some_objects_only(rule: Any, holds: bool) -> None:
    assert bool(masks({}, "/a", **rule)) is holds


@pytest.mark.parametrize(
    "value", [ABSENT, None, "", "\n", "Cg==", "Cg", "bm90IGEgQ0E=", "-----BEGIN CERTIFICATE-----\nMII...\n-----END"]
)
def test_a_ca_that_is_none_stands_for_one_to_come(value: Any) -> None:
    declared = {} if value is ABSENT else {"ca": value}
    assert paths(declared, "/ca", when="placeholder") == [("ca",)]


@pytest.mark.parametrize("value", [base64_of(pem()), 1])
def test_a_pinned_ca_stands_for_itself(value: Any) -> None:
    assert paths({"ca": value}, "/ca", when="placeholder") == []


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        (base64_of(pem()), True),
        (base64_of(pem() + pem()), True),
        (pem(), True),
        (pem(b"\x30\x82\x01\x00" + b"x" * 256), True),
        (base64_of(pem(DER[:-1])), False),
        (base64_of(pem(DER + b"x")), False),
        (base64_of(pem(b"\x31" + DER[1:])), False),
        (base64_of(pem() + "-----BEGIN CERTIFICATE-----\nmore"), False),
        (base64_of("hello"), False),
        ("no base64!", False),
        ("/w==", False),
        ("", False),
        (None, False),
        (ABSENT, False),
    ],
)
def test_a_ca_is_pem_of_whole_certificates(value: Any, is_one: bool) -> None:
    assert plausible_ca(value) is is_one


@pytest.mark.parametrize(
    ("mask", "want", "now", "hidden"),
    [
        ({}, 1, 2, True),
        ({"extra": True}, ABSENT, 2, True),
        ({"extra": True}, 1, ABSENT, False),
        ({"value": (("", ("1?", "x")),)}, 1, 12, True),
        ({"value": (("", ("true",)),)}, 1, True, True),
        ({"value": (("", ("*",)),)}, 1, {}, False),
        ({"value": (("", ("*",)),)}, 1, ABSENT, False),
        ({"value": (("", ("{ca}",)),)}, 1, base64_of(pem()), True),
        ({"value": (("/0", ("a",)),)}, 1, ["a"], True),
        ({"value": (("/1", ("a",)),)}, 1, ["a"], False),
        ({"value": (("/a", ("x",)), ("/b", ("y",)))}, ABSENT, {"a": "x", "b": "y"}, True),
        ({"value": (("/a", ("x",)), ("/b", ("y",)))}, ABSENT, {"a": "x", "b": "z"}, False),
    ],
)
def test_a_mask_may_ask_for_the_values(mask: Any, want: Any, now: Any, hidden: bool) -> None:
    assert hides(Mask((), "r", "why", **mask), want, now) is hidden


def test_a_condition_may_hold_the_name_of_the_object() -> None:
    found = masks({"secrets": [{"name": "a"}]}, "/secrets/*", when="extra", value=(("/name", ("{name}-token-*",)),))
    assert [(mask.path, mask.extra) for mask in found] == [(("secrets", "*"), True)]
    assert hides(found[0], ABSENT, {"name": "web-token-x"})
    assert not hides(found[0], ABSENT, {"name": "other-token-x"})


def test_want_loses_what_is_hidden_whatever_it_is_and_keeps_the_rest() -> None:
    tree = {"a": {"b": 1, "c": 2}, "d": {"x": {"e": 1}}, "ports": [{"port": 1, "n": 1}], "list": [1]}
    dropped = [("a", "b"), ("d", "*", "e"), ("ports", TCP, "n"), ("list", "*"), ("none", "x")]
    assert without(tree, dropped, TYPES) == {"a": {"c": 2}, "d": {"x": {}}, "ports": [{"port": 1}], "list": [1]}
    assert without(tree, [("a", "**")], PLAIN) == {key: tree[key] for key in ("d", "ports", "list")}
    assert tree["a"] == {"b": 1, "c": 2}


def test_only_masks_without_conditions_take_something_out_of_want() -> None:
    plain = Mask(("a",), "r", "why")
    others = [
        Mask(("b",), "r", "why", **more) for more in ({"extra": True}, {"value": (("", ("x",)),)}, {"manager": "m"})
    ]  # type: ignore[arg-type] # one field each
    assert list(hidden_paths([plain, *others])) == [("a",)]


@pytest.mark.parametrize("path", ["/metadata", "/metadata/labels", "/*", "/**"])
def test_no_rule_takes_metadata_out_of_want(path: str) -> None:
    rule = MaskRule(id="r", reason="why", kinds=("*",), paths=(path,), when="always")
    rules = replace(builtin_rules(), masks=(rule,))
    git, live = manifests("web")
    form = canonicalize(RenderedObject(git, Provenance()), context(rules))
    assert form.want["metadata"]["labels"] == git["metadata"]["labels"]
    assert confirm(form, live, (), context(rules)).want["metadata"] == form.want["metadata"]


@pytest.mark.parametrize(("source", "found"), [("application-a", 1), ("application-b", 0), ("", 0)])
def test_a_rule_of_some_sources_is_for_their_objects_alone(source: str, found: int) -> None:
    rule = MaskRule("r", ("x.io/Foo",), ("/a",), "why", when="always", sources=("application-a", "other-*"))
    assert len(masks_for(REF, {}, TYPES, [rule], source=source)) == found
