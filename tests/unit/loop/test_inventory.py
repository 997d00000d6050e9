"""Who uses GPU classes is published for admission while Git declares one, and only then is anything watched."""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.errors import ApiError, UnreachableError
from reconciler.gpu.users.model import Census, ClassName
from reconciler.gpu.users.published import FILE, decode
from reconciler.gpu.users.shrink import WATCHED
from reconciler.limits import CENSUS_REFRESH_SECONDS, CENSUS_SECONDS
from reconciler.loop import inventory
from reconciler.loop.inventory import Declared, Inventory
from reconciler.model.ref import KindInfo, ObjectRef
from tests.support.decisions import builtin_rules
from tests.support.fake_cluster import FakeCluster, named
from tests.support.small_snapshot import snapshot_of
from tests.support.waiting import eventually

CLASS = KindInfo("resource.k8s.io", "v1", "DeviceClass", "deviceclasses", namespaced=False)
POD = KindInfo("", "v1", "Pod", "pods", namespaced=True)
ONE = ClassName("DeviceClass", "one")


def pod(name: str) -> dict[str, Any]:
    """A Pod that has a device of the class `one`."""
    asked = {"requests": {"deviceclass.resource.kubernetes.io/one": "1"}}
    return {
        "metadata": {"name": name, "namespace": "ml", "resourceVersion": "3"},
        "spec": {"nodeName": "n", "containers": [{"name": "a", "resources": asked}]},
        "status": {"phase": "Running"},
    }


class Site(Inventory):
    """An inventory over a cluster of answers; `kinds` are what Git declares one object of each of."""

    def __init__(self, directory: Path, *kinds: str) -> None:
        self.cluster: Any = FakeCluster([CLASS, POD], objects={"deviceclasses": named("one"), "pods": [pod("a")]})
        self.said: list[str] = []
        self.git = Declared(builtin_rules(), snapshot_of(*kinds), {})
        super().__init__(self.cluster, self.cluster, lambda: self.git, directory / FILE, self.said.append)

    @property
    def published(self) -> Census | None:
        """The file as it is now."""
        return decode(self.path.read_bytes()) if self.path.exists() else None

    @contextmanager
    def running(self) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self.run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def look(self) -> None:
        """One step, once every kind is listed."""
        self._step()
        eventually(lambda: not self._informer.seen().pending, "every kind is read or refused")
        self._step()


def test_while_nothing_defines_a_class_nothing_is_watched_and_nothing_published(tmp_path: Path) -> None:
    site = Site(tmp_path, "Deployment")
    (tmp_path / FILE).write_text("of the process before")
    site.look()
    assert (site.cluster.begun, site.published, site.live().whole, site.said) == ([], None, False, [])


def test_who_uses_a_class_is_published_for_nobody_else_to_read(tmp_path: Path) -> None:
    site = Site(tmp_path, "Deployment", "DeviceClass")
    with site.running():
        found = eventually(lambda: site.published, "a published census")
    assert (found.classes[ONE].running, dict(found.unseen)) == (1, {})
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_rules_see_the_cluster_as_a_whole_once_all_is_listed(tmp_path: Path) -> None:
    site = Site(tmp_path, "DeviceClass")
    assert (dict(site.live().objects), site.live().whole) == ({}, False)
    site.look()
    live = site.live()
    assert ([ref.name for ref in live.objects[("", "Pod")]], live.whole) == (["a"], True)
    assert site.live() is live


def test_what_cannot_be_read_is_said_and_rules_know_that_they_do_not_see_all(tmp_path: Path) -> None:
    site = Site(tmp_path, "DeviceClass")
    site.cluster.broken["pods"] = ApiError("pods is forbidden", status=403)
    site.look()
    assert site.published is not None
    assert dict(site.published.unseen) == {"Pod": "pods is forbidden"}
    assert not site.live().whole


def test_nothing_is_published_before_each_kind_was_listed_or_refused_once(tmp_path: Path) -> None:
    site = Site(tmp_path, "DeviceClass")
    site.cluster.broken["pods"] = UnreachableError("no answer in time")
    site._step()
    eventually(lambda: site.live().objects.get(("resource.k8s.io", "DeviceClass")), "the classes are listed")
    site._step()
    assert (site.published, site.live().whole) == (None, False)


def test_a_change_is_published_though_not_at_once_again(tmp_path: Path) -> None:
    site = Site(tmp_path, "DeviceClass")
    site.look()
    first = site._due
    site.cluster.tell("pods", "ADDED", pod("b"))
    eventually(lambda: len(site.live().objects[("", "Pod")]) == 2, "the second Pod")
    site._publish(first - 0.01)
    assert site.published is not None
    assert site.published.classes[ONE].running == 1
    site._publish(first)
    assert site.published.classes[ONE].running == 2
    assert site._due >= first + CENSUS_SECONDS


