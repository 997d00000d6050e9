"""A revision that breaks a rule about GPU classes is held: what was good stays, and the state says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
import yaml

from reconciler.gpu.world import by_kind
from reconciler.loop.reading import Good
from reconciler.loop.reconciler import Reconciler
from reconciler.loop.ruling import Live, Ruling
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.schema_data import load_builtin
from setscrew import configuration
from tests.unit.loop.conftest import Site, names

LAYOUT = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: layouts, namespace: gpu-operator, labels: {try: "%s"}}
data:
  config.yaml: |
    version: v1
    mig-configs:
      half:
      - devices: all
        device-filter: ["0x20B010DE"]
        mig-enabled: true
        mig-devices: {"3g.20gb": 2%s}
"""
IMPOSSIBLE = ', "1g.5gb": 1'
CLASS = """\
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: %s}
spec:
  selectors: [{cel: {expression: device.driver == "gpu.example.com"}}]
  extendedResourceName: example.com/gpu
"""


def started(site: Site, *sources: str, before: Reconciler | None = None) -> Reconciler:
    """A reconciler as a process begins with it, with the shipped rules."""
    found = site.reconciler(*sources, last=before.current if before else None)
    found.sources.ruling = Ruling(configuration.mig_table(), load_builtin().kind)
    return found


def wrong(found: Reconciler) -> tuple[str, ...]:
    """What is wrong by the rules with what counts now."""
    return found.sources.problems(found._last)


def layout(site: Site, found: Reconciler) -> str:
    assert found.current is not None
    (entry,) = [one for one in found.current.entries if one.object.ref.name == "layouts"]
    return str(entry.object.want["data"]["config.yaml"])


def test_an_impossible_layout_is_held_and_the_last_good_one_stays(site: Site) -> None:
    good = site.push("gpu", LAYOUT % (1, ""))
    found = started(site)
    digest = found.sync()
    bad = site.push("gpu", LAYOUT % (2, IMPOSSIBLE))
    assert [found.sync(), found.sync()] == [digest, digest]
    status = found.sources.status["gpu"]
    assert (status.state, good in status.enforced, bad in status.attempted) == ("Held", True, True)
    said = "MIG-04 in ConfigMap gpu-operator/layouts (all.yaml:1)", "1g.5gb", "setscrew source confirm gpu", "[SS3101]"
    assert [words for words in said if words not in status.message] == []
    assert IMPOSSIBLE not in layout(site, found)


def test_the_mended_revision_comes_in(site: Site) -> None:
    site.push("gpu", LAYOUT % (1, ""))
    found = started(site)
    found.sync()
    site.push("gpu", LAYOUT % (2, IMPOSSIBLE))
    found.sync()
    site.push("gpu", LAYOUT % (3, ', "2g.10gb": 0'))
    found.sync()
    assert (found.sources.status["gpu"].state, "2g.10gb" in layout(site, found)) == ("Ready", True)


def test_a_first_revision_that_breaks_a_rule_is_held_too_and_stops_no_other_source(site: Site) -> None:
    site.push("gpu", LAYOUT % (1, IMPOSSIBLE))
    site.push("shop", CLASS % "one")
    found = started(site)
    found.sync()
    assert found.sources.status["gpu"].state == "Held"
    assert names(found) == ["one"]


def test_somebody_may_take_it_all_the_same_and_the_report_goes_on_to_say_what_is_wrong(site: Site) -> None:
    site.push("gpu", LAYOUT % (1, IMPOSSIBLE))
    found = started(site)
    found.sync()
    assert found.sources.confirm("gpu")
    found.sync()
    assert found.sources.status["gpu"].state == "Ready"
    assert any(line.startswith("MIG-04 in ConfigMap gpu-operator/layouts") for line in wrong(found))
    site.push("gpu", LAYOUT % (2, IMPOSSIBLE))
    found.sync()
    assert found.sources.status["gpu"].state == "Ready", "what is broken already keeps no later revision out"


