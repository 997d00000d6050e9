"""The pure rules of receivers: configuration, proof, URLs and refs."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.errors import UsageError
from webhook.api.configuration import Receiver, ReceiverSpec, Secret, SecretPlace, checked_secret, parse_receivers
from webhook.api.providers import judge
from webhook.api.providers.proof import signed
from webhook.api.providers.verdict import PushedRef
from webhook.api.urls import normal_url, ref_matches

GOOD: dict[str, Any] = {"provider": "github", "secretFile": "/run/secret", "sources": ["shop"]}
PLAIN: dict[str, Any] = {"provider": "github", "sources": ["shop"]}


def document(spec: Any = GOOD, name: Any = "gh") -> dict[str, Any]:
    return {"kind": "Receiver", "metadata": {"name": name}, "spec": spec}


def test_receivers_are_read_among_other_documents() -> None:
    found = parse_receivers([None, {"kind": "GitSource"}, document()])
    assert found == (ReceiverSpec("gh", "github", ("shop",), (SecretPlace("/run/secret"),)),)


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
        (document(GOOD | {"events": []}), "spec.events"),
        (document(GOOD | {"events": ["push", ["tag"]]}), "spec.events"),
        (document(GOOD | {"bodyMiB": 26}), "from 1 to 25"),
        (document(GOOD | {"bodyMiB": True}), "from 1 to 25"),
        (document(GOOD | {"secrets": [{"secretFile": "/a"}]}), "goes without"),
        (document(PLAIN | {"secrets": []}), "list of mappings"),
        (document(PLAIN | {"secrets": ["/a"]}), "list of mappings"),
        (document(PLAIN | {"secrets": [{"file": "/a"}]}), r"spec.secrets\[0\].file is not known"),
        (document(PLAIN | {"secrets": [{"secretFile": "/a", "notAfter": "2027-01-01T00:00:00Z"}]}), "the current one"),
        (document(PLAIN | {"secrets": [{"secretFile": "/a"}, {"secretFile": "/b"}]}), "all others end"),
        (document(PLAIN | {"secrets": [{"secretFile": "/a"}, {"secretEnv": "B", "notAfter": "soon"}]}), "no time"),
        (
            document(PLAIN | {"secrets": [{"secretFile": "/a"}, {"secretEnv": "B", "notAfter": "2027-01-01"}]}),
            "no time",
        ),
    ],
)
def test_a_wrong_receiver_is_told_by_field(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_receivers([wrong])


def test_two_receivers_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two receivers"):
        parse_receivers([document(), document()])


def test_a_receiver_may_list_secrets_of_before_with_their_end() -> None:
    listed = [{"secretFile": "/new"}, {"secretEnv": "OLD", "notAfter": "2027-01-31T22:30:00+01:00"}]
    (found,) = parse_receivers([document(PLAIN | {"secrets": listed, "events": ["tag"], "bodyMiB": 25})])
    end = datetime(2027, 1, 31, 21, 30, tzinfo=UTC)
    assert found.secrets == (SecretPlace("/new"), SecretPlace("", "OLD", end))
    assert (found.events, found.body_bytes) == (("tag",), 25 * 1024 * 1024)


def test_a_secret_counts_until_its_end() -> None:
    end = datetime(2027, 1, 31, 21, 30, tzinfo=UTC)
    receiver = Receiver("gh", "github", ("a",), (Secret(b"new"), Secret(b"old", end)))
    assert receiver.valid(end) == (b"new", b"old")
    assert receiver.valid(end + timedelta(seconds=1)) == (b"new",)


@pytest.mark.parametrize(
    ("provider", "secret", "said"),
    [
        ("gitlab", b"whsec_not base64", "not whsec_ and base64"),
        ("gitlab", b"whsec_", "not whsec_ and base64"),
        ("gitlab", b"whsec_c2hvcnQ=", "has 5 bytes"),
        ("azure-devops", b"no-colon-in-these-bytes", "user:password"),
    ],
)
def test_a_secret_that_its_provider_cannot_use_is_refused(provider: str, secret: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        checked_secret(secret, "one", provider)


@pytest.mark.parametrize("secret", [b"", b"\n", b"short", b"fifteen bytes..\n"])
def test_a_short_secret_is_refused(secret: bytes) -> None:
    with pytest.raises(UsageError, match="at least 16"):
        checked_secret(secret, "gh", "github")


def test_the_line_end_of_an_editor_is_no_part_of_the_secret() -> None:
    assert checked_secret(b"0123456789abcdef\r\n", "gh", "github") == b"0123456789abcdef"


def test_a_receiver_never_prints_its_secret() -> None:
    assert "0123456789" not in repr(Receiver("gh", "github", ("a",), (Secret(b"0123456789abcdef"),)))


def sign(secret: bytes, body: bytes) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def test_any_of_several_secrets_proves() -> None:
    given = sign(b"old", b"x").encode()
    assert signed([b"new", b"old"], b"x", given, b"sha256=")
    assert not signed([b"new", b"older"], b"x", given, b"sha256=")


@pytest.mark.parametrize("secrets", [[], [b""]])
def test_no_secret_proves_nothing(secrets: list[bytes]) -> None:
    assert not signed(secrets, b"x", sign(b"", b"x").encode(), b"sha256=")


def test_the_published_example_of_github_is_proven() -> None:
    # The example of GitHub's own documentation on validating deliveries.
    signature = b"757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signed([b"It's a Secret to Everybody"], b"Hello, World!", signature)


def test_header_names_are_taken_in_any_case() -> None:
    body = b'{"ref":"refs/tags/v1","after":"' + b"b" * 64 + b'","repository":{"ssh_url":"git@h.example:a"}}'
    headers = {"x-HUB-signature-256": sign(b"k", body), "x-github-EVENT": "push"}
    verdict = judge("github", [b"k"], headers, body, 0)
    assert (verdict.result, verdict.refs) == ("accept", (PushedRef("refs/tags/v1", "b" * 64),))
    assert verdict.as_json()["repo"] == "git@h.example:a"


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


@pytest.mark.parametrize(
    "url",
    [
        "https://fabrikam@dev.azure.com/fabrikam/Platform/_git/deploy",
        "https://dev.azure.com/fabrikam/Platform/_git/deploy",
        "git@ssh.dev.azure.com:v3/fabrikam/Platform/deploy",
        "ssh://git@ssh.dev.azure.com/v3/fabrikam/Platform/deploy",
    ],
)
def test_a_repository_of_azure_is_one_over_https_and_ssh(url: str) -> None:
    assert normal_url(url) == "dev.azure.com/fabrikam/Platform/_git/deploy"


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
        ("main", "refs/heads/main", True),
        ("v1", "refs/tags/v1", True),
        ("main", "refs/heads/x/main", False),
        ("a" * 40, "refs/heads/main", False),
    ],
)
def test_refs_match_by_full_name(watched: str, pushed: str, matches: bool) -> None:
    assert ref_matches(watched, pushed) is matches
