"""The catalog is the same one while all that it answers from is the same, and another one as soon as it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reconciler.loop.catalogs import Catalogs
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.schema.catalog import Catalog
from reconciler.store.schema_data import load_builtin
from setscrew import configuration

RULES = configuration.load(None).rules
BUILTIN = load_builtin()


class Served:
    """Stands in for discovery."""

    def __init__(self, *seen: object) -> None:
        self.seen = seen


def definition(default: int) -> list[RenderedObject]:
    field = {"type": "integer", "default": default}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"properties": {"size": field}}}}}
    spec = {
        "group": "example.com",
        "names": {"kind": "Widget", "plural": "widgets"},
        "versions": [{"name": "v1", "served": True, "schema": schema}],
    }
    tree = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return [RenderedObject({**tree, "metadata": {"name": "widgets.example.com"}, "spec": spec}, Provenance())]


def test_it_stays_while_nothing_has_changed() -> None:
    catalogs = Catalogs(BUILTIN)
    first = catalogs.of(definition(1), RULES, served("a"))
    assert catalogs.of(definition(1), replace(RULES), served("a")) is first


def test_it_is_another_one_with_other_rules_kinds_or_definitions() -> None:
    found = list[Catalog]()
    catalogs = Catalogs(BUILTIN)
    found.append(catalogs.of(definition(1), RULES, None))
    found.append(catalogs.of(definition(2), RULES, None))
    found.append(catalogs.of(definition(2), replace(RULES, masks=()), None))
    found.append(catalogs.of(definition(2), replace(RULES, masks=()), served("a")))
    found.append(catalogs.of(definition(2), replace(RULES, masks=()), served("b")))
    assert len({id(one) for one in found}) == len(found)


def served(*seen: object) -> Any:
    return Served(*seen)