def test_a_name_that_another_source_has_counts_against_the_one_that_newly_brings_it(site: Site) -> None:
    site.push("first", CLASS % "one")
    site.push("second", "---\n")
    found = started(site)
    found.sync()
    site.push("second", CLASS % "two")
    found.sync()
    assert [found.sources.status[name].state for name in ("first", "second")] == ["Ready", "Held"]
    assert "DRA-04" in found.sources.status["second"].message
    site.push("first", CLASS % "three")
    found.sync()
    assert found.sources.status["first"].state == "Ready"
    assert names(found) == ["three"]


def test_what_a_source_enforced_before_a_restart_counts_before_it_is_read(site: Site) -> None:
    site.push("first", CLASS % "one")
    before = started(site)
    before.sync()
    site.push("second", CLASS % "two")
    site.hide("first")
    after = started(site, before=before)
    after.sync()
    assert after.sources.status["second"].state == "Held"
    assert names(after) == ["one"]


@pytest.mark.parametrize("pushed", [False, True])
def test_what_was_enforced_before_there_were_rules_stays_enforced(site: Site, pushed: bool) -> None:
    site.push("gpu", LAYOUT % (1, IMPOSSIBLE))
    before = site.reconciler()
    before.sources.ruling = Deaf()
    before.sync()
    if pushed:
        site.push("gpu", LAYOUT % (2, IMPOSSIBLE))
    after = started(site, before=before)
    after.sync()
    assert after.sources.status["gpu"].state == "Ready"
    assert any("MIG-04" in line for line in wrong(after))
    site.push("gpu", LAYOUT % (3, IMPOSSIBLE) + "---\n" + CLASS % "one" + "---\n" + CLASS % "two")
    after.sync()
    assert "DRA-04" in after.sources.status["gpu"].message
    assert names(after) == ["layouts"]


class Deaf(Ruling):
    """As it was before there were rules."""

    def check(self, *_: object) -> None:
        """Whatever could be read may come in."""

    def problems(self, *_: object) -> tuple[str, ...]:
        """Nothing is looked for."""
        return ()


def test_the_same_revision_is_not_judged_again_while_nothing_moves(site: Site) -> None:
    site.push("gpu", LAYOUT % (1, ""))
    found = started(site)
    found.sync()
    judged = found.sources.ruling._judged
    assert found.sources.problems(replace(found._last)) == ()
    assert found.sources.ruling._judged is judged


CLAIM = """\
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: one, namespace: shop}
spec: {spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: of-another-team}}]}}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: one, namespace: shop}
spec: {hard: {of-another-team.deviceclass.resource.k8s.io/devices: "4"}}
"""


def test_what_a_revision_refers_to_may_be_in_the_cluster_or_come_later(site: Site) -> None:
    site.push("gpu", CLASS % "one")
    site.push("shop", CLAIM)
    found = started(site, "gpu", "shop")
    found.sync()
    assert found.sources.status["shop"].state == "Ready"
    assert wrong(found) == ()


def cluster(*texts: str, whole: bool = True) -> Callable[[], Live]:
    """What is live, once and for all."""
    seen = Live(by_kind(yaml.safe_load(text) for text in texts), whole)
    return lambda: seen


def test_what_a_class_of_the_cluster_has_already_is_held(site: Site) -> None:
    site.push("gpu", "---\n")
    found = started(site)
    found.sync()
    found.sources.ruling.live = cluster(CLASS % "stray")
    site.push("gpu", CLASS % "one")
    found.sync()
    assert ("DRA-04" in found.sources.status["gpu"].message, found.sources.status["gpu"].state) == (True, "Held")
    found.sources.ruling.live = cluster()
    found.sync()
    assert found.sources.status["gpu"].state == "Ready", "the stray class is gone"


