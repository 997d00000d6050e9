"""A push of every host is enforced: its payload reaches the receiver, the commit the cluster. Real parts only."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.api_client import post
from setscrew.delivering import Push, delivery
from setscrew.demo.stage import Stage
from tests.support import small_shop
from tests.support.command import setscrew_on
from tests.support.waiting import eventually
from webhook.api.providers import PROVIDERS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

SIGNING = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
SECRETS = {name: f"hooks:{name}-0123456789abcdef" for name in PROVIDERS} | {"gitlab-signed": SIGNING}
HOSTS = [name for name in SECRETS if name != "harbor"]


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    """The small shop, whose repository tells nobody of a push: the test does, as each host would."""
    with Stage(small_shop.SOURCES, small_shop.fill, scan_seconds=1) as one:
        config = one.directory / "config"
        config.mkdir()
        documents = [receiver(name, write(one, name, secret)) for name, secret in SECRETS.items()]
        (config / "receivers.yaml").write_text(yaml.safe_dump_all(documents))
        small_shop.synced_stage(one)
        (one.repository.remote / "hooks" / "post-receive").unlink()
        yield one


def write(stage: Stage, name: str, secret: str) -> Path:
    path = stage.directory / f"secret-{name}"
    path.write_text(secret + "\n")
    return path


def receiver(name: str, secret: Path) -> dict[str, Any]:
    spec = {"provider": name.removesuffix("-signed"), "secretFile": str(secret), "sources": ["*"]}
    return {"apiVersion": "setscrew.dev/v1alpha1", "kind": "Receiver", "metadata": {"name": name}, "spec": spec}


def commit_size(stage: Stage, size: int) -> str:
    return small_shop.edit(stage, "cache/values.yaml", f"size: {size}\n", f"Size {size}")[0]


def tell(stage: Stage, name: str, after: str, secret: str = "", number: str = "") -> tuple[int, dict[str, Any]]:
    """Send what the host of that receiver sends of a push to main."""
    repo = "https://harbor.example.com/charts/shop" if name == "harbor" else stage.repository.url
    push = Push(repo, "refs/heads/main", after, number or str(uuid.uuid4()), int(time.time()))
    headers, body = delivery(name.removesuffix("-signed"), (secret or SECRETS[name]).encode(), push)
    return post(f"http://127.0.0.1:{stage.api_port}", f"/hooks/v1/{name}", headers, body)


@pytest.mark.parametrize(("size", "name"), list(enumerate(HOSTS, 1000)), ids=str)
def test_a_push_is_enforced_as_soon_as_its_host_tells_of_it(stage: Stage, size: int, name: str) -> None:
    commit = commit_size(stage, size)
    status, answer = tell(stage, name, commit)
    assert (status, answer["status"], answer["sources"]) == (202, "accepted", ["cache", "shop"])
    stage.wait("the pushed revision", lambda: stage.enforced(commit))


def test_the_next_edit_is_answered_by_the_commit_that_was_told_of(stage: Stage) -> None:
    commit = commit_size(stage, 2000)
    assert tell(stage, "gitlab-signed", commit)[0] == 202
    stage.wait("the pushed revision", lambda: stage.enforced(commit))

    def refused() -> bool:
        patch = json.dumps({"data": {"size": str(time.monotonic_ns())}})
        done = stage.plane.kubectl("patch", "cm", "cache", "-n", "shop", "--type=merge", "-p", patch, check=False)
        return 'Git wants "2000"' in done.stderr and commit[:7] in done.stderr

    eventually(refused, "a refusal by the new commit")


def test_what_is_told_of_moves_nothing_but_a_look_at_git(stage: Stage) -> None:
    """A push is a hint: an id that the repository does not have changes nothing."""
    before = stage.snapshot().digest
    status, answer = tell(stage, "github", "f" * 40)
    assert (status, answer["status"]) == (202, "accepted")
    commit = commit_size(stage, 3000)
    assert tell(stage, "github", commit)[0] == 202
    stage.wait("the pushed revision", lambda: stage.enforced(commit))
    assert stage.snapshot().digest != before


def test_an_artifact_of_a_registry_is_proven_and_followed_by_nobody(stage: Stage) -> None:
    status, answer = tell(stage, "harbor", "a" * 40)
    assert (status, answer["status"]) == (200, "ignored")


@pytest.mark.parametrize("name", list(SECRETS))
def test_another_secret_is_refused_by_every_receiver(stage: Stage, name: str) -> None:
    other = "whsec_" + "bm9ib2R5" * 4 if name.endswith("-signed") else "hooks:nobody-0123456789abcdef"
    assert tell(stage, name, "a" * 40, secret=other)[0] == 401


def test_a_delivery_that_is_sent_again_is_a_duplicate(stage: Stage) -> None:
    number = str(uuid.uuid4())
    assert tell(stage, "gitea", "a" * 40, number=number)[0] == 202
    status, answer = tell(stage, "gitea", "a" * 40, number=number)
    assert (status, answer["status"]) == (200, "duplicate")


def test_a_secret_is_changed_without_a_restart(stage: Stage) -> None:
    new = "hooks:another-0123456789abcdef"
    write(stage, "gogs", new)
    try:
        eventually(lambda: tell(stage, "gogs", "a" * 40, secret=new)[0] == 202, "the new secret")
        assert tell(stage, "gogs", "a" * 40)[0] == 401
    finally:
        write(stage, "gogs", SECRETS["gogs"])


def test_a_receiver_can_be_tried_from_the_command_line(stage: Stage) -> None:
    config = stage.directory / "config"
    done = setscrew_on(stage, "receiver", "test", "forgejo", "--config", config)
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "ignored"), done.stderr
    done = setscrew_on(stage, "receiver", "test", "forgejo", "--config", config, "--source", "cache")
    assert (done.returncode, json.loads(done.stdout)["httpStatus"]) == (0, 202), done.stderr
    assert "cache" in json.loads(done.stdout)["sources"]
