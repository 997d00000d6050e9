"""Holds that it does not matter how an object is dry-run: POST, PUT and a copy give one form after masks.

Own small objects of many kinds, and the corpora where they are at hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from reconciler.canonical.engine import canonicalize, confirm
from reconciler.cluster.api import ApiClient
from reconciler.cluster.dryrun import Answer, DryRunner
from reconciler.cluster.live import read_live
from reconciler.cluster.pace import Pace
from reconciler.cluster.scratch import NAME_BOUND, body_of, carries_over
from reconciler.cluster.volatile import differing
from reconciler.errors import ApiError
from reconciler.limits import DRY_RUNS_PER_SECOND
from setscrew.controlplane import ControlPlane
from tests.support.controlplane import Shared
from tests.support.corpus import SEEDS, Entry, Held, Landed, clear, entries, landed_here
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(500)]

# What lends values to others, and so has to be there while they are asked about.
LENDERS = {"IngressClass", "LimitRange", "PriorityClass", "RuntimeClass", "ServiceAccount", "StorageClass"}
LAST = {"apiregistration.k8s.io", "admissionregistration.k8s.io"}


@dataclass(frozen=True)
class Ways:
    """The forms of every object of one entry by the way of asking; refusals in words."""

    forms: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)

    def ask(self, landed: Landed, one: Held, way: str, run: Callable[[], Answer]) -> None:
        """Ask twice, as at first sight, and keep the form."""
        try:
            first, second = body_of(run().tree), body_of(run().tree)
        except ApiError as error:
            self.refusals[f"{one.name} {way}"] = error.message
            return
        offline = canonicalize(one.rendered, landed.context)
        form = confirm(offline, first, differing(first, second), landed.context)
        self.forms.setdefault(one.name, {})[way] = form.want


@pytest.fixture(scope="module", params=[pytest.param(SEEDS, id="seeds"), *entries()])
def ways(request: pytest.FixtureRequest, shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    """PUT and copy while an entry is in the cluster, POST when all of it but namespaces and definitions is gone."""
    plane, entry = shared.get(), request.param
    assert isinstance(entry, Entry)
    landed, found = landed_here(plane, entry, tmp_path_factory.getbasetemp()), Ways()
    client = ApiClient.load(str(plane.admin_kubeconfig))
    runner = DryRunner(client, Pace(DRY_RUNS_PER_SECOND))
    try:
        free = [one for one in landed.objects if (one.kind.group, one.kind.kind) not in NAME_BOUND]
        for one in free:
            body = body_of(one.rendered.tree)
            if one.live is not None and not carries_over(one.kind, body):
                found.ask(landed, one, "put", lambda one=one, body=body: runner._put(one.kind, body, one.live))
            found.ask(landed, one, "copy", lambda one=one, body=body: runner._copy(one.kind, body))
        for lenders in (False, True):
            some = [one for one in free if (one.rendered.ref.kind in LENDERS) is lenders]
            remove(plane, client, some)
            for one in some:
                body = body_of(one.rendered.tree)
                found.ask(landed, one, "post", lambda one=one, body=body: runner.run(one.kind, body, None))
        yield found
    finally:
        client.close()
        clear(plane, landed)


def remove(plane: ControlPlane, client: ApiClient, objects: list[Held]) -> None:
    """Delete them, what hooks into writes first, and wait until they are gone."""
    for hooks in (True, False):
        some = [one for one in objects if (one.kind.group in LAST) is hooks]
        if some:
            text = "---\n".join(json.dumps(one.rendered.tree) + "\n" for one in some)
            plane.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", input=text)
    wanted = [(one.rendered.ref, one.kind) for one in objects]
    eventually(lambda: not read_live(client, wanted).objects, "all of it is gone")


def test_every_way_gives_the_same_form(ways: Ways) -> None:
    differ = {
        name: {way: differing(forms["post"], form) for way, form in forms.items() if form != forms["post"]}
        for name, forms in ways.forms.items()
        if "post" in forms
    }
    assert {name: places for name, places in differ.items() if places} == {}
    assert len(ways.forms) >= 5


def test_no_way_is_refused_where_the_cluster_is_open(ways: Ways) -> None:
    assert ways.refusals == {}
    assert {name for name, forms in ways.forms.items() if not {"copy", "post"} <= set(forms)} == set()
