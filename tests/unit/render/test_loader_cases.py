"""Owns that our loader reads tests/cases/loader as kubectl did; test_loader_against_kubectl.py asks it again."""

from __future__ import annotations

import pytest

from reconciler.errors import RenderError
from reconciler.model.tree import strict_equal
from reconciler.render.yaml_loader import load_documents
from tests.support.kubectl import our_objects
from tests.support.loader_cases import Stream, Value, streams, values


@pytest.mark.parametrize("case", values(), ids=lambda case: case.text[:40])
def test_a_value_means_what_kubectl_read(case: Value) -> None:
    try:
        (document,) = load_documents(case.document, "f.yaml")
    except RenderError:
        assert case.refused
    else:
        assert not case.refused
        assert strict_equal(document.tree["v"], case.value)
        assert type(document.tree["v"]) is type(case.value) or isinstance(case.value, float)


@pytest.mark.parametrize("case", streams(), ids=lambda case: case.name)
def test_a_stream_holds_the_objects_that_kubectl_read(case: Stream) -> None:
    assert strict_equal(our_objects(case.text.encode()), case.expected)
