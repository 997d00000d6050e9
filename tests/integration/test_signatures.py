"""Signed pushes, end to end: a real repository, real keys, a real API server, and who signed in the denial."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from setscrew.api_client import get_json
from setscrew.api_files import read_address, read_token
from setscrew.demo.stage import Stage
from tests.support.signing import People, people

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

VERIFY = {"mode": "strict", "secretRef": {"name": "signers"}}
SOURCES: dict[str, dict[str, Any]] = {"shop": {"path": "shop", "render": {"kind": "YAML"}, "verify": VERIFY}}
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: default}\ndata: {mode: %s}\n"
MORE = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: more, namespace: default}\n"
ASKED = ("patch", "configmap", "settings", "-n", "default", "--patch", '{"data": {"mode": "debug"}}')


@pytest.fixture(scope="module")
def everybody() -> Iterator[People]:
    with people() as found:
        yield found


def sign_as(work: Path, person: People, name: str) -> None:
    """From now on the working copy signs as this person does ("-": not at all)."""
    settings = dict(one.partition("=")[::2] for one in person.git_options(name)[1::2])
    with (work / ".git/config").open("a") as config:
        config.write(f"[commit]\n\tgpgSign = {'false' if name == '-' else 'true'}\n")
        for key, value in settings.items():
            section, _, field = key.rpartition(".")
            config.write(f"[{section}]\n\t{field} = {value}\n")


@pytest.fixture
def stage(everybody: People, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv(
        "GNUPGHOME", str(everybody.home)
    )  # git of the working copy, not of Setscrew: its child sees none

    def fill(work: Path) -> None:
        sign_as(work, everybody, "dana")
        (work / "shop").mkdir()
        (work / "shop/all.yaml").write_text(CONFIG % "production")

    with Stage(SOURCES, fill) as found:
        signers = found.configured() / "secrets" / "signers"
        signers.mkdir(parents=True)
        for file, data in everybody.secret("dana", "pia").items():
            (signers / file).write_bytes(data)
        found.start_setscrew()
        found.plane.kubectl("apply", "-f", found.repository.work / "shop/all.yaml", kubeconfig=found.gitops)
        found.wait("the guard", found.guarded)
        yield found


def push(stage: Stage, text: str, subject: str) -> str:
    (stage.repository.work / "shop/all.yaml").write_text(text)
    commit = stage.repository.commit(subject)
    stage.repository.push()
    return commit


def shop(stage: Stage) -> dict[str, Any]:
    """The source as `GET /api/v1/sources` shows it."""
    address = read_address(stage.state_dir)
    listed = get_json(address.url, read_token(address.token_file), "/api/v1/sources", {})
    return dict(listed["items"][0])


def denial(stage: Stage) -> str:
    refused = stage.plane.kubectl(*ASKED, kubeconfig=stage.person, check=False)
    assert refused.returncode != 0
    return refused.stderr


def test_a_push_is_enforced_only_if_it_is_signed_and_the_denial_says_by_whom(stage: Stage, everybody: People) -> None:
    dana = f"dana@example.com ({everybody.fingerprint('dana')})"
    pia = f"pia <pia@example.com> ({everybody.keys['pia']})"
    assert f"signed by {dana} of source shop" in denial(stage)
    assert shop(stage)["signer"] == dana

    sign_as(stage.repository.work, everybody, "-")
    unsigned = push(stage, CONFIG % "debug", "Nobody vouches for this")
    stage.wait("the refusal", lambda: shop(stage)["state"] == "VerifyFailed")
    assert f"commit {unsigned[:12]}: is not signed" in shop(stage)["message"]
    assert "SS2101" in shop(stage)["message"]
    assert unsigned in shop(stage)["attempted"]
    assert f"signed by {dana} of source shop" in denial(stage)  # what it would have allowed is refused as before

    sign_as(stage.repository.work, everybody, "pia")
    push(stage, CONFIG % "debug" + MORE, "Somebody builds on it")
    stage.wait(
        "the second refusal",
        lambda: "builds" not in shop(stage)["enforced"] and unsigned not in shop(stage)["attempted"],
    )
    assert (shop(stage)["state"], unsigned[:12] in shop(stage)["message"]) == ("VerifyFailed", True)

    stage.repository.git("reset", "--quiet", "--hard", "HEAD~2")
    (stage.repository.work / "shop/all.yaml").write_text(CONFIG % "production" + MORE)
    signed = stage.repository.commit("Begun again, and signed")
    stage.repository.git("push", "--quiet", "--force", "origin", "main")
    stage.wait("the signed commit", lambda: stage.enforced(signed))
    assert f"signed by {pia} of source shop" in denial(stage)
    stage.wait("a finding", lambda: any(item["name"] == "more" for item in (stage.drift() or {})["items"]))
    items = (stage.drift() or {})["items"]
    assert {item["source"]["signer"] for item in items if item["name"] == "more"} == {pia}
