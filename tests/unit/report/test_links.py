"""Links to commits and files are those of the host, are https, and hold nothing that a URL may have hidden in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.report.links import GitHost, commit_link, file_link

CASES: Final[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "cases" / "report" / "links.yaml").read_text()
)
COMMIT, FILE, LINE = CASES["commit"], CASES["file"], CASES["line"]
HOSTS = {name: GitHost(**host) for name, host in CASES["hosts"].items()}
WORDS = st.sampled_from(
    ["https://", "ssh://", "git@", "github.com", "dev.azure.com", ":", "/", "acme", "..", "_git", "@"]
)


@pytest.mark.parametrize("url", CASES["linked"])
def test_a_remote_leads_to_the_pages_of_its_host(url: str) -> None:
    wanted = {name: text.replace("COMMIT", COMMIT) for name, text in CASES["linked"][url].items()}
    assert commit_link(url, COMMIT, HOSTS) == wanted["commit"]
    assert file_link(url, COMMIT, FILE, LINE, HOSTS) == wanted["file"]
    assert "hunter2" not in commit_link(url, COMMIT, HOSTS) + file_link(url, COMMIT, FILE, LINE, HOSTS)


@pytest.mark.parametrize("url", CASES["plain"])
def test_of_any_other_remote_there_is_no_link(url: str) -> None:
    assert commit_link(url, COMMIT, HOSTS) == file_link(url, COMMIT, FILE, LINE, HOSTS) == ""


@pytest.mark.parametrize("commit", ["", "main", "0123", "0" * 39 + "x", "0" * 41, f"{COMMIT}/../.."])
def test_a_link_leads_to_a_commit_only_by_its_whole_name(commit: str) -> None:
    assert commit_link("https://github.com/acme/deploy", commit) == ""
    assert commit_link("https://github.com/acme/deploy", "ab" * 32).endswith("ab" * 32)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a//b", "a/./b", "a\nb", "\ud800"])
def test_what_is_no_file_of_a_repository_is_not_linked(path: str) -> None:
    assert file_link("https://github.com/acme/deploy", COMMIT, path) == ""


def test_without_a_line_the_file_is_linked_as_a_whole() -> None:
    assert file_link("https://github.com/acme/deploy", COMMIT, "a.yaml").endswith("/a.yaml")


@given(st.lists(st.one_of(WORDS, st.text(max_size=3))).map("".join), st.text(max_size=20))
def test_whatever_is_linked_is_a_page_of_a_known_host(url: str, path: str) -> None:
    for link in (commit_link(url, COMMIT, HOSTS), file_link(url, COMMIT, path, 3, HOSTS)):
        if link:
            parts = urlsplit(link)
            assert (parts.scheme, link.isascii(), link.isprintable()) == ("https", True, True)
            assert parts.netloc in {"github.com", "dev.azure.com"}
            assert not set(parts.path.split("/")) & {".", ".."}
