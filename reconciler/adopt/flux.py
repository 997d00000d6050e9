"""Owns what Flux's objects come to: each Kustomization and HelmRelease is a source. Pure; see `reconciler.adopt.model`.

Everything else of Flux is read because these two name it: the GitRepository, the HelmChart, ConfigMaps and Secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from reconciler.adopt.flux_kustomization import adopt_kustomization
from reconciler.adopt.flux_objects import FluxObject, FluxObjects, Lookup, NotThereError
from reconciler.adopt.flux_release import adopt_release
from reconciler.adopt.model import ODD, Adopted, Unsupported, unreadable
from reconciler.errors import UsageError
from reconciler.model.tree import Tree

_ADOPT: Final[Mapping[str, Callable[[FluxObject, FluxObjects, Lookup], Adopted]]] = {
    "Kustomization": adopt_kustomization,
    "HelmRelease": adopt_release,
}


def adopt_flux(definitions: Iterable[Tree], lookup: Lookup) -> Adopted:
    """Sources, ignore rules and what cannot be, of all Flux objects among `definitions`; others are passed over.

    `lookup` gives the keys of a ConfigMap or Secret, None where it is absent; what it raises goes through.
    """
    found = FluxObjects(definitions)
    adopted = (_adopted(one, found, lookup) for kind in _ADOPT for one in found.of_kind(kind))
    return sum(adopted, start=Adopted())


def _adopted(one: FluxObject, found: FluxObjects, lookup: Lookup) -> Adopted:
    try:
        return _ADOPT[one.kind](one, found, lookup)
    except UsageError as error:
        reason = f"{error.message} ({error.hint})" if error.hint else error.message
        waits = isinstance(error, NotThereError)
        return Adopted(unsupported=(Unsupported(one.adopter, error.where, reason, waits=waits),))
    except ODD as error:
        return unreadable(one.adopter, error)
