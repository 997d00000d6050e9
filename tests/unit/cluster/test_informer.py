"""Holds what an informer knows at each moment: whole, in part, of the past, or nothing."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from reconciler.cluster.collection import Change, Changed, Deleted, Listed, Unread
from reconciler.cluster.informer import Informer, Seen, _Known
from reconciler.errors import ApiError
from reconciler.model.ref import KindInfo, ObjectRef
from tests.support.fake_cluster import FakeCluster, named
from tests.support.waiting import eventually

DEPLOYMENT = KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True)
QUEUE = KindInfo("kueue.x-k8s.io", "v1beta1", "ClusterQueue", "clusterqueues", namespaced=False)
KINDS = (("apps", "Deployment"), ("kueue.x-k8s.io", "ClusterQueue"))


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster([DEPLOYMENT, QUEUE])


def informed(cluster: Any) -> Informer[str]:
    return Informer(cluster, cluster, lambda kind, tree: f"{kind.kind} {tree['metadata']['name']}")


def settled(informer: Informer[str]) -> Seen[str]:
    eventually(lambda: not informer.seen().pending, "every kind is read or refused")
    return informer.seen()


def names(seen: Seen[str], kind: tuple[str, str]) -> set[str]:
    return {ref.name for ref in seen.objects.get(kind, {})}


def test_nothing_is_known_and_nothing_asked_for_before_kinds_are_followed(cluster: FakeCluster) -> None:
    seen = informed(cluster).seen()
    assert (dict(seen.objects), seen.whole, cluster.begun) == ({}, False, [])


def test_all_is_known_once_each_kind_was_listed(cluster: FakeCluster) -> None:
    cluster.objects = {"deployments": named("web"), "clusterqueues": named("a", "b")}
    informer = informed(cluster)
    informer.follow(KINDS)
    seen = settled(informer)
    assert seen.objects[KINDS[0]] == {ObjectRef("apps", "Deployment", "", "web"): "Deployment web"}
    assert (names(seen, KINDS[1]), seen.whole) == ({"a", "b"}, True)
    assert informer.seen() is seen


def test_a_change_makes_another_view_and_leaves_the_one_before_as_it_was(cluster: FakeCluster) -> None:
    cluster.objects = {"deployments": named("web")}
    informer = informed(cluster)
    informer.follow(KINDS)
    before = settled(informer)
    cluster.tell("deployments", "ADDED", *named("api"))
    eventually(lambda: names(informer.seen(), KINDS[0]) == {"web", "api"}, "the addition is seen")
    cluster.tell("deployments", "DELETED", *named("web"))
    eventually(lambda: names(informer.seen(), KINDS[0]) == {"api"}, "the deletion is seen")
    assert names(before, KINDS[0]) == {"web"}


def test_an_event_that_changes_nothing_of_what_is_kept_is_no_change() -> None:
    ref = ObjectRef("apps", "Deployment", "", "web")
    known = _Known[str](DEPLOYMENT, None, {ref: "web"}, listed=True)
    changes: list[Change[str]] = [Changed(ref, "web"), Listed({ref: "web"}), Changed(ref, "other"), Deleted(ref)]
    assert [known.take(change) for change in changes] == [False, False, True, True]


def test_a_kind_that_may_not_be_read_is_named_and_no_view_is_whole(cluster: FakeCluster) -> None:
    cluster.broken["clusterqueues"] = ApiError("clusterqueues is forbidden", status=403)
    informer = informed(cluster)
    informer.follow(KINDS)
    seen = settled(informer)
    assert dict(seen.unread) == {"kueue.x-k8s.io/ClusterQueue": "clusterqueues is forbidden"}
    assert not seen.whole


def test_a_kind_that_is_not_served_has_no_objects(cluster: FakeCluster) -> None:
    cluster.served = [DEPLOYMENT]
    cluster.refresh()
    informer = informed(cluster)
    informer.follow(KINDS)
    seen = settled(informer)
    assert (names(seen, KINDS[1]), seen.whole) == (set(), True)


def test_a_kind_that_comes_to_be_served_is_read_and_one_that_goes_is_let_go(cluster: FakeCluster) -> None:
    cluster.served, cluster.objects = [DEPLOYMENT], {"clusterqueues": named("a")}
    cluster.refresh()
    informer = informed(cluster)
    informer.follow(KINDS)
    settled(informer)
    cluster.served = [DEPLOYMENT, QUEUE]
    cluster.refresh()
    informer.follow(KINDS)
    assert names(settled(informer), KINDS[1]) == {"a"}
    cluster.served = [DEPLOYMENT]
    cluster.tell("clusterqueues", "ERROR", *named("gone"))
    eventually(lambda: names(informer.seen(), KINDS[1]) == set(), "the kind is gone")
    cluster.refresh()
    informer.follow(KINDS)
    assert informer.seen().whole


def test_a_kind_that_is_listed_by_an_old_discovery_is_not_asked_for_again_and_again(cluster: FakeCluster) -> None:
    cluster.served = [DEPLOYMENT]  # the kinds of discovery still have the other one
    informer = informed(cluster)
    informer.follow(KINDS)
    settled(informer)
    threads = dict(informer._known)
    informer.follow(KINDS)
    assert {name: informer._known[name] is known for name, known in threads.items()} == dict.fromkeys(threads, True)
    cluster.served, cluster.objects = [DEPLOYMENT, QUEUE], {"clusterqueues": named("a")}
    cluster.refresh()
    informer.follow(KINDS)
    assert names(settled(informer), KINDS[1]) == {"a"}


def test_a_kind_is_read_in_the_version_that_is_preferred_now(cluster: FakeCluster) -> None:
    informer = informed(cluster)
    informer.follow(KINDS)
    settled(informer)
    newer = KindInfo("kueue.x-k8s.io", "v1beta2", "ClusterQueue", "clusterqueues", namespaced=False)
    cluster.served = [DEPLOYMENT, newer, QUEUE]
    cluster.refresh()
    informer.follow(KINDS)
    settled(informer)
    assert cluster.begun[-1] == "/apis/kueue.x-k8s.io/v1beta2/clusterqueues"


def test_a_group_whose_server_is_down_is_not_taken_for_one_that_is_not_served(cluster: FakeCluster) -> None:
    cluster.served, cluster.unavailable = [DEPLOYMENT], {"kueue.x-k8s.io/v1beta1": "it does not answer"}
    cluster.refresh()
    informer = informed(cluster)
    informer.follow(KINDS)
    seen = settled(informer)
    assert (dict(seen.unread), seen.whole) == ({"kueue.x-k8s.io/ClusterQueue": "it does not answer"}, False)


def test_what_is_not_followed_any_more_is_forgotten(cluster: FakeCluster) -> None:
    cluster.objects = {"deployments": named("web")}
    informer = informed(cluster)
    informer.follow(KINDS)
    settled(informer)
    informer.follow(())
    assert (dict(informer.seen().objects), informer.seen().whole) == ({}, False)
    informer.follow(KINDS)
    assert names(settled(informer), KINDS[0]) == {"web"}


@pytest.mark.parametrize(("where", "what"), [(threading.Thread, "start"), (_Known, "take")])
def test_a_kind_that_nobody_listens_to_is_named_and_begins_anew(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, where: type, what: str
) -> None:
    cluster.objects = {"deployments": named("web")}

    def failing(*_: object) -> bool:
        raise RuntimeError("can't start new thread")

    informer = informed(cluster)
    with monkeypatch.context() as patch:
        patch.setattr(where, what, failing)
        informer.follow(KINDS[:1])
        seen = settled(informer)
        assert ("RuntimeError" in seen.unread["apps/Deployment"], seen.whole) == (True, False)
    informer.follow(KINDS[:1])
    seen = settled(informer)
    assert (names(seen, KINDS[0]), seen.whole) == ({"web"}, True)


def test_a_kind_is_pending_until_its_watch_gives_a_sign_and_again_after_it_could_not_be_read() -> None:
    stands: list[tuple[bool, bool, bool]] = []
    informer = Informer[int](FakeCluster([]), FakeCluster([]), lambda *_: 1)  # type: ignore[arg-type] # stands for both
    known = informer._known[KINDS[0]] = _Known[int](DEPLOYMENT, None)

    def stand() -> None:
        now = informer.watched()
        stands.append((KINDS[0] in now.pending, KINDS[0] in now.heard, KINDS[0] in now.unread))

    for change in (Listed({}), Unread("no"), Listed({})):
        known.take(change)
        stand()
        if isinstance(change, Listed):
            known.hear()
            stand()
    pending, heard, unread = (True, False, False), (False, True, False), (False, False, True)
    assert stands == [pending, heard, unread, pending, heard]
