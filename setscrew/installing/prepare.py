"""Owns putting together what is applied: manifests, what people chose, what they chose before. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as version_of
from typing import Any, Final, Literal

from reconciler.errors import UsageError
from reconciler.model.own import GROUP, NAMESPACE, OWN_GUARD
from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Action
from setscrew import configuration
from setscrew.installing import inventory as inventories
from setscrew.installing import kustomize
from setscrew.installing.errors import SkewError
from setscrew.installing.inventory import Inventory
from setscrew.installing.objects import DEPLOYMENT, VERSION, Document, containers, ref_of
from setscrew.installing.rollout import softened, stage
from setscrew.installing.server import Server
from setscrew.installing.settings import DEFAULT_OVERLAY, Settings, customized, grantors_of, installers_of
from setscrew.installing.versions import older, skew
from webhook.registration.apply import whoami

# A guard that is new refuses nothing: `setscrew rollout` goes on from there.
FIRST: Final[Action] = "Audit"
_LEVERS: Final = ObjectRef("setscrew.dev", "DriftPolicy", "", OWN_GUARD)
_LISTED: Final = ObjectRef("", "ConfigMap", NAMESPACE, OWN_GUARD)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is to stand, what stood before as far as it is known, and what will be written down of it."""

    documents: list[Document]
    before: Inventory
    after: Inventory

    @property
    def registers(self) -> bool:
        """Whether its pods register the webhook."""
        words = [str(word) for tree in self.documents if tree["kind"] == "Deployment" for word in _arguments(tree)]
        return "--no-register" not in words


def prepared(server: Server, chosen: Settings) -> Prepared:
    """What `chosen` leaves out is as it was before, else the default. Raises UsageError, SkewError, ClusterError."""
    before = inventories.read(server.read(inventories.REF))
    live = server.read(DEPLOYMENT)
    ours = version_of("setscrew")
    installed = _installed(live) or before.version
    if why := skew(installed, ours):
        raise SkewError(why, where="setscrew upgrade", hint="go through the versions between: docs/how-to/upgrade.md")
    overlay = chosen.overlay or before.overlay or DEFAULT_OVERLAY
    rendered = kustomize.rendered(overlay)
    levers = server.read(_LEVERS)
    settings = Settings(
        overlay=overlay,
        image=chosen.image or _image(before, installed, ours),
        installers=chosen.installers or installers_of(server.read(_LISTED)) or (whoami(server.client),),
        grantors=chosen.grantors or grantors_of(levers),
        sources=chosen.sources,
        # Copies stand before the Deployment does: without one, an attempt that was broken off may have made none.
        policies=tuple(rolled_out(server, "" if installed else FIRST)),
        version=ours,
    )
    documents = customized(rendered, settings)
    if older(ours, installed):
        # Those of the newer version hold all that ours hold, and what was written with them since.
        documents = [tree for tree in documents if tree["kind"] != "CustomResourceDefinition"]
    # Levers come and go with rollout and with people: their labels say which are ours.
    objects = frozenset(ref for ref in map(ref_of, documents) if ref.group != GROUP)
    return Prepared(documents, before, Inventory(ours, overlay, settings.image, objects | {inventories.REF}))


def rolled_out(server: Server, action: Action | Literal[""] = "") -> list[Document]:
    """The policies of the rollout with that action, "" as far as it is."""
    shipped = configuration.documents(configuration.builtin_policies())
    return softened((tree for _, tree in shipped), action or stage(server.levers()))


def _installed(live: Document | None) -> str:
    return str(((live or {}).get("metadata", {}).get("annotations") or {}).get(VERSION, ""))


def _image(before: Inventory, installed: str, ours: str) -> str:
    """The image that was chosen for this version; nobody can guess the newer one of somebody's own registry.

    Where nothing was ever installed, an attempt that was broken off has chosen it.
    """
    if not before.image or installed in ("", ours):
        return before.image
    hint = f"give the image of {ours}: --image REGISTRY/setscrew:TAG"
    raise UsageError(f"{before.image} was chosen for {installed}", where="--image", hint=hint)


def _arguments(tree: Mapping[str, Any]) -> list[Any]:
    return [word for one in containers(tree) for word in (*(one.get("command") or ()), *(one.get("args") or ()))]
