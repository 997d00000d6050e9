"""Owns that we read YAML as the real kubectl does: the committed tables, and generated documents.

    SETSCREW_LOADER_EXAMPLES=2000 pytest tests/integration/test_loader_against_kubectl.py

takes minutes in place of seconds; each example is a batch of documents. What differs on purpose stands, with its
reason, in tests/cases/loader/streams.yaml. Besides, limits are ours alone (depth, nodes, aliases, documents), and a
key that is spelled in two types (`1` and "1") has the later value here while Go's map order decides in kubectl.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.errors import RenderError
from reconciler.model.tree import strict_equal
from reconciler.render.yaml_loader import load_documents
from setscrew.controlplane import ensure
from tests.support.kubectl import kubectl_objects, kubectl_trees
from tests.support.loader_cases import Stream, streams, values
from tests.support.yaml_texts import documents

pytestmark = pytest.mark.integration

EXAMPLES = int(os.environ.get("SETSCREW_LOADER_EXAMPLES", "20"))


@pytest.fixture(scope="session")
def kubectl() -> Path:
    return ensure(["kubectl"]).path("kubectl")


def we_read(document: bytes) -> Any:
    """The tree under `v`, or None where we refuse."""
    try:
        (found,) = load_documents(document, "f.yaml")
    except RenderError:
        return None
    return {"v": found.tree["v"]}


def test_kubectl_still_reads_every_value_as_the_table_says(kubectl: Path) -> None:
    cases = values()
    assert len(cases) > 450
    trees = kubectl_trees(kubectl, [case.document for case in cases])
    assert [
        (case.text, tree)
        for case, tree in zip(cases, trees, strict=True)
        if case.refused != (tree is None) or (tree is not None and not strict_equal(tree["v"], case.value))
    ] == []


@pytest.mark.parametrize("case", streams(), ids=lambda case: case.name)
def test_kubectl_still_reads_a_stream_as_the_table_says(kubectl: Path, case: Stream) -> None:
    theirs = kubectl_objects(kubectl, case.text.encode())
    assert strict_equal(theirs, case.objects)
    assert strict_equal(theirs, case.expected) == (not case.differs)


@pytest.mark.timeout(3600)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES <= 20,
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(st.lists(documents(), min_size=1, max_size=25))
def test_generated_documents_mean_what_they_mean_to_kubectl(kubectl: Path, texts: list[str]) -> None:
    theirs = kubectl_trees(kubectl, [text.encode() for text in texts])
    for text, tree in zip(texts, theirs, strict=True):
        ours = we_read(text.encode())
        assert strict_equal(ours, None if tree is None else {"v": tree["v"]}), text
