"""Holds that the offline engine may say less than the API server, and never something else.

Over the corpora, the seeds, and objects made of them with parts left out or changed. Each form is taken as live object
of the other, so what counts as equal is what the comparison counts as equal. At level INFO the log lists what the
offline form leaves open.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from reconciler.canonical.engine import canonicalize, confirm
from reconciler.canonical.form import CanonicalObject
from reconciler.cluster.api import ApiClient
from reconciler.cluster.canonicalizer import canonical_forms
from reconciler.compare.comparison import compare
from reconciler.model.objects import RenderedObject
from reconciler.model.path import readable
from reconciler.schema.catalog import CRD
from setscrew.controlplane import ControlPlane
from tests.support.controlplane import Shared
from tests.support.corpus import SEEDS, Entry, Held, Landed, Pair, entries, established, landed_once, put, take
from tests.support.variants import variants
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

ALL = [*entries(), pytest.param(SEEDS, id="seeds")]
SEED = 20261122
OF_ONE_KIND, OF_ONE_OBJECT = 4, 6


@pytest.fixture(scope="module", params=ALL)
def landed(request: pytest.FixtureRequest, shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """One entry as a real cluster held it."""
    entry: Entry = request.param
    return landed_once(shared.get, entry, tmp_path_factory.getbasetemp())


def disagreements(offline: CanonicalObject, server: CanonicalObject) -> list[str]:
    """Paths at which the offline form says something else; what it leaves open goes to the log."""
    compared = compare(replace(offline, masks=server.masks), server.want)
    if compared.undecided:
        logging.getLogger(__name__).info(
            "%s leaves open %s", offline.ref, ", ".join(one.field for one in compared.undecided)
        )
    return [
        f"{offline.ref} {readable(change.place)}: offline {change.desired!r}, server {change.live!r}"
        for change in compared.changes
    ]


def test_offline_says_nothing_else_of_what_others_publish(landed: Landed) -> None:
    pairs = zip(landed.offline(), landed.server(), strict=True)
    found = [line for offline, server in pairs for line in disagreements(offline, server)]
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
def originals(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Landed, Held]]:
    """A few objects of each kind, and the entries that they come from."""
    found: list[tuple[Landed, Held]] = []
    kinds = Counter[str]()
    for parameter in ALL:
        entry = parameter.values[0]
        if entry is None:
            continue
        landed = landed_once(shared.get, entry, tmp_path_factory.getbasetemp())
        for held in landed.objects:
            if kinds[held.kind.kind] < OF_ONE_KIND and len(str(held.rendered.tree)) < 20_000:
                kinds[held.kind.kind] += 1
                found.append((landed, held))
    return found


@pytest.fixture
def served(control_plane: ControlPlane, originals: list[tuple[Landed, Held]]) -> Iterator[None]:
    """The CRDs of the custom resources among them."""
    groups = {held.kind.group for _, held in originals}
    crds: list[Pair] = [
        (held.rendered, held.kind)
        for landed in {id(landed): landed for landed, _ in originals}.values()
        for held in landed.objects
        if (held.kind.group, held.kind.kind) == CRD and held.rendered.tree["spec"]["group"] in groups
    ]
    put(control_plane, crds)
    eventually(lambda: established(control_plane, crds), "every CRD is served")
    yield
    take(control_plane, crds)


def test_offline_says_nothing_else_of_objects_with_parts_left_out_or_changed(
    control_plane: ControlPlane, namespace: str, originals: list[tuple[Landed, Held]], served: None
) -> None:
    dice = random.Random(SEED)  # noqa: S311 - the same objects each time is the point
    made = [
        (landed, RenderedObject(tree, held.rendered.provenance).with_namespace(namespace * held.kind.namespaced), held)
        for landed, held in originals
        for tree in variants(held.rendered.tree, dice, OF_ONE_OBJECT)
    ]
    found, valid = [], 0
    for landed, rendered, answer in answered(control_plane, made):
        offline = canonicalize(rendered, landed.context)
        found += disagreements(offline, confirm(offline, answer[0], answer[1], landed.context))
        valid += 1
    assert valid > len(made) / 3, "else the objects say nothing"
    assert not found, "\n".join(found)


def answered(
    plane: ControlPlane, made: Sequence[tuple[Landed, RenderedObject, Held]]
) -> Iterator[tuple[Landed, RenderedObject, tuple[dict[str, object], tuple[str, ...]]]]:
    """Those that the API server takes, with its answer and what is volatile in it."""
    client = ApiClient.load(str(plane.admin_kubeconfig))
    landed_of = {id(rendered): landed for landed, rendered, _ in made}
    try:
        for rendered, form in canonical_forms(client, [(rendered, held.kind) for _, rendered, held in made]):
            if form.tree is not None:
                yield landed_of[id(rendered)], rendered, (form.tree, form.volatile)
    finally:
        client.close()