def test_what_only_the_cluster_has_brought_holds_no_revision_and_is_reported(site: Site) -> None:
    site.push("gpu", CLASS % "one")
    found = started(site)
    found.sync()
    found.sources.ruling.live = cluster(CLASS % "stray")
    assert any(line.startswith("DRA-04 in DeviceClass.resource.k8s.io one") for line in wrong(found))
    site.push("gpu", CLASS % "one" + "---\n" + LAYOUT % (1, ""))
    site.push("shop", CLAIM)
    found = started(site, before=found)
    found.sources.ruling.live = cluster(CLASS % "stray")
    found.sync()
    assert {name: status.state for name, status in found.sources.status.items()} == {"gpu": "Ready", "shop": "Ready"}


def test_what_was_wrong_in_the_cluster_before_anybody_guarded_it_keeps_nothing_out(site: Site) -> None:
    site.push("gpu", CLASS % "one")
    found = started(site)
    found.sources.ruling.live = cluster(CLASS % "one", CLASS % "stray")
    found.sync()
    assert (names(found), found.sources.status["gpu"].state) == (["one"], "Ready")
    assert any(line.startswith("DRA-04") for line in wrong(found))


SHARING = """\
apiVersion: nvidia.com/v1
kind: ClusterPolicy
metadata: {name: cluster-policy}
spec: {devicePlugin: {config: {name: sharing, default: shared}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: sharing, namespace: gpu-operator}
data: {%s: "version: v1", other: "version: v1"}
"""


def test_what_a_revision_takes_from_an_object_that_stays_as_it_is_in_the_cluster_is_held(site: Site) -> None:
    before = SHARING % "shared"
    site.push("gpu", before)
    found = started(site)
    found.sources.ruling.live = cluster(*before.split("---"))
    found.sync()
    assert wrong(found) == ()
    site.push("gpu", SHARING % "renamed")
    found.sync()
    status = found.sources.status["gpu"]
    assert (status.state, "SHR-08 in ClusterPolicy" in status.message) == ("Held", True)


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_nowhere_to_be_seen_is_reported_by_who_sees_all_and_holds_nothing(site: Site, whole: bool) -> None:
    site.push("shop", CLAIM)
    found = started(site)
    found.sources.ruling.live = cluster(CLASS % "other", whole=whole)
    found.sync()
    assert found.sources.status["shop"].state == "Ready"
    assert {line.split(" ")[0] for line in wrong(found)} == ({"DRA-08", "QTA-02"} if whole else set())


def test_a_rename_in_the_cluster_that_lifts_a_quota_is_seen_without_a_push(site: Site) -> None:
    site.push("shop", CLAIM.partition("---")[2])
    found = started(site)
    found.sources.ruling.live = cluster(CLASS % "of-another-team")
    found.sync()
    assert wrong(found) == ()
    found.sources.ruling.live = cluster(CLASS % "renamed")
    assert ["of-another-team" in line for line in wrong(found) if line.startswith("QTA-02")] == [True]


class Counting(Ruling):
    """Counts how often one revision is judged by itself."""

    alone = 0

    def check(self, new: Good, goods: Mapping[str, Good], enforced: MemorySnapshot) -> None:
        """As it is."""
        self.alone += 1
        super().check(new, goods, enforced)


@pytest.mark.parametrize("alone", [0, 3])
def test_sources_that_are_new_together_are_judged_together_and_alone_where_that_finds_an_error(
    site: Site, alone: int
) -> None:
    site.push("first", CLASS % "one")
    site.push("second", CLAIM)
    site.push("third", LAYOUT % (1, IMPOSSIBLE if alone else ""))
    found = started(site)
    found.sources.ruling = ruling = Counting(configuration.mig_table(), load_builtin().kind)
    found.sync()
    states = [found.sources.status[name].state for name in ("first", "second", "third")]
    assert (states, ruling.alone) == (["Ready", "Ready", "Held" if alone else "Ready"], alone)
