"""What a snapshot remembers of the last revisions: which commits there were, and what they wanted of each object."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.limits import REVISIONS_KEPT, REVISIONS_RENDERED
from reconciler.loop import revisions
from reconciler.loop.reconciler import Reconciler
from reconciler.loop.revisions import history, passed_over
from reconciler.snapshot.model import SourceState
from setscrew.reconcile import _last
from tests.unit.loop.conftest import CONFIG, Site


def wanted(**values: str) -> str:
    """A manifest of ConfigMaps, by name and value."""
    return "---\n".join(CONFIG % pair for pair in values.items())


def remembered(found: Reconciler, name: str = "one") -> list[tuple[str, str]]:
    """Value and commit of what earlier revisions wanted of a ConfigMap, newest first."""
    assert found.current is not None
    earlier = found.current.earlier("", "configmaps", "shop", name)
    return [(str(one.entry.object.want["data"]["a"]), one.last) for one in earlier]


def commits(found: Reconciler) -> list[str]:
    assert found.current is not None
    return [commit for commit, _ in found.current.sources["shop"].history]


def started(site: Site, text: str) -> tuple[Reconciler, str]:
    first = site.push("shop", text)
    found = site.reconciler()
    found.sync()
    return found, first


def commit(site: Site, text: str) -> str:
    """Commit, and leave the push to the next."""
    repository = site.repositories["shop"]
    (repository.work / "all.yaml").write_text(text)
    return repository.commit("Passed over")


def test_what_the_revision_before_wanted_is_kept_where_it_differs(site: Site) -> None:
    found, first = started(site, wanted(one="old", two="old"))
    second = site.push("shop", wanted(one="mid", two="old"))
    found.sync()
    assert commits(found) == [second, first]
    assert remembered(found) == [("old", first)]
    assert remembered(found, "two") == []


SCALED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "example.com/web:1"}]}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, minReplicas: %d, maxReplicas: 9}
"""


def test_what_an_autoscaler_might_do_to_an_object_before_is_kept_though_the_object_is_the_same(site: Site) -> None:
    found, first = started(site, SCALED % 2)
    site.push("shop", SCALED % 4)
    found.sync()
    assert found.current is not None
    (earlier,) = found.current.earlier("apps", "deployments", "shop", "web")
    assert [bounds.low for bounds in earlier.entry.object.ranges] == [2]
    assert earlier.last == first


def test_the_newest_revision_that_wanted_a_form_names_it(site: Site) -> None:
    found, _ = started(site, wanted(one="old", two="old"))
    second = site.push("shop", wanted(one="old", two="mid"))
    found.sync()
    site.push("shop", wanted(one="new", two="mid"))
    found.sync()
    assert remembered(found) == [("old", second)]


def test_commits_that_a_push_has_passed_over_are_known_by_subject_and_by_what_they_wanted(site: Site) -> None:
    found, first = started(site, wanted(one="old"))
    between = commit(site, wanted(one="mid"))
    last = site.push("shop", wanted(one="new"))
    found.sync()
    assert found.current is not None
    assert found.current.sources["shop"].history[1] == (between, "Passed over")
    assert commits(found) == [last, between, first]
    assert remembered(found) == [("mid", between), ("old", first)]


def test_of_many_commits_the_newest_are_rendered_and_some_are_known(site: Site) -> None:
    found, first = started(site, wanted(one="old"))
    passed = [commit(site, wanted(one=f"mid{number}")) for number in range(REVISIONS_RENDERED + 2)]
    last = site.push("shop", wanted(one="new"))
    found.sync()
    assert commits(found) == [last, *reversed(passed), first]
    assert [value for value, _ in remembered(found)] == ["mid4", "mid3", "mid2", "old"]


def test_a_commit_between_that_cannot_be_rendered_is_known_and_explains_nothing(site: Site) -> None:
    found, first = started(site, wanted(one="old"))
    broken = commit(site, "a: [\n")
    last = site.push("shop", wanted(one="new"))
    found.sync()
    assert commits(found) == [last, broken, first]
    assert remembered(found) == [("old", first)]


def test_a_revert_is_a_new_commit_and_its_content_is_current(site: Site) -> None:
    found, _ = started(site, wanted(one="old"))
    second = site.push("shop", wanted(one="mid"))
    found.sync()
    third = site.push("shop", wanted(one="old"))
    found.sync()
    assert commits(found)[0] == third
    assert remembered(found) == [("mid", second)]


