"""`setscrew review` with a directory: status, JSON on stdout and nothing else, options that do not go together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import DEPLOYMENT, Run, Write, as_json

POLICY = """\
apiVersion: setscrew.dev/v1alpha1
kind: DriftPolicy
metadata: {name: mine}
spec: {priority: 1, match: [{sources: ["*"]}], action: %s}
"""


def update(image: str = "registry.example.com/web:2", **more: Any) -> str:
    def tree(image: str) -> dict[str, Any]:
        container = {"name": "web", "image": image}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
            },
        }

    kind = {"group": "apps", "version": "v1"}
    request = {
        "uid": "u1",
        "kind": {**kind, "kind": "Deployment"},
        "resource": {**kind, "resource": "deployments"},
        "operation": "UPDATE",
        "userInfo": {"username": "dana"},
        "name": "web",
        "namespace": "shop",
        "object": tree(image),
        "oldObject": tree("registry.example.com/web:1"),
        **more,
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})


@pytest.fixture
def desired(write: Write, tmp_path: Path) -> Path:
    write("deploy/web.yaml", DEPLOYMENT.replace("{name: web}\nspec", "{name: web, namespace: shop}\nspec"))
    return tmp_path / "deploy"


def test_a_change_away_from_git_is_denied_with_its_path(run: Run, desired: Path) -> None:
    result = run("review", "--desired", desired, stdin=update())
    answer = as_json(result)["response"]
    assert (result.exit_code, answer["uid"], answer["allowed"]) == (1, "u1", False)
    assert [cause["field"] for cause in answer["status"]["details"]["causes"]] == [
        "/spec/template/spec/containers/0/image"
    ]
    assert answer["auditAnnotations"]["code"] == "drift"


def test_what_git_says_is_allowed(run: Run, desired: Path) -> None:
    result = run("review", "--desired", desired, stdin=update("registry.example.com/web:1"))
    assert (result.exit_code, as_json(result)["response"]["allowed"]) == (0, True)


def test_an_empty_directory_guards_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("review", "--desired", tmp_path / "empty", stdin=update())
    assert (result.exit_code, as_json(result)["response"]["allowed"]) == (0, True)


@pytest.mark.parametrize(("action", "status"), [("Deny", 1), ("Warn", 0), ("Audit", 0)])
def test_a_policy_directory_replaces_the_built_in_one(
    run: Run, write: Write, desired: Path, action: str, status: int
) -> None:
    policy = write("policy/mine.yaml", POLICY % action).parent
    result = run("review", "--desired", desired, "--policy", policy, stdin=update())
    assert result.exit_code == status, result.stderr
    assert ("warnings" in as_json(result)["response"]) is (action == "Warn")


def test_a_writer_whose_write_does_not_match_is_refused_since_nobody_can_refresh(run: Run, desired: Path) -> None:
    user = {"username": "system:serviceaccount:argocd:argocd-application-controller", "uid": "1"}
    assert run("review", "--desired", desired, stdin=update(userInfo=user)).exit_code == 1


def test_a_malformed_review_is_json_with_a_code_and_status_2(run: Run, desired: Path) -> None:
    result = run("review", "--desired", desired, stdin='{"apiVersion": "admission.k8s.io/v1", "kind"')
    assert result.exit_code == 2
    assert as_json(result)["code"] == "SS5001"
    assert "SS5001" in result.stderr


def test_talk_goes_to_stderr(run: Run, write: Write, desired: Path) -> None:
    write("deploy/odd.yaml", "apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: one}\n")
    result = run("review", "--desired", desired, stdin=update())
    assert as_json(result)["response"]["allowed"] is False
    assert "unknown kind Odd" in result.stderr


@pytest.mark.parametrize("more", [["--policy", "."], ["--context", "."], ["-n", "shop"]])
def test_options_of_a_directory_do_not_go_with_a_snapshot(run: Run, write: Write, more: list[str]) -> None:
    result = run("review", "--snapshot", write("s.sqlite", ""), *more, stdin=update())
    assert (result.exit_code, result.stdout) == (2, "")
    assert "go with --desired" in result.stderr


def test_both_or_neither_of_directory_and_snapshot_are_refused(run: Run, write: Write, desired: Path) -> None:
    for arguments in ([], ["--desired", desired, "--snapshot", write("s.sqlite", "")]):
        result = run("review", *arguments, stdin=update())
        assert result.exit_code == 2
        assert "exactly one of --desired and --snapshot" in result.stderr


def test_a_file_that_is_no_snapshot_is_an_error_of_the_store(run: Run, write: Write) -> None:
    result = run("review", "--snapshot", write("s.sqlite", "no database"), stdin=update())
    assert (result.exit_code, result.stdout) == (5, "")
    assert "not a snapshot that can be read" in result.stderr
