"""Owns short ways to put objects through the server engine in tests; must not assert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from reconciler.cluster.api import ApiClient
from reconciler.cluster.canonicalizer import ServerForm, canonical_forms
from reconciler.cluster.discovery import Discovery
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.model.ref import KindInfo, split_api_version


@dataclass(frozen=True)
class Engine:
    """The server engine under one identity."""

    client: ApiClient
    discovery: Discovery

    def forms(self, *trees: dict[str, Any]) -> list[ServerForm]:
        """The forms in the order of `trees`."""
        pairs = [(RenderedObject(tree, Provenance()), self.kind(tree)) for tree in trees]
        found = {id(rendered): form for rendered, form in canonical_forms(self.client, pairs)}
        return [found[id(rendered)] for rendered, _ in pairs]

    def form(self, tree: dict[str, Any]) -> ServerForm:
        """The form of one object."""
        return self.forms(tree)[0]

    def kind(self, tree: dict[str, Any]) -> KindInfo:
        """The kind as discovery knows it; a KeyError where it is not served."""
        group, version = split_api_version(tree["apiVersion"])
        return self.discovery.kinds()[group, version, tree["kind"]]


def manifest(text: str, namespace: str = "") -> dict[str, Any]:
    """One YAML document, in `namespace`."""
    tree: dict[str, Any] = yaml.safe_load(text)
    if namespace:
        tree["metadata"]["namespace"] = namespace
    return tree
