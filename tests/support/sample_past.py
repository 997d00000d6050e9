"""Owns what lies behind the sample report: a month of days, a fight that is over, what nobody declares. No findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.model.instant import stamp
from reconciler.model.ref import ObjectRef
from reconciler.report.drift import Attribution, DriftChange, DriftItem, DriftSource, Owner, finding_id
from reconciler.report.standing import Sight
from reconciler.report.unmanaged import Place, Unmanaged
from reconciler.store.days import Count, count_days
from reconciler.store.findings import put_findings
from reconciler.store.history import note_history
from reconciler.store.namespaces import keep_namespaces
from reconciler.store.standing import save_standing
from reconciler.store.state import State
from reconciler.store.unmanaged import save_unmanaged

FOUGHT = ObjectRef("apps", "Deployment", "payments", "worker")
OPPONENT = "system:serviceaccount:keda:keda-operator"
# How many days ago counting began.
_DAYS = 26
_SHARES: tuple[tuple[Count, int], ...] = (("found", 1), ("resolved", 1), ("denials", 2))


def fill(state: State, now: datetime, source: DriftSource, sights: dict[ObjectRef, str], team: tuple[str, str]) -> None:
    """All of it. `sights` are guarded objects with their sources, `team` is that of what was fought over."""
    _fight(state, now, source, team)
    _days(state, now)
    labels = {
        "shop": ("shop", "4711"),
        "payments": ("payments", "4712"),
        "ml": ("vision", "4780"),
        "sandbox": ("shop", "4711"),
    }
    keep_namespaces(state, {name: {"team": team, "cost_center": cost} for name, (team, cost) in labels.items()})
    places = {
        "": Place(70, {"rbac.authorization.k8s.io/ClusterRole": 4}),
        "ml": Place(74, {"ConfigMap": 11}),
        "payments": Place(41),
        "sandbox": Place(0, {"ConfigMap": 23, "apps/Deployment": 6, "Service": 5}),
        "shop": Place(702, {"ConfigMap": 2, "Service": 1}),
    }
    save_unmanaged(state, Unmanaged(stamp(now - timedelta(minutes=4)), places))
    adopted = {ref: Sight(name, adopted=True, uid="") for ref, name in sights.items()}
    save_standing(state, {}, adopted, stamp(now - timedelta(days=90)), {"platform": "0b6c9a1f4e7d" + "0" * 28})


def _fight(state: State, now: datetime, source: DriftSource, team: tuple[str, str]) -> None:
    """An object that was put back five times in ten minutes, an hour ago, and is as Git says since then."""
    began = now - timedelta(minutes=70)
    change = DriftChange("/spec/replicas", "replace", 4, 12, "changed", "keda", "Update", stamp(began), "spec.replicas")
    item = DriftItem(
        finding_id(FOUGHT), "f", "apps/v1", FOUGHT.kind, FOUGHT.namespace, FOUGHT.name, "drifted", source, (change,),
        Attribution("keda", OPPONENT, stamp(began), "admission", (), "patch"), stamp(began), stamp(began),
        confidence="server", severity="medium", owner=Owner(*team, "", {}, "namespace"),
        patch=({"op": "replace", "path": "/spec/replicas", "value": 4},), occurrences=5,
    )  # fmt: skip
    put_findings(state, [item])
    over = stamp(began + timedelta(minutes=8))
    told = {"verb": "apply", "fields": ["spec.replicas"], "revision": source.revision, "opponent": OPPONENT}
    note_history(state, item.id, "healed", over, told)
    note_history(state, item.id, "fight", over, {"opponent": OPPONENT, "corrections": 5, "seconds": 600, "pause": 300})
    put_findings(state, [replace(item, state="in-sync", changes=(), last_seen=over)])


def _days(state: State, now: datetime) -> None:
    with state.write() as connection:
        count_days(connection, state.cluster, _counts(now))


def _counts(now: datetime) -> Iterator[tuple[Count, str, str]]:
    """Every seventh day is a quiet one, and one day was bad."""
    for back in range(_DAYS, 0, -1):
        at, quiet = stamp(now - timedelta(days=back)), back % 7 in (0, 1)
        for place, namespace in enumerate(("shop", "payments", "ml", "")):
            number = 0 if quiet else (back * (place + 3)) % 5 + (14 if back == 9 and not place else 0)
            for what, share in _SHARES:
                yield from [(what, at, namespace)] * (number * share)
