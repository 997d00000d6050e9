"""Owns the typical objects of the benchmarks: applications of a dozen objects, and their live twins. Must not time.

A live twin is the offline form as an API server would hand it out: status and server metadata added, nulls away. It
shares nothing with the form, so that no comparison ends early because both sides are one object.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from reconciler.canonical.engine import Context, without_nulls
from reconciler.canonical.form import CanonicalObject
from reconciler.canonical.volatile import is_secret
from reconciler.model.objects import Provenance, RenderedObject
from setscrew import configuration
from setscrew.cli.common import offline_context

KEY: Final = b"benchmark" * 4
SOURCE: Final = "shop"
_FILE: Final = Path(__file__).with_name("typical.yaml")
_SERVER_METADATA: Final = {
    "uid": "5a1c7b1e-6a57-4f7c-9d0e-3f1f3f0a4c11",
    "resourceVersion": "4711",
    "generation": 3,
    "creationTimestamp": "2026-01-01T00:00:00Z",
}
_SELECTOR: Final = {"app.kubernetes.io/name": "web", "app.kubernetes.io/instance": "web-$n"}
_LABELS: Final = {
    **_SELECTOR,
    "app.kubernetes.io/version": "1.4.$n",
    "app.kubernetes.io/managed-by": "Helm",
    "helm.sh/chart": "web-2.1.0",
}
_SHARDS = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "weight": {"type": "integer", "default": 1}},
    },
}
_CACHE = {
    "size": {"type": "string"},
    "replicas": {"type": "integer", "default": 1},
    "eviction": {
        "type": "object",
        "default": {},
        "properties": {"policy": {"type": "string"}, "interval": {"type": "string", "default": "30s"}},
    },
    "shards": _SHARDS,
}
_CRD: Final = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "caches.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"kind": "Cache", "plural": "caches"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": {"type": "object", "properties": _CACHE}},
                    }
                },
            }
        ],
    },
}


def context(objects: Iterable[RenderedObject] = ()) -> Context:
    """The packaged kinds and rules, the CRD of the typical objects, and the CRDs among `objects`."""
    rules = configuration.load(None).rules
    return offline_context(rules, objects, [_CRD], namespace="shop", key=KEY)


def typical(number: int) -> list[RenderedObject]:
    """That many objects, kind after kind, each parsed on its own."""
    return list(islice(_applications(), number))


def _applications() -> Iterator[RenderedObject]:
    for application in count():
        for position, text in enumerate(_templates()):
            tree = json.loads(text.replace("$n", str(application)))
            yield RenderedObject(tree, Provenance(SOURCE, "", f"web-{application}.yaml", 1, position, "helm"))


@cache
def _templates() -> tuple[str, ...]:
    text = _FILE.read_text()
    for name, value in (("$labels", _LABELS), ("$selector", _SELECTOR)):
        text = text.replace(name, json.dumps(value))
    return tuple(json.dumps(document) for document in yaml.safe_load_all(text))


def live_bytes(form: CanonicalObject, rendered: RenderedObject) -> bytes:
    """The live twin of `rendered`, whose form is `form`, as JSON."""
    tree: dict[str, Any] = without_nulls(form.want)
    if is_secret(tree):
        texts = {key: b64encode(value.encode()).decode() for key, value in rendered.tree.get("stringData", {}).items()}
        tree["data"] = rendered.tree.get("data", {}) | texts
    return msgspec.json.encode({**tree, "metadata": {**tree["metadata"], **_SERVER_METADATA}, "status": {"seen": 3}})
