"""Which objects a watch has looked at: those that differ in what a comparison reads, and those whose want does."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.errors import ApiError, UnreachableError
from reconciler.limits import DETECT_AT_ONCE, DETECT_GONE_SECONDS, DETECT_RETRY_SECONDS
from reconciler.loop import marks, scan
from reconciler.loop.detecting import Detecting
from reconciler.loop.digests import differing, digest
from reconciler.loop.enriching import Enricher
from reconciler.loop.passes import full_pass
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.report.drift import finding_id
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.findings import last_pass, read_findings
from reconciler.store.history import read_history
from reconciler.store.watched import read_watch
from tests.support.fake_cluster import FakeCluster
from tests.support.waiting import eventually
from tests.unit.loop.conftest import CONFIG, Site

MAPS = KindInfo("", "v1", "ConfigMap", "configmaps", namespaced=True)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = b"k" * 32


def live(name: str, value: str = "old", **metadata: Any) -> dict[str, Any]:
    found = {"name": name, "namespace": "shop", "resourceVersion": "2", "uid": f"u-{name}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": found | metadata, "data": {"a": value}}


def ref(name: str) -> ObjectRef:
    return ObjectRef("", "ConfigMap", "shop", name)


class Cluster(FakeCluster):
    """Also answers a GET of one object by what a list holds."""

    down = False
    asked: list[str]

    def request(self, method: str, path: str, _: Any = None, query: Any = None) -> Any:  # type: ignore[override]
        if self.down:
            raise UnreachableError("nobody answers")
        name = path.rpartition("/")[2]
        if name in ("configmaps", "namespaces", "customresourcedefinitions"):
            return super().request(method, path, query=query) if name == "configmaps" else {"items": []}
        self.asked.append(name)
        if error := self.broken.get(name):
            raise error
        for tree in self.objects["configmaps"]:
            if tree["metadata"]["name"] == name:
                return tree
        raise ApiError("not found", status=404)

    def set(self, *trees: dict[str, Any]) -> None:
        self.objects["configmaps"] = list(trees)
        self.asked = []


@pytest.fixture
def cluster() -> Cluster:
    return Cluster([MAPS])


@pytest.fixture
def detecting(site: Site, cluster: Cluster) -> Detecting:
    """Two objects, both as Git says, compared once and watched."""
    site.push("shop", CONFIG % ("one", "old") + "---\n" + CONFIG % ("two", "old"))
    found = site.reconciler()
    found.sync()
    found.client = cluster  # type: ignore[assignment]
    cluster.set(live("one"), live("two"), live("other"))
    one = Detecting(cluster, cluster, found)  # type: ignore[arg-type]
    compared(one)
    one.step()
    cluster.asked = []
    return one


def compared(detecting: Detecting) -> None:
    detecting.prepare()
    began = time.monotonic()
    full_pass(detecting.reconciler, NOW)
    detecting.covered(began, detecting.reconciler.current)


def states(detecting: Detecting) -> dict[str, str]:
    return {one["name"]: one["state"] for one in read_findings(detecting.reconciler.state)[0]}


def turned(detecting: Detecting, wanted: dict[str, str]) -> None:
    """Step until just these findings stand."""

    def turn() -> bool:
        detecting.step()
        return states(detecting) == wanted

    eventually(turn, f"{wanted}", pause=0.02)


def test_nothing_is_looked_at_again_that_the_first_pass_has_seen(detecting: Detecting, cluster: Cluster) -> None:
    detecting.step()
    assert (states(detecting), cluster.asked) == ({}, [])


def test_an_event_has_just_its_object_read_and_what_is_stored_is_what_was_read(
    detecting: Detecting, cluster: Cluster
) -> None:
    cluster.set(live("one", "newest"), live("two"))
    cluster.tell("configmaps", "MODIFIED", live("one", "an older value"))
    turned(detecting, {"one": "drifted"})
    assert cluster.asked == ["one"]
    (item,) = read_findings(detecting.reconciler.state)[0]
    assert item["changes"][0]["live"] == "newest"


@pytest.mark.parametrize("tree", [live("other", "new"), live("one") | {"status": {"ready": True}}])
def test_an_event_of_others_or_of_a_status_costs_nothing(
    detecting: Detecting, cluster: Cluster, tree: dict[str, Any]
) -> None:
    cluster.tell("configmaps", "MODIFIED", tree)
    cluster.tell("configmaps", "MODIFIED", live("two", "new"))
    cluster.set(live("one"), live("two", "new"))
    turned(detecting, {"two": "drifted"})
    assert cluster.asked == ["two"]


def test_what_is_replaced_is_never_missing(detecting: Detecting, cluster: Cluster) -> None:
    seen: list[str] = []
    detecting.reconciler.ledger.listen(lambda items, *_: seen.extend(item.state for item in items))
    stands = time.monotonic()
    detecting._marks.clock = lambda: stands
    cluster.set(live("two"))
    cluster.tell("configmaps", "DELETED", live("one"))
    eventually(lambda: detecting._marks.wait <= DETECT_GONE_SECONDS, "it is heard", pause=0.001)
    detecting.step()
    cluster.set(live("one", "new"), live("two"))
    cluster.tell("configmaps", "ADDED", live("one", "new"))
    turned(detecting, {"one": "drifted"})
    assert "missing" not in seen


def test_what_is_gone_is_missing_unless_its_writer_may_put_it_back(detecting: Detecting, cluster: Cluster) -> None:
    detecting.settling = lambda entry: entry.ref.name == "one"
    cluster.set()
    for name in ("one", "two"):
        cluster.tell("configmaps", "DELETED", live(name))
    turned(detecting, {"two": "missing"})
    assert states(detecting) == {"two": "missing"}


def test_another_revision_has_only_what_it_wants_otherwise_looked_at(
    detecting: Detecting, cluster: Cluster, site: Site
) -> None:
    site.push("shop", CONFIG % ("one", "old") + "---\n" + CONFIG % ("two", "new") + "---\n" + CONFIG % ("three", "x"))
    detecting.reconciler.sync()
    turned(detecting, {"two": "drifted", "three": "missing"})
    assert set(cluster.asked) == {"two", "three"}
    turned(detecting, {"two": "drifted", "three": "missing"})
    report = last_pass(detecting.reconciler.state)
    assert (report.snapshot, report.managed) == (detecting.reconciler.digest, {"ConfigMap|shop": 3})
    site.push("shop", CONFIG % ("one", "old"))
    detecting.reconciler.sync()
    turned(detecting, {})


def test_while_nobody_answers_what_is_to_be_looked_at_is_kept(detecting: Detecting, cluster: Cluster) -> None:
    cluster.set(live("one", "new"), live("two"))
    cluster.down = True
    detecting.look_soon([ref("one")])
    with pytest.raises(UnreachableError):
        detecting.step()
    assert (states(detecting), detecting._marks.wait > 0) == ({}, True)
    assert detecting._marks.oldest <= time.monotonic()
    cluster.down = False
    detecting.look_soon([ref("one")])
    turned(detecting, {"one": "drifted"})


def test_while_nobody_answers_the_report_is_current_up_to_what_was_not_looked_at(
    detecting: Detecting, cluster: Cluster
) -> None:
    now = [time.monotonic()]
    detecting._marks.clock = lambda: now[0]
    cluster.down = True
    detecting.look_soon([ref("one")])
    since = now[0]
    for _ in range(3):
        with pytest.raises(UnreachableError):
            detecting.step()
        now[0] += DETECT_RETRY_SECONDS
    assert detecting._marks.oldest == since


def test_the_first_of_a_long_queue_are_stored_before_the_last_are_read_and_what_was_not_read_is_kept(
    detecting: Detecting, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "DETECT_STORED", 1)
    cluster.set(live("one", "new"), live("two", "new"))
    cluster.broken["two"] = UnreachableError("nobody answers any more")
    detecting.look_soon([ref("one"), ref("two")])
    with pytest.raises(UnreachableError):
        detecting.step()
    assert (cluster.asked, states(detecting)) == (["one", "two"], {"one": "drifted"})
    assert set(detecting._marks._marks) == {ref("two")}


def test_a_pass_reads_one_place_compares_it_and_only_then_reads_the_next(
    site: Site, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "PASS_READ_AT_ONCE", 1)
    other = (CONFIG % ("two", "old")).replace("shop", "inn")
    site.push("shop", CONFIG % ("one", "old") + "---\n" + other + "---\n" + CONFIG % ("three", "old"))
    found = site.reconciler()
    found.sync()
    snapshot = found.current
    assert snapshot is not None
    cluster.set(live("one"), live("two", namespace="inn"), live("three", "new"))
    compared = scan._item

    def noted(entry: Any, *given: Any) -> Any:
        cluster.asked.append(f"={entry.ref.name}")
        return compared(entry, *given)

    monkeypatch.setattr(scan, "_item", noted)
    items = scan.scan(cluster, scan.Scope.of(snapshot, ""), NOW).items  # type: ignore[arg-type]
    shop, inn = ["one", "three", "=one", "=three"], ["two", "=two"]
    assert cluster.asked in (shop + inn, inn + shop)
    assert {item.name: item.state for item in items} == {"one": "in-sync", "two": "in-sync", "three": "drifted"}


def test_an_error_that_nobody_foresaw_is_of_one_object_and_of_no_other(
    detecting: Detecting, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    enricher = detecting.reconciler.ledger.enricher
    enriched = enricher.enriched

    def fails(items: Any, snapshot: Any) -> Any:
        found = list(items)
        if any(item.name == "one" and item.state == "drifted" for item in found):
            raise KeyError("secret")
        return enriched(found, snapshot)

    monkeypatch.setattr(Enricher, "enriched", lambda _, items, snapshot: fails(items, snapshot))
    cluster.set(live("one", "new"), live("two", "new"))
    detecting.look_soon([ref("one"), ref("two")])
    detecting.step()
    assert states(detecting) == {"one": "unknown", "two": "drifted"}
    reasons = [item["reason"] for item in read_findings(detecting.reconciler.state)[0] if item["name"] == "one"]
    assert ("it cannot be compared: KeyError" in reasons[0], "secret" in reasons[0]) == (True, False)
    assert 0 < detecting._marks.wait <= DETECT_RETRY_SECONDS
    monkeypatch.undo()
    detecting.look_soon([ref("one")])
    detecting.step()
    assert states(detecting) == {"one": "drifted", "two": "drifted"}


def test_the_report_names_a_snapshot_only_once_all_that_it_wants_otherwise_was_looked_at(
    detecting: Detecting, cluster: Cluster, site: Site
) -> None:
    before = detecting.reconciler.digest
    many = [f"n{number}" for number in range(DETECT_AT_ONCE - 1)]
    site.push("shop", "---\n".join(CONFIG % (name, "new") for name in ("one", "two", *many)))
    cluster.set(*(live(name, "new") for name in many))
    detecting.reconciler.sync()
    detecting.step()
    assert last_pass(detecting.reconciler.state).snapshot == before
    turned(detecting, {"one": "missing", "two": "missing"})
    detecting.step()
    assert last_pass(detecting.reconciler.state).snapshot == detecting.reconciler.digest


def test_a_kind_that_cannot_be_watched_has_nothing_in_sync_until_it_can(site: Site, cluster: Cluster) -> None:
    site.push("shop", CONFIG % ("one", "old") + "---\n" + CONFIG % ("two", "old"))
    found = site.reconciler()
    found.sync()
    found.client = cluster  # type: ignore[assignment]
    cluster.set(live("one"), live("two", "new"))
    cluster.broken["configmaps"] = ApiError("configmaps is forbidden", status=403)
    one = Detecting(cluster, cluster, found)  # type: ignore[arg-type]
    one.prepare()
    one.step()
    compared(one)
    turned(one, {"one": "unknown", "two": "drifted"})
    assert read_watch(found.state).unwatched == {"ConfigMap": "configmaps is forbidden"}
    cluster.broken.clear()
    turned(one, {"two": "drifted"})


def test_what_changes_too_much_is_compared_by_a_full_pass(
    detecting: Detecting, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    detecting.full = lambda: asked.append("full")
    monkeypatch.setattr("reconciler.loop.detecting.DETECT_MOST", 2)
    site.push("shop", "---\n".join(CONFIG % (name, "new") for name in ("one", "two", "three")))
    detecting.reconciler.sync()
    before = last_pass(detecting.reconciler.state).snapshot
    detecting.step()
    detecting.step()
    assert (asked, states(detecting), last_pass(detecting.reconciler.state).snapshot) == (["full"], {}, before)
    compared(detecting)
    turned(detecting, {"one": "drifted", "two": "drifted", "three": "missing"})
    assert last_pass(detecting.reconciler.state).snapshot == detecting.reconciler.digest


def test_what_a_pass_could_not_see_is_looked_at_again_soon(detecting: Detecting, cluster: Cluster) -> None:
    now = [time.monotonic() + 60.0]
    detecting._marks.clock = lambda: now[0]
    cluster.broken["two"] = ApiError("too many requests", status=429)
    detecting.covered(now[0], detecting.reconciler.current, full_pass(detecting.reconciler, NOW).unseen)
    assert (states(detecting), detecting._marks.wait) == ({"two": "unknown"}, DETECT_RETRY_SECONDS)
    cluster.broken.clear()
    now[0] += DETECT_RETRY_SECONDS
    detecting.step()
    assert states(detecting) == {}


def found_again(detecting: Detecting, cluster: Cluster, broken: str) -> tuple[list[str], list[dict[str, Any]]]:
    """The events of the only finding, once it was found and once it could not be seen; and what stands then."""
    full_pass(detecting.reconciler, NOW)
    (before,) = read_findings(detecting.reconciler.state)[0]
    cluster.broken[broken] = ApiError("too many requests", status=429)
    for _ in range(2):
        full_pass(detecting.reconciler, NOW)
    after = read_findings(detecting.reconciler.state)[0]
    assert [one.ref.name for one in detecting.reconciler.ledger.open if one.state == before["state"]] == [
        before["name"]
    ]
    cluster.broken.clear()
    full_pass(detecting.reconciler, NOW)
    assert read_findings(detecting.reconciler.state)[0] == [before]
    return [event["event"] for event in read_history(detecting.reconciler.state, before["id"])], after


def test_what_git_has_dropped_is_not_gone_because_a_pass_could_not_see_it(
    detecting: Detecting, cluster: Cluster, site: Site
) -> None:
    site.push("shop", CONFIG % ("one", "old"))
    detecting.reconciler.sync()
    events, after = found_again(detecting, cluster, "two")
    assert (events, [item["state"] for item in after]) == (["detected"], ["orphaned"])
    cluster.set(live("one"))
    full_pass(detecting.reconciler, NOW)
    assert states(detecting) == {}


def test_what_git_does_not_declare_of_its_own_kind_is_not_gone_because_a_pass_could_not_list_it(
    detecting: Detecting, cluster: Cluster
) -> None:
    snapshot = detecting.reconciler.current
    assert snapshot is not None
    entries = (replace(one, policy=replace(one.policy, exclusive=True)) for one in snapshot.entries)
    detecting.reconciler.current = replace(snapshot, entries=tuple(entries))
    events, after = found_again(detecting, cluster, "configmaps")
    assert (events, {item["name"]: item["state"] for item in after}) == (["detected"], {"other": "extra"})
    cluster.set(live("one"), live("two"))
    full_pass(detecting.reconciler, NOW)
    assert states(detecting) == {}


# One name of the cluster, in every finding and its id.


def test_in_a_named_cluster_watch_and_passes_speak_of_the_same_findings(site: Site, cluster: Cluster) -> None:
    site.cluster = "west"
    site.push("shop", CONFIG % ("one", "old") + "---\n" + CONFIG % ("two", "old"))
    found = site.reconciler()
    found.sync()
    found.client = cluster  # type: ignore[assignment]
    cluster.set(live("one", "new"), live("two"))
    one = Detecting(cluster, cluster, found)  # type: ignore[arg-type]
    compared(one)
    one.step()
    assert [named(item) for item in read_findings(found.state)[0]] == [("west", finding_id(ref("one"), "west"))]
    cluster.set(live("one", "new"), live("two", "new"))
    cluster.tell("configmaps", "MODIFIED", live("two", "new"))
    turned(one, {"one": "drifted", "two": "drifted"})
    full_pass(found, NOW)
    both = {("west", finding_id(ref(name), "west")) for name in ("one", "two")}
    assert {named(item) for item in read_findings(found.state)[0]} == both
    cluster.broken["two"] = ApiError("forbidden", status=403)
    cluster.broken["configmaps"] = ApiError("forbidden", status=403)
    full_pass(found, NOW)
    assert {named(item) for item in read_findings(found.state)[0]} == both | {("west", finding_id(ref("one"), "west"))}
    cluster.broken.clear()
    cluster.set(live("one"), live("two"))
    for name in ("one", "two"):
        cluster.tell("configmaps", "MODIFIED", live(name))
    turned(one, {})
    events = [[event["event"] for event in read_history(found.state, one)] for _, one in sorted(both)]
    assert events == [["detected", "resolved"]] * 2


def test_in_a_named_cluster_what_git_drops_is_one_finding_from_drift_to_orphan(site: Site, cluster: Cluster) -> None:
    site.cluster = "west"
    site.push("shop", CONFIG % ("one", "old") + "---\n" + CONFIG % ("two", "old"))
    found = site.reconciler()
    found.sync()
    found.client = cluster  # type: ignore[assignment]
    cluster.set(live("one"), live("two", "new"))
    one = Detecting(cluster, cluster, found)  # type: ignore[arg-type]
    compared(one)
    site.push("shop", CONFIG % ("one", "old"))
    found.sync()
    full_pass(found, NOW)
    assert [(*named(item), item["state"]) for item in read_findings(found.state)[0]] == [
        ("west", finding_id(ref("two"), "west"), "orphaned")
    ]
    one.step()
    assert states(one) == {"two": "orphaned"}


def named(item: dict[str, Any]) -> tuple[str, str]:
    return item["cluster"], item["id"]


# Digests


def test_a_digest_changes_with_what_a_comparison_reads_and_with_nothing_else() -> None:
    def of(**changes: Any) -> bytes:
        return digest(live("one") | changes, KEY)

    writer = {"manager": "kubectl", "operation": "Update", "time": "1", "fieldsV1": {"f:data": {}}}
    kubelet = {"manager": "kubelet", "operation": "Update", "time": "1", "subresource": "status", "fieldsV1": {}}
    same = [of(), of(status={"x": 1}), digest(live("one", resourceVersion="9", generation=3), KEY)]
    same += [digest(live("one", managedFields=[kubelet]), KEY)]
    assert {len(one) for one in same} == {16}
    assert len(set(same)) == 1
    held = digest(live("one", managedFields=[writer]), KEY)
    assert held == digest(live("one", managedFields=[writer | {"time": "2"}, kubelet]), KEY)
    others = [of(data={}), digest(live("one", uid="other"), KEY), digest(live("one"), b"another key"), held]
    assert len({*others, of()}) == len(others) + 1


def test_where_something_is_declared_and_by_whom_it_is_enforced_is_no_difference(site: Site) -> None:
    site.push("shop", CONFIG % ("one", "old"))
    found = site.reconciler()
    found.sync()
    assert found.current is not None
    before = found.current
    (entry,) = before.entries

    def after(**changes: Any) -> MemorySnapshot:
        return replace(before, entries=(replace(entry, **changes),))

    moved = replace(entry.object, provenance=replace(entry.object.provenance, line=99))
    assert (
        list(differing(before, after(object=moved, adopted=False, policy=replace(entry.policy, action="Warn")))) == []
    )
    assert list(differing(before, after(policy=replace(entry.policy, fragment=True)))) == [entry.ref]
    assert list(differing(before, replace(before, entries=()))) == [entry.ref]
