"""A GitOps controller that is verified by content, on the real API server: ahead of us, behind Git, Git away, Git slow.

Nobody tells Setscrew of a push here: only the writer's own writes make it look at Git.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.demo.stage import Stage
from tests.support import small_shop
from tests.support.writer import Writer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

SOURCES: dict[str, dict[str, Any]] = {
    "shop": {"path": "shop", "render": {"kind": "YAML"}},
    "cache": {"path": "cache", "render": {"kind": "Helm", "namespace": "shop"}},
}
OBJECTS = 100


def config(name: str, value: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"value": value}}


def configs(value: str) -> list[dict[str, Any]]:
    return [config(f"one-{number}", value) for number in range(OBJECTS)]


def cached(size: str) -> dict[str, Any]:
    return {**config("cache", ""), "data": {"size": size}}


class Site:
    """A stage whose git is counted and whose helm can be held up; `push` tells nobody."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.writer = Writer(stage.gitops)
        self.git_log = stage.directory / "git.log"
        self.held = stage.directory / "helm.held"

    def prepare(self) -> None:
        """What stands in the place of git and helm: the real ones, and a word about it."""
        tools, git = self.stage.tools, shutil.which("git")
        assert tools is not None
        assert git is not None
        (self.stage.directory / "bin").mkdir()
        self._program("git", f'echo "$1" >> {shlex.quote(str(self.git_log))}', git)
        held = shlex.quote(str(self.held))
        self._program("helm", f"while [ -e {held} ]; do sleep 0.1; done", str(tools.path("helm")))

    def _program(self, name: str, first: str, real: str) -> None:
        path = self.stage.directory / "bin" / name
        path.write_text(f'#!/bin/sh\n{first}\nexec {shlex.quote(real)} "$@"\n')
        path.chmod(0o755)

    def fetches(self) -> int:
        return self.git_log.read_text().split().count("fetch")

    def commit(self, value: str, subject: str) -> str:
        """Commit this value of all objects."""
        fill(self.stage.repository.work, value)
        return self.stage.repository.commit(subject)

    def push(self, value: str, subject: str) -> str:
        commit = self.commit(value, subject)
        self.stage.repository.push()
        return commit

    def refused_by_all(self, tree: Mapping[str, Any]) -> None:
        """Wait until each admission worker has the newest snapshot: they look for it each for itself."""
        dry = lambda: self.writer.apply(tree, dry_run=True).status  # noqa: E731
        self.stage.wait("every worker's refusal", lambda: all(dry() == 403 for _ in range(10)))

    def live(self, name: str) -> Mapping[str, str]:
        answer = self.stage.plane.request("GET", f"/api/v1/namespaces/shop/configmaps/{name}")
        assert answer.status == 200
        return dict(answer.body["data"])


def fill(work: Path, value: str = "first") -> None:
    files = {"shop/all.yaml": yaml.safe_dump_all(configs(value))}
    files |= {f"cache/{name}": text for name, text in small_shop.CHART.items()}
    for name, text in files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or name.startswith("shop/"):
            path.write_text(text)


@pytest.fixture(scope="module")
def site(alone: None) -> Iterator[Site]:
    with Stage(SOURCES, fill, scan_seconds=5) as stage:
        stage.plane.kubectl("create", "namespace", "shop")
        one = Site(stage)
        one.prepare()
        stage.start_setscrew()
        (stage.repository.remote / "hooks" / "post-receive").unlink()
        assert {answer.status for answer in one.writer.apply_all([*configs("first"), cached("64")])} == {201}
        stage.wait("server forms", lambda: not stage.unconfirmed())
        stage.wait("the guard", stage.guarded)
        yield one


def test_line_28_all_objects_of_a_commit_are_written_right_after_the_push_with_one_fetch(site: Site) -> None:
    before = site.fetches()
    commit = site.push("second", "The second values")
    answers = site.writer.apply_all(configs("second"))
    assert [answer for answer in answers if answer.status != 200] == []
    assert site.fetches() - before == 1
    assert site.stage.snapshot().sources["shop"].commit == commit
    assert {site.live(f"one-{number}")["value"] for number in range(OBJECTS)} == {"second"}


