"""Git hosts as documents: what is wrong is named, and nothing but https is linked to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.report.links import GitHost
from setscrew.configuration import load
from setscrew.git_hosts import load_git_hosts, parse_git_hosts


def host(name: Any = "git.example.com", **spec: Any) -> dict[str, Any]:
    return {"kind": "GitHost", "metadata": {"name": name}, "spec": {"provider": "gitlab"} | spec}


def test_a_host_is_known_by_the_name_that_stands_in_urls(tmp_path: Path) -> None:
    file = tmp_path / "hosts.yaml"
    file.write_text("kind: GitHost\nmetadata: {name: git.example.com}\nspec: {provider: gitlab}\n---\nkind: Receiver\n")
    assert load_git_hosts(file) == {"git.example.com": GitHost("gitlab", "https://git.example.com")}
    assert load_git_hosts(None) == {}


def test_a_directory_of_configuration_may_hold_it(tmp_path: Path) -> None:
    (tmp_path / "host.yaml").write_text("kind: GitHost\nmetadata: {name: git.example.com}\nspec: {provider: gitea}\n")
    assert load(tmp_path).sources == ()


@pytest.mark.parametrize(
    ("web", "found"),
    [
        ("https://pages.example.com:8443/git/", "https://pages.example.com:8443/git"),
        ("https://PAGES.example.com", "https://pages.example.com"),
    ],
)
def test_its_pages_may_be_elsewhere(web: str, found: str) -> None:
    assert parse_git_hosts([host(web=web)])["git.example.com"].web == found


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (host("Git.example.com"), "metadata.name"),
        (host("git.example.com:8443"), "metadata.name"),
        (host(7), "metadata.name"),
        ({"kind": "GitHost", "metadata": {"name": "a.example"}}, "spec is missing"),
        (host(token="plain"), "spec.token is not known"),
        (host(provider="svn"), "spec.provider"),
        (host(web="http://git.example.com"), "https"),
        (host(web="javascript:alert(1)"), "https"),
        (host(web="https://u:p@git.example.com"), "a host and a path alone"),
        (host(web="https://git.example.com/<b>"), "a host and a path alone"),
        (host(web="https://git.example.com/?x"), "https"),
        (host(web="https://git.example.com:x/"), "https"),
        (host(web="https:///x"), "https"),
        (host(web=7), "https"),
    ],
)
def test_what_is_wrong_is_named(document: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_git_hosts([document])


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two Git hosts"):
        parse_git_hosts([host(), host()])
