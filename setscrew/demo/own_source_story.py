"""Owns the story that is told with a person's own source: its chapters, made of what fits. Must not run or print."""

from __future__ import annotations

import json
from collections.abc import Sequence

from setscrew.demo import pick
from setscrew.demo.own_source_plan import Declared, Plan
from setscrew.demo.pick_shared import Pick, at, spelled, value
from setscrew.demo.stage import Stage
from setscrew.demo.step import ADMIN, ARGOCD, DANA, Chapter, Check, Step

_SYNC = ("apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller")
_RETURNS_SECONDS = 30


def chapters(plan: Plan) -> list[Chapter]:
    """At least ten changes that fit what the source declares, and the answers that they must get."""
    picks = pick.refused(plan.objects)
    by_hand = [one.step for one in picks]
    return [
        Chapter(
            "Changes by hand",
            "admin is in system:masters, which passes every RBAC rule. Admission asks after RBAC, and asks Git.",
            tuple(by_hand),
        ),
        Chapter("What passes", "Notes, restarts and the GitOps controller are not in the way.", _passing(plan)),
        *_unguarded(picks),
    ]


def _passing(plan: Plan) -> tuple[Step, ...]:
    steps = pick.allowed(plan.objects)
    if readable := [one for one in pick.guardable(plan.objects) if one.ref.kind != "Secret"]:
        steps.append(_synced(min(readable, key=lambda one: len(json.dumps(one.tree)))))
    return tuple(steps)


def _synced(one: Declared) -> Step:
    return Step(
        "The GitOps controller syncs again",
        "The service account of Argo CD's controller, with a real token. Its writes are held against Git as well, "
        f"and {one.ref} as Git declares it agrees.",
        ("kubectl", *_SYNC, "-f", "-"),
        "allowed",
        ARGOCD,
        ("serverside-applied",),
        (),
        json.dumps(one.tree, indent=1) + "\n",
    )


def _unguarded(picks: Sequence[Pick]) -> list[Chapter]:
    """Drift that is made while nobody guards, its report, and its repair."""
    slip = pick.slip(picks)
    if slip is None:
        return []
    return [
        Chapter(
            "While nobody guards",
            "Switched off, Setscrew still reports: nothing slips in unseen.",
            (
                Step(
                    "The off-switch",
                    "One command takes the registration away. Nothing is refused from here on.",
                    ("setscrew", "register", "--remove"),
                    "allowed",
                    says=("nothing is refused any more",),
                    checks=(Check("the API server asks nobody", _asks, "asks nobody", _RETURNS_SECONDS),),
                ),
                _made(slip),
                Step(
                    "What slipped in",
                    "The report compares the cluster with Git: field, both values, since when, who, which file.",
                    ("setscrew", "drift"),
                    "drift",
                ),
                Step(
                    "Guard again",
                    "The same command without --remove writes the registration back, from the current snapshot.",
                    ("setscrew", "register", "--url", "{webhook}"),
                    "allowed",
                    checks=(Check("the API server asks again", _asks, "asks", _RETURNS_SECONDS),),
                ),
                _put_back(slip),
            ),
        )
    ]


def _made(slip: Pick) -> Step:
    """The first change once more; afterwards the report must know."""
    return Step(
        f"{slip.step.title} again",
        "The same command as above, word for word.",
        slip.step.argv,
        "allowed",
        ADMIN,
        (),
        (Check("the next look at the cluster finds it", lambda stage: _found(stage, slip), "found", _RETURNS_SECONDS),),
    )


def _put_back(slip: Pick) -> Step:
    return Step(
        "Back to what Git says",
        "A change that moves a field to exactly Git's value is a repair: anybody who has the rights may make it.",
        slip.repair,
        "allowed",
        DANA,
        (),
        (
            Check(
                "the cluster holds what Git says",
                value(slip.on, slip.path),
                spelled(at(slip.on.tree, slip.path)),
            ),
        ),
    )


def _asks(stage: Stage) -> str:
    return "asks" if stage.guarded() else "asks nobody"


def _found(stage: Stage, slip: Pick) -> str:
    items = (stage.drift() or {}).get("items") or []
    ref = slip.on.ref
    known = {(item["kind"], item["namespace"], item["name"]) for item in items if item["state"] == "drifted"}
    return "found" if (ref.kind, ref.namespace, ref.name) in known else "not yet"
