"""Owns the changes that fit workloads: image, replicas, environment, a sidecar. Must not run them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from setscrew.demo.own_source_plan import Declared
from setscrew.demo.pick_shared import Pick, Picker, Place, at, change, patch, target

_KINDS: Final = ("Deployment", "StatefulSet", "DaemonSet")
_SCALED: Final = ("Deployment", "StatefulSet")
_CONTAINERS: Final[Place] = ("spec", "template", "spec", "containers")
IMAGE: Final = "registry.example.com/somebody/else:latest"


def workloads(objects: Sequence[Declared]) -> Iterator[Declared]:
    """Deployments, StatefulSets and DaemonSets with at least one container."""
    for one in objects:
        if one.ref.group == "apps" and one.ref.kind in _KINDS and _containers(one):
            yield one


def _containers(one: Declared) -> list[dict[str, Any]]:
    found = at(one.tree, _CONTAINERS)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _images(objects: Sequence[Declared]) -> Iterator[Pick]:
    for one in workloads(objects):
        name = _containers(one)[0].get("name")
        yield change(
            "Another image",
            f"Git declares the image of container {name} in {one.ref}. RBAC has nothing against this.",
            ("set", "image", *target(one), f"{name}={IMAGE}"),
            one,
            (*_CONTAINERS, 0, "image"),
        )


def _replicas(objects: Sequence[Declared]) -> Iterator[Pick]:
    for one in workloads(objects):
        count = at(one.tree, ("spec", "replicas"))
        if one.ref.kind in _SCALED and isinstance(count, int):
            yield change(
                "More replicas, through the scale subresource",
                "kubectl scale writes another resource than the object itself: it is guarded as well.",
                ("scale", *target(one), f"--replicas={count + 7}"),
                one,
                ("spec", "replicas"),
            )


def _environment(objects: Sequence[Declared]) -> Iterator[Pick]:
    for one in workloads(objects):
        for index, container in enumerate(_containers(one)):
            for position, entry in enumerate(container.get("env") or ()):
                if isinstance(entry, dict) and entry.get("value"):
                    yield change(
                        "An environment variable",
                        f"Git declares {entry['name']}, so it has one value.",
                        ("set", "env", *target(one), "-c", str(container["name"]), f"{entry['name']}=changed-by-hand"),
                        one,
                        (*_CONTAINERS, index, "env", position, "value"),
                    )
                    break


def _sidecars(objects: Sequence[Declared]) -> Iterator[Pick]:
    for one in workloads(objects):
        sidecar = {"name": "by-hand", "image": IMAGE}
        yield change(
            "A sidecar that Git never saw",
            "Nothing that Git declares is touched, but content beside it runs all the same.",
            patch(one, [{"op": "add", "path": "/spec/template/spec/containers/-", "value": sidecar}])[1:],
            one,
        )


WORKLOADS: Final[tuple[Picker, ...]] = (_images, _replicas, _environment, _sidecars)
