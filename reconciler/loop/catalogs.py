"""Owns the catalog of a reconciler: the same one for as long as all that it answers from is the same.

Whoever is given the catalog of before knows that nothing but the objects themselves can change their forms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from reconciler.canonical.engine import Context
from reconciler.cluster.discovery import Discovery
from reconciler.loop.reading import Good
from reconciler.model.objects import RenderedObject
from reconciler.policy.model import Rules
from reconciler.render.embedded_loader import load_embedded
from reconciler.schema.builtin import Builtin
from reconciler.schema.catalog import CRD, Authority, Catalog

_BYTES = msgspec.json.Encoder(order="deterministic").encode


@dataclass(slots=True)
class Catalogs:
    """Makes catalogs of what the cluster serves, what is packaged, and the CRDs that Git declares."""

    builtin: Builtin
    _basis: tuple[object, ...] = ()
    _catalog: Catalog | None = None

    def of(self, objects: Iterable[RenderedObject], rules: Rules, discovery: Discovery | None) -> Catalog:
        """The catalog for `objects`: that of the last call where neither rules, kinds, types nor CRDs have changed."""
        crds = [one.tree for one in objects if (one.ref.group, one.ref.kind) == CRD]
        served = discovery.seen if discovery is not None else ()
        basis = (rules, served, hashlib.sha256(_BYTES(crds)).digest())
        if self._catalog is None or basis != self._basis:
            authorities: tuple[Authority, ...] = (self.builtin,) if discovery is None else (discovery, self.builtin)
            self._basis, self._catalog = basis, Catalog(authorities, rules, crds)
        return self._catalog


def contexts_of(catalog: Catalog, rules: Rules, secret_key: bytes, goods: Mapping[str, Good]) -> dict[str, Context]:
    """What canonicalization needs, by source; objects without a namespace go to the source's, else to `default`."""
    places = {name: good.spec.namespace or "default" for name, good in goods.items()}
    return {name: Context(catalog, rules, secret_key, at, parse=load_embedded) for name, at in places.items()}
