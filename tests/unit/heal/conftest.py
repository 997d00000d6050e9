"""Guarded objects to put back, with the forms that a server would have confirmed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from reconciler.canonical.engine import Context, canonicalize, without_nulls
from reconciler.canonical.volatile import is_secret
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.policy.model import Policy
from reconciler.schema.catalog import Catalog
from reconciler.snapshot.model import Entry, MemorySnapshot, SourceState
from reconciler.store.schema_data import load_builtin
from setscrew import configuration

KEY = b"k" * 32
REVISION = "main@sha1:" + "a" * 40
Declare = Callable[..., "Declared"]


class Declared:
    """One object as Git says it: what was rendered, the entry of the snapshot, and the snapshot."""

    def __init__(self, context: Context, text: str, policy: Policy, generated: tuple[str, ...], **form: Any) -> None:
        tree = yaml.safe_load(text)
        self.rendered = RenderedObject(tree, Provenance("shop", REVISION, "all.yaml", 1), generated)
        self.entry = Entry(replace(canonicalize(self.rendered, context), **({"confidence": "server"} | form)), policy)
        state = SourceState("shop", "https://git.example.com/shop.git", "", REVISION)
        self.snapshot = MemorySnapshot((self.entry,), context.rules, {"shop": state}, KEY)

    @property
    def live(self) -> dict[str, Any]:
        """As a cluster would hold it that Setscrew has never touched; Secrets in clear."""
        held = self.rendered.tree if is_secret(self.rendered.tree) else without_nulls(self.entry.object.want)
        tree: dict[str, Any] = copy.deepcopy(held)
        return tree


@pytest.fixture(scope="session")
def declare() -> Declare:
    """Makes a declared object of a manifest; keyword arguments are a policy's, `generated`, or a form's."""
    rules = configuration.load(None).rules
    context = Context(Catalog((load_builtin(),), rules), rules, KEY)

    def made(text: str, generated: tuple[str, ...] = (), form: dict[str, Any] | None = None, **policy: Any) -> Declared:
        return Declared(context, text, Policy("healed", **{"heal": "Auto", **policy}), generated, **(form or {}))

    return made