def test_an_older_revision_is_refused_by_name(site: Site) -> None:
    old = site.stage.snapshot().sources["shop"].commit
    new = site.push("third", "The third values")
    assert site.writer.apply(config("one-1", "third")).status == 200
    assert site.stage.snapshot().sources["shop"].commit == new
    site.refused_by_all(config("one-1", "second"))
    answer = site.writer.apply(config("one-1", "second"))
    assert answer.status == 403
    assert f'what revision {old[:12]} ("The second values") wanted, which is older' in answer.message
    assert site.live("one-1") == {"value": "third"}


def test_line_28_a_revision_that_a_push_has_passed_over_is_admitted_while_its_writer_waits(site: Site) -> None:
    enforced = site.stage.snapshot().sources["shop"].commit
    between = site.commit("between", "Passed over")
    newest = site.push("newest", "The newest values")
    assert site.writer.apply(config("one-2", "between")).status == 200
    assert site.live("one-2") == {"value": "between"}
    known = site.stage.snapshot().sources["shop"].history
    assert [commit for commit, _ in known[:3]] == [newest, between, enforced]
    # Now the newest is enforced, and what lies before it is older.
    for value, commit in (("third", enforced), ("between", between)):
        site.refused_by_all(config("one-3", value))
        answer = site.writer.apply(config("one-3", value))
        assert (answer.status, commit[:12] in answer.message) == (403, True), answer
    assert site.writer.apply(config("one-2", "newest")).status == 200


def test_a_remote_that_is_away_opens_nothing(site: Site) -> None:
    remote = site.stage.repository.remote
    away = remote.with_name("away.git")
    before = site.live("one-4")
    remote.rename(away)
    try:
        answer = site.writer.apply(config("one-4", "unheard"))
    finally:
        away.rename(remote)
    assert answer.status == 403
    assert "Git was asked just now and could not be read: source shop: git ls-remote failed" in answer.message
    assert site.live("one-4") == before


def test_a_render_that_takes_too_long_does_not_fail_a_deployment(site: Site) -> None:
    site.held.touch()
    try:
        commit, _ = small_shop.edit(site.stage, "cache/values.yaml", "size: 128\n", "A larger cache")
        answer = site.writer.apply(cached("128"))
        assert site.stage.snapshot().sources["cache"].commit != commit
        # Slow is the chart alone: a writer of another source waits for its own.
        other = site.writer.apply(config("one-5", "unheard"))
    finally:
        site.held.unlink()
    assert answer.status == 200
    assert "unverified; source cache has a newer revision" in " ".join(answer.warnings)
    assert (other.status, "no newer revision explains this write" in other.message) == (403, True), other
    site.stage.wait("the slow revision", lambda: site.stage.snapshot().sources["cache"].commit == commit)
    assert site.live("cache") == {"size": "128"}
    site.refused_by_all(cached("64"))
    assert site.writer.apply(cached("64")).status == 403


def test_an_object_that_a_writer_deletes_and_does_not_put_back_is_a_finding_that_names_it(site: Site) -> None:
    assert site.writer.delete("shop", "one-6").status == 200
    assert site.writer.delete("shop", "one-7").status == 200
    value = site.stage.snapshot().find("", "configmaps", "shop", "one-7").object.want["data"]["value"]
    assert site.writer.apply(config("one-7", value)).status == 201

    def told(name: str) -> dict[str, Any]:
        return next((item for item in (site.stage.drift() or {})["items"] if item["name"] == name), {})

    site.stage.wait("the finding", lambda: "deleted it" in told("one-6").get("reason", ""))
    assert told("one-6")["state"] == "missing"
    assert told("one-6")["attribution"]["user"] == "system:serviceaccount:argocd:argocd-application-controller"
    assert "deleted it" not in told("one-7").get("reason", "")
    assert site.writer.apply(config("one-6", value)).status == 201
    site.stage.wait("the end of the finding", lambda: not told("one-6"))
