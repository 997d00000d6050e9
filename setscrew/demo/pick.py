"""Owns choosing the changes that fit a person's own source: which objects, which commands, which answers.

Pure choice; must not run anything. What it finds to change is in `pick_workloads` and `pick_objects`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice, zip_longest
from typing import Final

from setscrew.demo.own_source_plan import Declared
from setscrew.demo.pick_objects import OBJECTS
from setscrew.demo.pick_shared import Pick, target
from setscrew.demo.pick_workloads import WORKLOADS, workloads
from setscrew.demo.player import live
from setscrew.demo.step import DANA, Check, Step
from webhook.registration.kinds import never_registered

REFUSED: Final = 10


def guardable(objects: Sequence[Declared]) -> list[Declared]:
    """The objects that the API server asks a webhook about."""
    return [one for one in objects if not never_registered(one.kind)]


def refused(objects: Sequence[Declared], count: int = REFUSED) -> list[Pick]:
    """One change of each sort that fits, all to be refused; second and third ones of each up to `count`."""
    sorts = [sort(guardable(objects)) for sort in (*WORKLOADS, *OBJECTS)]
    found = [pick for sort in sorts if (pick := next(sort, None))]
    rounds = chain.from_iterable(zip_longest(*sorts))
    found += islice((pick for pick in rounds if pick), max(0, count - len(found)))
    # Deletions come last, as in a story that gets worse.
    return sorted(found, key=lambda pick: "delete" in pick.step.argv)


def allowed(objects: Sequence[Declared]) -> list[Step]:
    """Changes that must pass: a note that steers nothing, and a rolling restart."""
    steps = []
    if candidates := guardable(objects):
        steps.append(_note(candidates[0]))
    steps += [_restart(one) for one in workloads(objects)][:1]
    return steps


def slip(picks: Sequence[Pick]) -> Pick | None:
    """The change that is made while nobody guards: the first that one patch puts back."""
    return next((pick for pick in picks if pick.path), None)


def _note(one: Declared) -> Step:
    return Step(
        "A label that Git does not declare",
        "An object's own labels are free where Git does not name them and they steer nothing. So this one passes.",
        ("kubectl", "label", *target(one), "oncall=dana"),
        "allowed",
        DANA,
        (),
        (Check("the label is there", live("get", *target(one), "-o", "jsonpath={.metadata.labels.oncall}"), "dana"),),
    )


def _restart(one: Declared) -> Step:
    return Step(
        "A rolling restart",
        f"kubectl writes one annotation into the Pod template of {one.ref}. Policy frees this one key by name.",
        ("kubectl", "rollout", "restart", *target(one)),
        "allowed",
        DANA,
    )
