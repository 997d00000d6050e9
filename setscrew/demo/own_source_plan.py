"""Owns what the demo makes of a person's own source: what it declares, what is left out, what the stage needs for it.

Must not start, write or copy anything (`own_source_files` copies, `own_source_sync` writes to the cluster).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reconciler.canonical.engine import Context, UnknownKindError, located
from reconciler.model.objects import RenderedObject
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree, dig
from reconciler.policy.model import Rules
from reconciler.render.detect import detect
from reconciler.render.spec import RenderResult
from reconciler.schema.catalog import CRD
from setscrew.cli.common import offline_context, rendered

ADMISSION: Final = "admissionregistration.k8s.io"
WEBHOOKS: Final = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
NAMESPACE: Final = ("", "Namespace")
_ALWAYS_THERE: Final = ("default", "kube-node-lease", "kube-public", "kube-system")


@dataclass(frozen=True, slots=True)
class Declared:
    """One object as the GitOps identity sends it, with its namespace settled, and its kind."""

    ref: ObjectRef
    kind: KindInfo
    tree: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """A person's source, understood.

    `left_out` and `notes` are sentences; `softened` are the webhook configurations that are synced with
    `failurePolicy: Ignore`, since their servers do not run here.
    """

    directory: Path
    kind: str  # "helm", "kustomize" or "yaml"
    release: str
    namespace: str
    value_files: tuple[Path, ...]
    objects: tuple[Declared, ...]
    softened: tuple[Declared, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def undeclared_namespaces(self) -> tuple[str, ...]:
        """Namespaces that must be made first because the source does not bring them, sorted."""
        named = {self.namespace, *(one.ref.namespace for one in self.objects if one.ref.namespace)}
        declared = {one.ref.name for one in self.objects if (one.ref.group, one.ref.kind) == NAMESPACE}
        return tuple(sorted(named - declared - set(_ALWAYS_THERE)))

    @property
    def custom_groups(self) -> tuple[str, ...]:
        """API groups that the source's CRDs serve, sorted."""
        groups = (dig(one.tree, "spec", "group") for one in self.objects if (one.ref.group, one.ref.kind) == CRD)
        return tuple(sorted({group for group in groups if isinstance(group, str)}))


def plan(path: Path, namespace: str, value_files: Sequence[Path] = ()) -> Plan:
    """Render `path` as Setscrew will, and sort out what a bare cluster can take.

    Raises RenderError, UsageError and ToolMissingError as `setscrew render` does.
    """
    result = rendered(path, namespace, value_files)
    context = offline_context(Rules(()), result.objects, namespace=namespace)
    objects, left_out = _settled(result.objects, context)
    softened = tuple(_soft(one) for one in objects if _may_block(one))
    by_ref = {one.ref: one for one in softened}
    return Plan(
        directory=path.resolve(),
        kind=result.kind if path.is_dir() else "yaml",
        release=result.release,
        namespace=namespace,
        value_files=tuple(file.resolve() for file in value_files),
        objects=tuple(by_ref.get(one.ref, one) for one in objects),
        softened=softened,
        left_out=tuple(left_out),
        notes=_notes(result, path),
    )


def _settled(objects: Iterable[RenderedObject], context: Context) -> tuple[list[Declared], list[str]]:
    found, left_out = [], []
    for one in objects:
        try:
            settled, kind = located(one, context)
        except UnknownKindError:
            left_out.append(f"{one.ref} ({one.provenance.place}): the source brings no CRD for {one.api_version}")
        else:
            found.append(Declared(settled.ref, kind, settled.tree))
    return found, left_out


def _notes(result: RenderResult, path: Path) -> tuple[str, ...]:
    if path.is_dir() and detect(path) == "helm":
        return (*result.notes, "hooks and test Pods of the chart are left out, crds/ is included")
    return result.notes


def _may_block(one: Declared) -> bool:
    return (
        one.ref.group == ADMISSION
        and one.ref.kind in WEBHOOKS
        and any(dig(webhook, "failurePolicy") != "Ignore" for webhook in _webhooks(one.tree))
    )


def _webhooks(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    listed: Tree = tree.get("webhooks")
    yield from (webhook for webhook in (listed if isinstance(listed, list) else ()) if isinstance(webhook, dict))


def _soft(one: Declared) -> Declared:
    webhooks = [{**webhook, "failurePolicy": "Ignore"} for webhook in _webhooks(one.tree)]
    return Declared(one.ref, one.kind, {**one.tree, "webhooks": webhooks})
