"""The pure rules of receivers: configuration, proof, URLs and refs."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from reconciler.errors import UsageError
from webhook.api.configuration import Receiver, ReceiverSpec, checked_secret, parse_receivers
from webhook.api.receiver import PushedRef, judge_github, proven
from webhook.api.urls import normal_url, ref_matches

GOOD: dict[str, Any] = {"provider": "github", "secretFile": "/run/secret", "sources": ["shop"]}


def document(spec: Any = GOOD, name: Any = "gh") -> dict[str, Any]:
    return {"kind": "Receiver", "metadata": {"name": name}, "spec": spec}


def test_receivers_are_read_among_other_documents() -> None:
    found = parse_receivers([None, {"kind": "GitSource"}, document()])
    assert found == (ReceiverSpec("gh", "github", ("shop",), "/run/secret"),)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (document(name=None), "metadata.name"),
        (document(name="A/B"), "metadata.name"),
        (document(spec=None), "spec is missing"),
        (document(GOOD | {"provider": "gitlub"}), "github"),
        (document(GOOD | {"provider": ["github"]}), "github"),
        (document(GOOD | {"secretEnv": "X"}), "exactly one"),
        (document({"provider": "github", "sources": ["a"]}), "exactly one"),
        (document(GOOD | {"secretFile": 3}), "exactly one"),
        (document(GOOD | {"sources": []}), "sources"),
        (document(GOOD | {"sources": "shop"}), "sources"),
        (document(GOOD | {"secret": "plain"}), "spec.secret is not known"),
    ],
)
def test_a_wrong_receiver_is_told_by_field(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_receivers([wrong])


def test_two_receivers_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two receivers"):
        parse_receivers([document(), document()])


@pytest.mark.parametrize("secret", [b"", b"\n", b"short", b"fifteen bytes..\n"])
def test_a_short_secret_is_refused(secret: bytes) -> None:
    with pytest.raises(UsageError, match="at least 16"):
        checked_secret(secret, "gh")


def test_the_line_end_of_an_editor_is_no_part_of_the_secret() -> None:
    assert checked_secret(b"0123456789abcdef\r\n", "gh") == b"0123456789abcdef"


def test_a_receiver_never_prints_its_secret() -> None:
    assert "0123456789" not in repr(Receiver("gh", "github", ("a",), (b"0123456789abcdef",)))


def sign(secret: bytes, body: bytes) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def test_any_of_several_secrets_proves() -> None:
    assert proven([b"new", b"old"], sign(b"old", b"x"), b"x")
    assert not proven([b"new", b"old"], sign(b"older", b"x"), b"x")


@pytest.mark.parametrize("secrets", [[], [b""]])
def test_no_secret_proves_nothing(secrets: list[bytes]) -> None:
    assert not proven(secrets, sign(b"", b"x"), b"x")


def test_the_published_example_of_github_is_proven() -> None:
    # The example of GitHub's own documentation on validating deliveries.
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert proven([b"It's a Secret to Everybody"], signature, b"Hello, World!")


def test_header_names_are_taken_in_any_case() -> None:
    body = b'{"ref":"refs/tags/v1","after":"' + b"b" * 64 + b'","repository":{"ssh_url":"git@h.example:a"}}'
    headers = {"x-HUB-signature-256": sign(b"k", body), "x-github-EVENT": "push"}
    verdict = judge_github([b"k"], headers, body)
    assert (verdict.result, verdict.refs) == ("accept", (PushedRef("refs/tags/v1", "b" * 64),))
    assert verdict.as_json()["repo"] == "git@h.example:a"


def test_a_deleted_ref_has_no_new_id() -> None:
    body = b'{"ref":"refs/heads/x","after":"' + b"0" * 40 + b'","repository":{"ssh_url":"git@h.example:a"}}'
    verdict = judge_github([b"k"], {"X-Hub-Signature-256": sign(b"k", body), "X-GitHub-Event": "push"}, body)
    assert (verdict.event, verdict.as_json()["refs"]) == ("delete", [{"ref": "refs/heads/x", "sha": None}])


SAME = [
    "https://git.example.com/Team/Shop.git",
    "https://git.example.com/Team/Shop",
    "https://GIT.example.com/Team/Shop/",
    "https://user:token@git.example.com:443/Team/Shop.git",
    "ssh://git@git.example.com:22/Team/Shop.git",
    "ssh://git@ssh.git.example.com/Team/Shop",
    "git@git.example.com:Team/Shop.git",
    "git@altssh.git.example.com:Team/Shop",
]


@pytest.mark.parametrize("url", SAME)
def test_spellings_of_one_repository_are_one(url: str) -> None:
    assert normal_url(url) == "git.example.com/Team/Shop"


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/team/shop",
        "https://git.example.com:8443/Team/Shop",
        "https://git.example.org/Team/Shop",
        "https://git.example.com/Team/Shop2",
    ],
)
def test_other_repositories_stay_others(url: str) -> None:
    assert normal_url(url) != "git.example.com/Team/Shop"


@pytest.mark.parametrize("url", ["", "   ", "https://", "https://[", "https://h:port/x", "/"])
def test_what_is_no_url_matches_nothing(url: str) -> None:
    assert normal_url(url) == ""


def test_a_local_path_and_its_file_url_are_one_repository() -> None:
    assert normal_url("/srv/git/shop.git") == normal_url("file:///srv/git/shop") == "/srv/git/shop"


@pytest.mark.parametrize(
    ("watched", "pushed", "matches"),
    [
        ("refs/heads/main", "refs/heads/main", True),
        ("refs/heads/main", "refs/tags/main", False),
        ("refs/heads/main", "refs/heads/main2", False),
        ("refs/tags/*", "refs/tags/v1", True),
        ("refs/tags/*", "refs/heads/v1", False),
        ("", "refs/heads/any", True),
        ("HEAD", "refs/heads/main", True),
        ("HEAD", "refs/tags/v1", False),
    ],
)
def test_refs_match_by_full_name(watched: str, pushed: str, matches: bool) -> None:
    assert ref_matches(watched, pushed) is matches
