"""The first `setscrew run` on a cluster: a source that it differs from is watched until somebody enforces it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.demo.stage import Stage, dump
from tests.support import small_shop
from tests.support.command import setscrew_on

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: %s}\ndata: {mode: %s}\n"
_TIMES = itertools.count()
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n"
SOURCES: dict[str, dict[str, Any]] = {
    name: {"path": name, "render": {"kind": "YAML"}} for name in ("drifting", "clean")
}


def fill(work: Path) -> None:
    for name in SOURCES:
        (work / name).mkdir()
        (work / name / "all.yaml").write_text("---\n".join([NAMESPACE % name, CONFIG % ("settings", name, "declared")]))


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    with Stage(SOURCES, fill, scan_seconds=1, enforce=False) as one:
        there = [*yaml.safe_load_all((one.repository.work / "clean" / "all.yaml").read_text())]
        there += [*yaml.safe_load_all(NAMESPACE % "drifting" + "---\n" + CONFIG % ("settings", "drifting", "by-hand"))]
        one.plane.kubectl("apply", "--server-side", "-f", "-", input=dump(there))
        one.start_setscrew()
        one.wait("the first comparison", lambda: {modes(one)[name] for name in SOURCES} == {"watched", "enforced"})
        one.wait("the guard", lambda: "denied the request" in change(one, "clean"))
        yield one


def modes(stage: Stage) -> dict[str, str]:
    return {one["name"]: one["mode"] for one in small_shop.ask(stage, "/api/v1/sources")["items"]}


def change(stage: Stage, namespace: str, name: str = "settings", value: str = "again-by-hand") -> str:
    """What kubectl says of a person's change; "" where nobody minds.

    No value comes twice: one that a worker with the snapshot before has let in would be no change the next time.
    """
    patch = json.dumps({"data": {"mode": f"{value}-{next(_TIMES)}"}})
    return stage.plane.kubectl("patch", "cm", name, "-n", namespace, "--type=merge", "-p", patch, check=False).stderr


def finding(stage: Stage, name: str, namespace: str) -> dict[str, Any]:
    """The finding of one object, {} where there is none."""
    items = (stage.drift() or {})["items"]
    return next((one for one in items if (one["namespace"], one["name"]) == (namespace, name)), {})


def test_a_source_that_differs_is_watched_and_said_to_be_so(stage: Stage) -> None:
    assert modes(stage) == {"drifting": "watched", "clean": "enforced"}
    assert "source drifting: watched, for 1 of 2 objects differ from Git" in stage.log
    assert "`setscrew enforce drifting`" in stage.log
    assert "source clean: enforced, for no object of it in the cluster differs from Git" in stage.log


def test_a_change_of_a_watched_source_passes_and_is_recorded_with_what_it_would_have_been(stage: Stage) -> None:
    assert change(stage, "drifting") == ""
    found = finding(stage, "settings", "drifting")
    assert (found["state"], found["source"]["enforced"]) == ("drifted", False)
    assert "watched" in setscrew_on(stage, "drift").stdout

    def recorded() -> list[str]:
        items = small_shop.ask(stage, "/api/v1/decisions")["items"]
        return [one["code"] for one in items if one["namespace"] == "drifting"]

    stage.wait("the record", lambda: "audited" in recorded())


def test_a_source_that_does_not_differ_is_enforced_by_itself(stage: Stage) -> None:
    assert 'Git wants "declared"' in change(stage, "clean")


def test_a_restart_keeps_both_modes(stage: Stage) -> None:
    stage.stop_setscrew()
    stage.start_setscrew()
    stage.wait("the guard", lambda: "denied the request" in change(stage, "clean"))
    assert modes(stage) == {"drifting": "watched", "clean": "enforced"}
    assert change(stage, "drifting", value="after a restart") == ""


def test_enforce_refuses_from_then_on_what_was_watched_and_off_undoes_it(stage: Stage) -> None:
    done = setscrew_on(stage, "enforce", "drifting")
    assert (done.returncode, done.stdout) == (0, "drifting: watched → enforced\n")
    assert "in force with snapshot" in done.stderr
    stage.wait("the refusal", lambda: 'Git wants "declared"' in change(stage, "drifting", value="once more"))
    off = setscrew_on(stage, "enforce", "--all", "--off", "-o", "json")
    assert off.returncode == 0
    changes = json.loads(off.stdout)["sources"]
    assert {(one["name"], one["before"], one["after"]) for one in changes} == {
        (name, "enforced", "watched") for name in SOURCES
    }
    stage.wait("the end of it", lambda: change(stage, "drifting", value="once more still") == "")
    again = setscrew_on(stage, "enforce", "--all")
    assert again.returncode == 0
    stage.wait("the refusal", lambda: "denied the request" in change(stage, "clean", value="and again"))
    stage.wait("the refusal", lambda: "denied the request" in change(stage, "drifting", value="and again"))


def test_an_unknown_source_is_one_clear_line(stage: Stage) -> None:
    done = setscrew_on(stage, "enforce", "drifing")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no source is named 'drifing' (configured are: drifting, clean)" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_was_there_before_git_declared_it_is_adopted_once_it_is_as_git_says(stage: Stage) -> None:
    text = CONFIG % ("late", "clean", "declared")
    stage.plane.kubectl("apply", "--server-side", "-f", "-", input=CONFIG % ("late", "clean", "by-hand"))
    before = (stage.repository.work / "clean" / "all.yaml").read_text()
    commit, _ = small_shop.edit(stage, "clean/all.yaml", f"{before}---\n{text}", "Declare what was there")
    stage.wait("the pushed revision", lambda: stage.enforced(commit))
    assert change(stage, "clean", "late", "by-hand-still") == ""
    stage.wait("the finding", lambda: finding(stage, "late", "clean").get("adopted") is False)
    assert "not adopted" in setscrew_on(stage, "drift").stdout
    options = ("--server-side", "--force-conflicts", "--field-manager=argocd-controller")
    stage.plane.kubectl("apply", *options, "-f", "-", kubeconfig=stage.gitops, input=text)
    stage.wait("the adoption", lambda: adopted(stage, "late"))
    stage.wait("the refusal", lambda: 'Git wants "declared"' in change(stage, "clean", "late", "by-hand-again"))


def adopted(stage: Stage, name: str) -> bool:
    """Whether the current snapshot enforces that object."""
    return all(one.adopted for one in stage.snapshot().entries() if one.object.ref.name == name)
