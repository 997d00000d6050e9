"""An orphan is what a later revision of its own source has dropped: nothing that was moved, let go or never Git's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Policy, Rules
from reconciler.report.orphan import dropped, orphan_item
from reconciler.report.severity import severity_of
from reconciler.snapshot.model import Entry, MemorySnapshot, SourceState
from tests.unit.report.conftest import entry

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
OLD = SourceState("shop", "", "", "main@sha1:" + "a" * 40, "a" * 40)
NEW = replace(OLD, revision="main@sha1:" + "b" * 40, commit="b" * 40)
WEB = ObjectRef("apps", "Deployment", "shop", "web")
LIVE = {"metadata": {"name": "web", "resourceVersion": "7", "generation": 2}}


def snapshot(*entries: Entry, source: SourceState = NEW) -> MemorySnapshot:
    return MemorySnapshot(entries, Rules(()), {source.name: source})


def web(**metadata: Any) -> Entry:
    return entry(WEB, want={"metadata": metadata})


def elsewhere() -> Entry:
    one = web()
    return replace(one, object=replace(one.object, provenance=replace(one.object.provenance, source="other")))


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        (snapshot(web(), source=OLD), snapshot(), ["web"]),
        (snapshot(web(), source=OLD), snapshot(web()), []),
        (snapshot(web(), source=OLD), snapshot(elsewhere()), []),
        (snapshot(web(), source=OLD), snapshot(source=OLD), []),
        (snapshot(web(), source=OLD), snapshot(source=replace(NEW, name="other")), []),
        (snapshot(replace(web(), policy=Policy("nodes", fragment=True)), source=OLD), snapshot(), []),
    ],
    ids=["dropped", "still there", "moved to another source", "the same revision", "source let go", "a fragment"],
)
def test_only_what_a_later_revision_drops_is_an_orphan(
    before: MemorySnapshot, after: MemorySnapshot, names: list[str]
) -> None:
    assert [one.ref.name for one in dropped(before, after)] == names


def test_its_finding_says_where_it_stood_and_which_revision_dropped_it() -> None:
    (one,) = dropped(snapshot(web(annotations={"team": "pay"}), source=OLD), snapshot())
    item = orphan_item(one, LIVE, now=NOW)
    assert (item.state, item.source.file, item.source.commit, item.desired_revision) == (
        *("orphaned", "deploy/web.yaml", OLD.commit),
        NEW.revision,
    )
    assert (item.reason, item.owner.team) == (f"Git declares it no longer since {NEW.revision}", "pay")
    assert (item.live_resource_version, item.live_generation) == ("7", 2)
    assert severity_of(item, Rules(()))[0] == "medium"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("helm.sh/resource-policy", "keep"),
        ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
        ("argocd.argoproj.io/sync-options", "Validate=false, Prune=false"),
    ],
)
def test_what_git_itself_lets_stay_is_information(key: str, value: str) -> None:
    (one,) = dropped(snapshot(web(annotations={key: value}), source=OLD), snapshot())
    severity, reason = severity_of(orphan_item(one, LIVE, now=NOW), Rules(()))
    assert (severity, key in reason) == ("info", True)
