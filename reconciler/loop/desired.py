"""Owns what healing asks of Git: the snapshot that counts now, whether its newest revision does, what was rendered.

Must not say what may be put back, nor put anything back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from reconciler.loop.reading import Good
from reconciler.loop.reconciler import Reconciler
from reconciler.model.objects import RenderedObject
from reconciler.snapshot.model import Entry, MemorySnapshot


@dataclass(frozen=True, slots=True)
class Desired:
    """What Git says now. `look` looks at sources anew, `trouble` says why the newest revision of one does not count."""

    current: Callable[[], MemorySnapshot | None]
    look: Callable[[Iterable[str]], object]
    trouble: Callable[[str], str]
    goods: Callable[[], Mapping[str, Good]]

    @classmethod
    def of(cls, found: Reconciler) -> Desired:
        """As a reconciler knows it. Who suspends what applies a source wants to change by hand."""

        def trouble(name: str) -> str:
            suspended = any(one.suspend and one.name == name for one in found.sources.configured)
            return "it is suspended" if suspended else found.trouble(name)

        return cls(lambda: found.current, found.sync, trouble, found.sources.goods)


def rendered_of(entry: Entry, goods: Mapping[str, Good]) -> RenderedObject | None:
    """What Git says of the object in the revision that is in force, Secrets in clear; None where nobody has read it."""
    good, ref = goods.get(entry.source), entry.ref
    if good is None or good.state.revision != entry.object.provenance.revision:
        return None
    places = {ref.namespace, ""} if ref.namespace == (good.spec.namespace or "default") else {ref.namespace}
    same = (
        one for one in good.objects if (one.ref.group, one.ref.kind, one.ref.name) == (ref.group, ref.kind, ref.name)
    )
    return next((one for one in same if not entry.object.kind.namespaced or one.ref.namespace in places), None)
