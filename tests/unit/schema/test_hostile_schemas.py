"""Law: whatever a CRD from Git says, reading it ends in a type and never in an exception.

Allowed failures: none.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.schema.openapi import SchemaReader
from reconciler.schema.pack import dump, load
from reconciler.schema.types import TypeNode

pytestmark = pytest.mark.property

WORDS = st.sampled_from(
    [
        "$ref",
        "additionalProperties",
        "allOf",
        "array",
        "atomic",
        "byte",
        "default",
        "format",
        "items",
        "map",
        "object",
        "pattern",
        "properties",
        "required",
        "type",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-1, 1) | WORDS | st.just("#/components/schemas/Self")
TREES = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(WORDS, below, max_size=6), max_leaves=30
)


@given(TREES)
def test_any_schema_gives_a_type_that_travels_as_json(schema: Any) -> None:
    for custom in (False, True):
        node = SchemaReader({"Self": schema}, custom=custom).root(schema)
        assert isinstance(node, TypeNode)
        packed = dump(node)
        assert dump(load(json.loads(json.dumps(packed)))) == packed