def test_it_is_written_anew_only_where_it_says_something_else_or_has_become_old(tmp_path: Path) -> None:
    site = Site(tmp_path, "DeviceClass")
    site.look()
    assert site._census is not None
    site._census = replace(site._census, at="before")
    site.path.unlink()
    site.cluster.tell("pods", "ADDED", {**pod("b"), "spec": {}})
    eventually(lambda: len(site.live().objects[("", "Pod")]) == 2, "the second Pod")
    site._publish(site._due)
    assert site.published is None, "a Pod that asks for nothing changes nothing"
    site._publish(site._stale)
    assert site.published is not None
    assert site.published.at != "before"
    assert site._stale >= CENSUS_REFRESH_SECONDS


def test_what_could_not_be_written_is_written_as_soon_as_it_can_be(tmp_path: Path) -> None:
    site = Site(tmp_path, "DeviceClass")
    site.look()
    path, site.path = site.path, tmp_path / "nowhere" / FILE
    site.cluster.tell("pods", "ADDED", pod("b"))
    eventually(lambda: len(site.live().objects[("", "Pod")]) == 2, "the second Pod")
    site._due = 0.0
    assert not site._step()
    site.path, site._due = path, 0.0
    assert site._step()
    assert site.published is not None
    assert site.published.classes[ONE].running == 2


def test_nothing_is_counted_while_a_kind_is_listed_in_another_version(tmp_path: Path) -> None:
    site = Site(tmp_path, "DeviceClass")
    site.look()
    before = site.published
    site.cluster.broken["pods"] = UnreachableError("no answer in time")
    site.cluster.served = [CLASS, replace(POD, version="v2")]
    site.cluster.refresh()
    site._informer.follow(WATCHED)
    site._publish(site._stale)
    assert site.published == before, "the Pods are not gone, nobody knows them yet"


def test_when_the_last_class_leaves_git_the_file_goes_and_comes_back_with_the_next(tmp_path: Path) -> None:
    site = Site(tmp_path, "DeviceClass")
    site.look()
    with_class = site.git
    site.git = Declared(with_class.rules, snapshot_of("Deployment"), {})
    site.look()
    assert (site.published, site.live().whole) == (None, False)
    site.git, site._due = with_class, 0.0
    site.look()
    assert site.published is not None


def revision(name: str) -> Any:
    """What a source declares that nobody has judged yet: a class of that name."""
    tree = {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": name}, "spec": {}}
    return SimpleNamespace(
        objects=[SimpleNamespace(ref=ObjectRef("resource.k8s.io", "DeviceClass", "", name), tree=tree)]
    )


def test_before_the_first_class_of_all_is_judged_the_cluster_is_known(tmp_path: Path) -> None:
    site = Site(tmp_path, "Deployment")
    site.look()
    site.prepare([SimpleNamespace(objects=[])])  # type: ignore[list-item]
    assert not site.live().whole
    site.prepare([revision("one")])
    assert site.live().whole
    site._step()
    assert (site.live().whole, site.published) == (True, None), "until it is taken it is kept, not published"


def test_what_is_to_be_judged_is_followed_though_nothing_was_wanted_a_moment_before(tmp_path: Path) -> None:
    site = Site(tmp_path, "Deployment")
    follow, asking = site._informer.follow, threading.Thread(target=site.prepare, args=([revision("one")],))

    def late(kinds: Any) -> None:
        if not kinds and not asking.is_alive():
            asking.start()
            asking.join(1)
        follow(kinds)

    site._informer.follow = late  # type: ignore[method-assign]
    site._step()
    asking.join()
    assert site.live().whole


def test_a_cluster_that_does_not_answer_keeps_revisions_for_one_moment_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, "DeviceClass")
    site.cluster.broken["pods"] = UnreachableError("no answer in time")
    site.prepare([revision("one")])
    assert not site.live().whole
    waits = list[float]()
    monkeypatch.setattr(inventory, "time", SimpleNamespace(monotonic=time.monotonic, sleep=waits.append))
    site.prepare([revision("two")])
    assert waits == [], "it has been waited for once"
    site.cluster.broken.clear()
    eventually(lambda: site.live().whole, "it answers again")
    site.prepare([revision("two")])
    assert site._patient_until == 0.0, "the next time it is waited for again"


@pytest.mark.parametrize("fails", ["write", "declared"])
def test_what_goes_wrong_is_told_once_and_ends_nothing(tmp_path: Path, fails: str) -> None:
    site = Site(tmp_path, "DeviceClass")
    git, path = site.git, site.path
    if fails == "write":
        site.path = tmp_path / "nowhere" / FILE
    else:
        site.declared = lambda: 1 / 0  # type: ignore[assignment, return-value]
    site._step()
    eventually(lambda: fails != "write" or not site._informer.seen().pending, "all is listed")
    site._step()
    site._step()
    assert len(site.said) == 1
    site.declared, site.path = lambda: git, path
    site.look()
    assert site.published is not None
