"""Each check of `setscrew doctor`, by facts: what is well, what is told of what is not, and what is done about it."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from reconciler.cluster.calls import Calls
from reconciler.limits import CLOCK_SKEW_SECONDS
from reconciler.model.own import OFF
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.store.schema import SCHEMA_VERSION
from setscrew.doctor import examine
from setscrew.doctor.facts import Asked, Disk, Facts, FileProblem, Held, Running, Served, Server, Stored, Try
from setscrew.doctor.finding import Finding, Missing, status
from setscrew.doctor.rights import NEEDED
from tests.support.healthy import (
    AT,
    HEALTHY,
    LEAF,
    NOON,
    SNAPSHOT,
    SOURCE,
    URL,
    WATCHES,
    edited,
    held,
    nothing,
    registered,
    served,
)

ENTRY = "apps-v1.guard.setscrew.dev"
OLD = "2030-01-02T11:30:00Z"


def findings(**changes: Any) -> list[Finding]:
    return examine.examine(dataclasses.replace(HEALTHY, **changes))


def entry(live: dict[str, Any], name: str = ENTRY) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in live["webhooks"] if one["name"] == name)
    return found


def managed(live: dict[str, Any], name: str = ENTRY, **fields: Any) -> None:
    """Kubectl has set these fields of an entry."""
    entry(live, name).update(fields)
    place = {f'k:{{"name":"{name}"}}': {f"f:{one}": {} for one in fields}}
    one = {"manager": "kubectl-edit", "operation": "Update", "time": AT, "fieldsV1": {"f:webhooks": place}}
    live["metadata"]["managedFields"].append(one)


def drop(live: dict[str, Any], name: str = ENTRY) -> None:
    live["webhooks"].remove(entry(live, name))


def served_until(**age: float) -> Server:
    """An admission server whose certificate of 90 days ends at that time from now."""
    leaf = dataclasses.replace(LEAF, not_after=NOON + timedelta(**age), not_before=NOON - timedelta(days=80))
    return Server(URL, 200, leaf=leaf)


def with_object(kind: KindInfo, namespace: str = "shop", name: str = "other") -> Any:
    """The snapshot with one more object, of that kind."""
    first = SNAPSHOT.entries[0]
    ref = ObjectRef(kind.group, kind.kind, namespace, name)
    more = dataclasses.replace(first, object=dataclasses.replace(first.object, kind=kind, ref=ref))
    return dataclasses.replace(SNAPSHOT, entries=(*SNAPSHOT.entries, more))


LEASE = KindInfo("coordination.k8s.io", "v1", "Lease", "leases", namespaced=True)
POD = KindInfo("", "v1", "Pod", "pods", namespaced=True)
WIDGET = KindInfo("example.org", "v1", "Widget", "widgets", namespaced=True)
CONFIG_MAPS = KindInfo("", "v1", "ConfigMap", "configmaps", namespaced=True)
UNADOPTED = dataclasses.replace(SNAPSHOT.entries[0], adopted=False)
WATCHED = {"shop": dataclasses.replace(SNAPSHOT.sources["shop"], enforced=False)}
NO_CANARY = Missing("no identity for the canary was given", "give --canary-kubeconfig")
OFF_SINCE = edited(lambda live: (live["metadata"].update(annotations={OFF: f"{AT} dana"}), live["webhooks"].clear()))
SPAN = {"cause": "fail-open", "since": AT, "until": "", "entries": [ENTRY], "writes": 12, "detail": "counted"}

CASES: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "the server is gone": (
        {"server": Server(URL, error="Connection refused")},
        *("server", "problem", f"{URL} does not answer: Connection refused → start `setscrew run`"),
    ),
    "the server has no snapshot": ({"server": Server(URL, 503, leaf=LEAF)}, "server", "problem", "HTTP 503) → "),
    "the canary is admitted": (
        {"tries": (Try(ENTRY, "Deployment.apps shop/one", "blind", "its change was admitted", "look"),)},
        *("calls", "problem", "apps-v1 refuses nothing, shown by a dry-run on Deployment.apps shop/one"),
    ),
    "writes fail closed": (
        {"tries": (Try(ENTRY, "x", "silent", "refused", "start the admission server"),)},
        *("calls", "problem", "apps-v1 gets no answer, so writes are refused"),
    ),
    "the canary lacks a right": (
        {"tries": (Try(ENTRY, "x", "unsure", "cannot patch", "give the canary the right"),)},
        *("calls", "unknown", "could not be proved: cannot patch → give the canary the right"),
    ),
    "nothing to try is there": ({"tries": (Try(ENTRY, "x", "gone"),)}, "calls", "unknown", "no guarded object"),
    "metrics without a failure": ({"tries": NO_CANARY}, "calls", "ok", "none of 10 calls failed"),
    "metrics with failures": (
        {"tries": NO_CANARY, "calls": Calls(10, 2, 3)},
        *("calls", "warning", "5 of 10 calls failed since the API server began, by its metrics: 3 writes passed"),
    ),
    "metrics without a call": (
        {"tries": NO_CANARY, "calls": Calls()},
        *("calls", "unknown", "no entry was called yet since the API server began, by its metrics → give --canary"),
    ),
    "no registration": ({"registration": None}, "registration", "problem", "there is none: nothing is refused"),
    "no registration, on purpose": (
        {"registration": None, "report_only": True},
        *("registration", "warning", "as --no-register says"),
    ),
    "switched off": (
        {"registration": OFF_SINCE},
        *("registration", "problem", f"switched off at {AT} dana: nothing is refused → `setscrew register --state"),
    ),
    "an entry is gone": ({"registration": edited(drop)}, "registration", "problem", "apps-v1 (gone)"),
    "an entry is edited": (
        {"registration": edited(lambda live: managed(live, rules=[], matchConditions=[]))},
        *("registration", "problem", "apps-v1 (rules, matchConditions); the last to write to it was kubectl-edit at"),
    ),
    "a URL of another machine": (
        {"url": "https://10.0.0.1:8443"},
        *("registration", "problem", "(clientConfig)"),
    ),
    "an admin's failurePolicy": (
        {"registration": edited(lambda live: managed(live, failurePolicy="Fail"))},
        *("registration", "warning", "failurePolicy Fail stays, as kubectl-edit has set it"),
    ),
    "an entry of somebody else": (
        {"registration": edited(lambda live: live["webhooks"].append({"name": "their.example.org"}))},
        *("registration", "warning", "entries of others stand in our object: their.example.org"),
    ),
    "an entry for what is guarded no more": (
        {"registration": registered(with_object(WIDGET))},
        *("registration", "warning", "example.org-v1"),
    ),
    "our label is gone": (
        {"registration": edited(lambda live: live["metadata"].pop("labels"))},
        *("registration", "warning", "our label is gone"),
    ),
    "a kind that is never guarded": (
        {"snapshot": with_object(LEASE), "served": served(snapshot=with_object(LEASE))},
        *("coverage", "warning", "1 object of coordination.k8s.io/Lease are compared"),
    ),
    "a kind that is not served": (
        {"snapshot": with_object(WIDGET), "registration": registered(with_object(WIDGET))},
        *("coverage", "warning", "example.org/Widget (v1): the cluster does not serve that kind → install its"),
    ),
    "a kind whose server is down": (
        {
            "snapshot": with_object(WIDGET),
            "registration": registered(with_object(WIDGET)),
            "served": served()._replace(down=("example.org/v1",)),
        },
        *("coverage", "warning", "its API service is down: repair it"),
    ),
    "a kind that no entry asks about": (
        {"registration": edited(drop)},
        *("coverage", "problem", "no entry asks about apps/Deployment (v1) in namespace shop"),
    ),
    "a kind of which only the status is asked about": (
        {"registration": edited(lambda live: entry(live)["rules"][0].update(resources=["deployments/status"]))},
        *("coverage", "problem", "no entry asks about apps/Deployment (v1) in namespace shop"),
    ),
    "a namespace that no entry asks about": (
        {"snapshot": with_object(CONFIG_MAPS, "elsewhere"), "served": served()},
        *("coverage", "problem", "no entry asks about ConfigMap (v1) in namespace elsewhere"),
    ),
    "a Pod of a system namespace": (
        {
            "snapshot": with_object(POD, "kube-system"),
            "registration": registered(with_object(POD, "kube-system")),
            "served": served(snapshot=with_object(POD)),
        },
        *("coverage", "warning", "Pod (v1) in namespace kube-system, so that a cluster can start → nothing"),
    ),
    "another authority": (
        {"trust": dict.fromkeys(HEALTHY.trust, "unable to get local issuer certificate")},  # type: ignore[arg-type]
        *("ca-bundle", "problem", "does not vouch for what is served: unable to get local issuer"),
    ),
    "nothing is registered to vouch": ({"registration": None}, "ca-bundle", "unknown", "nothing is registered"),
    "another host": (
        {"server": Server("https://guard.example.org:8443", 200, leaf=LEAF)},
        *("certificate", "problem", "not for guard.example.org: it has the names 127.0.0.1, localhost → have it"),
    ),
    "an ended certificate": ({"server": served_until(hours=-1)}, "certificate", "problem", "ended 1 hour ago → who"),
    "one that ends soon": ({"server": served_until(days=6)}, "certificate", "warning", "ends in 6 days, and is not"),
    "one that ends later": ({"server": served_until(days=8)}, "certificate", "ok", "ends in 8 days"),
    "one of tomorrow": (
        {"server": Server(URL, 200, leaf=dataclasses.replace(LEAF, not_before=NOON + timedelta(hours=1)))},
        *("certificate", "problem", "is not valid before 2030-01-02 13:00 UTC"),
    ),
    "a file that ended": (
        {"files": (FileProblem("tls/tls.crt", "ended 1 day ago", "renew it"),)},
        *("certificate-files", "problem", "tls/tls.crt ended 1 day ago → renew it"),
    ),
    "a clock that is ahead": ({"skew": 61.0}, "clock", "warning", "61 s ahead of this machine's → synchronise"),
    "a clock that is far behind": ({"skew": -CLOCK_SKEW_SECONDS - 1.0}, "clock", "problem", "301 s behind"),
    "a clock within a minute": ({"skew": -60.0}, "clock", "ok", "agree on the time"),
    "a right that it cannot do without": (
        {"asked": Asked("robot", (NEEDED[0],))},
        *("rights", "problem", "robot may not get *.*: it is needed to read what Git may declare → apply"),
    ),
    "a right that it can do without": (
        {"asked": Asked("robot", tuple(one for one in NEEDED if one.path))},
        *("rights", "warning", "may not get /metrics: it is needed to count"),
    ),
    "no policy": (
        {"held": {"setscrew-canary": Held(True)}},
        *(
            "identities",
            "problem",
            "no ValidatingAdmissionPolicy setscrew-canary → kubectl apply -f manifests/base/canary",
        ),
    ),
    "nobody to be held": ({"held": {"setscrew-canary": Held(False)}}, "identities", "warning", "is not held"),
    "a policy that is not bound": (
        {"held": {"setscrew-canary": Held(True, held().policy)}},
        *("identities", "problem", "is not bound"),
    ),
    "a binding that only warns": (
        {"held": {"setscrew-canary": held(binding={"validationActions": ["Warn"]})}},
        *("identities", "problem", "denies nothing"),
    ),
    "a binding for some objects": (
        {"held": {"setscrew-canary": held(binding={"matchResources": {"namespaceSelector": {}}})}},
        *("identities", "problem", "for some objects only"),
    ),
    "a policy that fails open": (
        {"held": {"setscrew-canary": held(policy={"failurePolicy": "Ignore"})}},
        *("identities", "problem", "was weakened"),
    ),
    "an old API server": ({"served": served("v1.29.9")}, "versions", "problem", "v1.29.9, without matchConditions"),
    "an untested API server": (
        {"served": served("v1.33.1+k3s1")},
        "versions",
        "warning",
        "tested are 1.36, 1.35, 1.34",
    ),
    "a later API server": ({"served": served("v1.37.0")}, "versions", "warning", "is v1.37.0; tested are"),
    "a version that says nothing": ({"served": served("")}, "versions", "unknown", "cannot be read"),
    "two reconcilers": ({"running": Running(True, True, 2)}, "reconciler", "problem", "2 reconcilers work on"),
    "no reconciler": ({"running": Running(False, False, 0)}, "reconciler", "problem", "not followed, the registration"),
    "a dead reconciler": ({"running": Running(True, False, 0)}, "reconciler", "problem", "takes no messages"),
    "a stale report": (
        {"stored": Stored((SOURCE,), WATCHES, (), OLD)},
        *("reconciler", "warning", f"the drift report is stale: last compared {OLD}"),
    ),
    "an older store": ({"schema": "2"}, "store", "warning", f"takes it over to {SCHEMA_VERSION} → restart"),
    "a store of a later version": (
        {"schema": "99"},
        "store",
        "problem",
        f"this version reads {SCHEMA_VERSION} → use",
    ),
    "a damaged snapshot": (
        {"snapshot_problem": "not the digest of its pointer"},
        *("snapshot", "problem", "cannot be used: not the digest of its pointer → remove"),
    ),
    "a source that cannot be fetched": (
        {"stored": Stored(({**SOURCE, "state": "FetchFailed", "message": "no such host"},), WATCHES, (), AT)},
        *("sources", "problem", f"shop is FetchFailed since {AT}: no such host → the last good revision"),
    ),
    "a source that was not read yet": (
        {"stored": Stored(({**SOURCE, "state": "Pending"},), WATCHES, (), AT)},
        *("sources", "warning", "shop was not read yet"),
    ),
    "no source": ({"stored": Stored((), WATCHES, (), AT)}, "sources", "warning", "no source is known"),
    "a watched source": (
        {"snapshot": dataclasses.replace(SNAPSHOT, sources=WATCHED)},
        *("enforcement", "ok", "nothing of them is refused: shop → `setscrew enforce SOURCE`"),
    ),
    "an object that waits": (
        {"snapshot": dataclasses.replace(SNAPSHOT, entries=(UNADOPTED, *SNAPSHOT.entries[1:]))},
        *("enforcement", "ok", "not enforced as long as they differ: Deployment.apps shop/one"),
    ),
    "a canary that is admitted": (
        {
            "stored": Stored(
                (SOURCE,), {"canary": {"state": "blind", "at": AT, "detail": "it was", "fix": "look"}}, (), AT
            )
        },
        *("watches", "problem", "canary: blind: it was → look"),
    ),
    "no canary": (
        {"stored": Stored((SOURCE,), {"canary": {"state": "not-configured", "at": AT, "fix": "give one"}}, (), AT)},
        *("watches", "warning", "canary: not-configured → give one"),
    ),
    "a watch that has fallen silent": (
        {"stored": Stored((SOURCE,), {"failOpen": {"state": "counted", "at": OLD}}, (), AT)},
        *("watches", "warning", f"calls that fail open: nothing was heard of it since {OLD}, when it was counted"),
    ),
    "a canary that is slow on purpose": (
        {"stored": Stored((SOURCE,), {"canary": {"state": "sees", "at": OLD}}, (), AT)},
        *("watches", "ok", "canary: sees"),
    ),
    "an audit log in which nothing has changed": (
        {"stored": Stored((SOURCE,), {"auditLog": {"state": "followed", "at": OLD}}, (), AT)},
        *("watches", "ok", "audit log of the API server: followed"),
    ),
    "no watch yet": ({"stored": Stored((SOURCE,), {}, (), AT)}, "watches", "unknown", "not looked at the guard"),
    "an open span": (
        {"stored": Stored((SOURCE,), WATCHES, (SPAN,), AT)},
        *("blind", "problem", f"blind from {AT} until now: 12 writes passed unjudged"),
    ),
    "a disk that is nearly full": ({"disk": Disk(500 * 1024**2, 1024**4)}, "disk", "warning", "0.5 GiB of 1024.0"),
    "a full disk": ({"disk": Disk(0, 1024**4)}, "disk", "problem", "are free for the state directory → make room"),
}


def test_a_healthy_installation_is_well_in_all_checks() -> None:
    found = findings()
    assert [one for one in found if one.state != "ok"] == []
    assert list(dict.fromkeys(one.check for one in found)) == list(examine.CHECKS)
    assert status(found, seen=HEALTHY.seen) == 0


@pytest.mark.parametrize("name", CASES)
def test_a_check_tells(name: str) -> None:
    changes, check, state, words = CASES[name]
    found = findings(**changes)
    told = [f"{one.what} → {one.fix}" for one in found if (one.check, one.state) == (check, state)]
    assert [line for line in told if words in line], [one for one in found if one.check == check]
    assert (status(found, seen=True) == 1) == any(one.state == "problem" for one in found)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[2] == "problem"])
def test_every_problem_has_a_fix(name: str) -> None:
    assert [one for one in findings(**CASES[name][0]) if one.state == "problem" and not one.fix] == []


def test_every_check_has_a_case_that_is_not_well() -> None:
    assert {case[1] for case in CASES.values() if case[2] in ("problem", "warning", "unknown")} >= set(
        examine.CHECKS
    ) - {"enforcement"}


def test_what_cannot_be_learned_is_unknown_with_what_would_help() -> None:
    facts = nothing("the disk is gone", "fetch it")
    found = examine.examine(facts)
    assert {(one.state, one.what, one.fix) for one in found} == {("unknown", "the disk is gone", "fetch it")}
    assert [one.check for one in found] == list(examine.CHECKS)
    assert status(found, seen=facts.seen) == 3


@pytest.mark.parametrize("name", [one.name for one in dataclasses.fields(Facts) if "Missing" in str(one.type)])
def test_one_fact_that_is_missing_makes_no_problem(name: str) -> None:
    found = findings(**{name: Missing("gone")})
    assert [one for one in found if one.state == "problem"] == []
    assert {one.check for one in found} == set(examine.CHECKS)


def test_a_check_that_fails_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Facts) -> list[Finding]:
        raise ValueError("a secret value")

    monkeypatch.setitem(examine.CHECKS, "clock", fails)
    found = findings()
    (one,) = [one for one in found if one.check == "clock"]
    assert (one.state, "ValueError in test_checks.py" in one.what) == ("unknown", True)
    assert "secret" not in one.what
    assert len({one.check for one in found}) == len(examine.CHECKS)


def test_a_problem_weighs_more_than_what_could_not_be_seen() -> None:
    problem = Finding("disk", "problem", "full")
    assert [status([problem], seen=seen) for seen in (True, False)] == [1, 1]
    assert [status([], seen=seen) for seen in (True, False)] == [0, 3]


def test_what_is_printed_is_one_line_that_no_terminal_obeys() -> None:
    shown = Finding("disk", "problem", "one\n\x1b[31mtwo", "three\t").as_json()
    assert all(text.isprintable() for text in shown.values())
    assert Served("", frozenset()).serves(POD) is False