def test_a_branch_that_is_reset_makes_the_old_commit_the_newest(site: Site) -> None:
    found, first = started(site, wanted(one="old"))
    second = site.push("shop", wanted(one="mid"))
    found.sync()
    repository = site.repositories["shop"]
    repository.git("reset", "--quiet", "--hard", first)
    repository.git("push", "--quiet", "--force", "origin", "main")
    found.sync()
    assert commits(found) == [first, second]
    assert remembered(found) == [("mid", second)]


def test_an_object_that_git_dropped_is_not_remembered(site: Site) -> None:
    found, _ = started(site, wanted(one="old", two="old"))
    site.push("shop", wanted(two="old"))
    found.sync()
    assert remembered(found) == []


def test_it_outlives_the_process_and_what_is_published_after_it(site: Site) -> None:
    found, first = started(site, wanted(one="old"))
    (site.directory / "secret-values.key").write_bytes(found.secret_key)
    second = site.push("shop", wanted(one="mid"))
    found.sync()
    after = site.reconciler(last=_last(site.directory))
    after.sync()
    after._publish()
    assert commits(after) == [second, first]
    assert remembered(after) == [("old", first)]
    third = site.push("shop", wanted(one="new"))
    again = site.reconciler(last=_last(site.directory))
    again.sync()
    assert remembered(again) == [("mid", second), ("old", first)]
    assert commits(again) == [third, second, first]


def test_a_form_that_the_server_has_confirmed_is_what_is_kept(site: Site) -> None:
    found, _ = started(site, wanted(one="old"))
    assert found.current is not None
    entries = tuple(replace(one, object=replace(one.object, confidence="server")) for one in found.current.entries)
    found.current = replace(found.current, entries=entries)
    site.push("shop", wanted(one="mid"))
    found.sync()
    (earlier,) = found.current.before
    assert earlier.entry.object.confidence == "server"


def test_the_policy_of_now_judges_the_forms_of_before(site: Site) -> None:
    found, _ = started(site, wanted(one="old"))
    assert found.current is not None
    loose = replace(found.current.entries[0].policy, name="loose", undeclared="Allow")
    entries = tuple(replace(one, policy=loose) for one in found.current.entries)
    found.current = replace(found.current, entries=entries)
    site.push("shop", wanted(one="new"))
    found.sync()
    (earlier,) = found.current.before
    assert earlier.entry.policy == found.current.entries[0].policy
    assert earlier.entry.policy.name != "loose"


def test_so_many_forms_are_kept_and_no_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "EARLIER_FORMS", 2)
    found, _ = started(site, wanted(one="old", two="old", three="old"))
    site.push("shop", wanted(one="mid", two="mid", three="mid"))
    found.sync()
    second = site.push("shop", wanted(one="new", two="mid", three="mid"))
    found.sync()
    assert found.current is not None
    assert len(found.current.before) == 2
    assert remembered(found)[0][0] == "mid"
    assert second == commits(found)[0]


LOG = tuple((name, f"The {name}") for name in "cba")


def state(*known: str) -> SourceState:
    log = tuple((name, f"The {name}") for name in known)
    return SourceState("shop", "", "", known[0], commit=known[0], history=log)


@pytest.mark.parametrize(
    ("before", "commits"),
    [
        (None, "c"),  # at first only the newest counts
        (state("c", "b"), "cb"),
        (state("b", "a"), "cba"),
        (state("a"), "cba"),
        (state("x", "a"), "cxa"),  # the branch was reset: what lies below is older than x
        (state("x", "c", "b"), "cxb"),
        (state(*"klmnopqrst"), "cklmnopqr"),
    ],
)
def test_commits_stand_in_the_order_in_which_they_were_the_newest(before: SourceState | None, commits: str) -> None:
    assert "".join(commit for commit, _ in history(LOG, before))[:9] == commits
    assert len(history(LOG, before)) <= REVISIONS_KEPT


@pytest.mark.parametrize(
    ("before", "now", "passed"),
    [
        (None, state(*"cba"), ""),
        (state("c"), state(*"cba"), ""),
        (state("b"), state(*"cba"), ""),
        (state("a"), state(*"cba"), "b"),
        (state("a"), state(*"hgfedcba"), "gfe"),
        (state("x"), state(*"cba"), ""),
    ],
)
def test_commits_between_two_looks_are_passed_over(before: SourceState | None, now: SourceState, passed: str) -> None:
    assert "".join(passed_over(before, now)) == passed
