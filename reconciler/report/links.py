"""Owns links to commits and files on the web pages of Git hosts. Pure: nothing is asked, and no link is tried.

A link is made for hosts that are known by name or configured, of names that can be nothing else: what stands in a URL
or a file's name was written by whoever may push. It is always https, and never holds a user, a password or a token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, get_args
from urllib.parse import quote, unquote, urlsplit

Provider = Literal["github", "gitlab", "gitea", "forgejo", "bitbucket-cloud", "bitbucket-server", "azure-devops"]
PROVIDERS: Final[tuple[Provider, ...]] = get_args(Provider)

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_HOST: Final = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
_NAME: Final = re.compile(r"[\w~.][\w .~+-]{0,254}")
_SCP: Final = re.compile(r"(?:[^@/:\s]+@)?([^@/:\s]+):(?!//)(.+)")
_VISUAL_STUDIO: Final = ".visualstudio.com"
_AZURE: Final = "dev.azure.com"
_URL_CHARS: Final = 2_048


@dataclass(frozen=True, slots=True)
class GitHost:
    """How the pages of a host are laid out, and where they begin: `https://git.example.com`, without a slash."""

    provider: Provider
    web: str


_KNOWN: Final[Mapping[str, GitHost]] = MappingProxyType(
    {
        "github.com": GitHost("github", "https://github.com"),
        "ssh.github.com": GitHost("github", "https://github.com"),
        "gitlab.com": GitHost("gitlab", "https://gitlab.com"),
        "altssh.gitlab.com": GitHost("gitlab", "https://gitlab.com"),
        "gitea.com": GitHost("gitea", "https://gitea.com"),
        "codeberg.org": GitHost("forgejo", "https://codeberg.org"),
        "bitbucket.org": GitHost("bitbucket-cloud", "https://bitbucket.org"),
        "altssh.bitbucket.org": GitHost("bitbucket-cloud", "https://bitbucket.org"),
        _AZURE: GitHost("azure-devops", f"https://{_AZURE}"),
        "ssh.dev.azure.com": GitHost("azure-devops", f"https://{_AZURE}"),
        "vs-ssh.visualstudio.com": GitHost("azure-devops", f"https://{_AZURE}"),
    }
)
NO_HOSTS: Final[Mapping[str, GitHost]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Repository:
    """The pages of one repository; `base` is where they begin."""

    provider: Provider
    base: str

    def commit(self, commit: str) -> str:
        """The page of a commit, of 40 or 64 hex digits; "" for what is none."""
        if not _COMMIT.fullmatch(commit):
            return ""
        word = "commits" if self.provider.startswith("bitbucket") else f"{self._dash}commit"
        return f"{self.base}/{word}/{commit}"

    def file(self, commit: str, path: str, line: int = 0) -> str:
        """The page of a file at a commit, at a line where one is given (from 1); "" where there can be none.

        `path` is the file's from the root of the repository.
        """
        if not _COMMIT.fullmatch(commit) or not _is_path(path):
            return ""
        base, file, at = self.base, quote(path, safe="/"), max(0, line)
        match self.provider:
            case "github" | "gitlab":
                return f"{base}/{self._dash}blob/{commit}/{file}{f'#L{at}' if at else ''}"
            case "gitea" | "forgejo":
                return f"{base}/src/commit/{commit}/{file}{f'#L{at}' if at else ''}"
            case "bitbucket-cloud":
                return f"{base}/src/{commit}/{file}{f'#lines-{at}' if at else ''}"
            case "bitbucket-server":
                return f"{base}/browse/{file}?at={commit}{f'#{at}' if at else ''}"
        lines = f"&line={at}&lineEnd={at + 1}&lineStartColumn=1&lineEndColumn=1" if at else ""
        return f"{base}?path=/{file}&version=GC{commit}{lines}"

    @property
    def _dash(self) -> str:
        return "-/" if self.provider == "gitlab" else ""


def repository(url: str, hosts: Mapping[str, GitHost] = NO_HOSTS) -> Repository | None:
    """The pages of the repository at `url`, a remote as Git takes it (https, ssh, `host:path`); None: none are known.

    `hosts` are configured ones, by name in lower case, and go before those that are known.
    """
    name, path = _remote(url)
    host = hosts.get(name) or _KNOWN.get(name) or _visual_studio(name)
    if host is None:
        return None
    parts = [unquote(part) for part in path.removesuffix("/").removesuffix(".git").split("/") if part]
    if not parts or not all(_NAME.fullmatch(part) and part not in (".", "..") for part in parts):
        return None
    place = _place(host.provider, name, parts)
    return Repository(host.provider, f"{host.web}/{'/'.join(map(quote, place))}") if place else None


def commit_link(url: str, commit: str, hosts: Mapping[str, GitHost] = NO_HOSTS) -> str:
    """The page of a commit of the repository at `url`; "" where none is known."""
    found = repository(url, hosts)
    return found.commit(commit) if found else ""


def file_link(url: str, commit: str, path: str, line: int = 0, hosts: Mapping[str, GitHost] = NO_HOSTS) -> str:
    """The page of a file at a commit of the repository at `url`; "" where none is known."""
    found = repository(url, hosts)
    return found.file(commit, path, line) if found else ""


def is_host(text: str) -> bool:
    """True for the name of a host, in lower case and without a port."""
    return _HOST.fullmatch(text) is not None and ".." not in text


def _is_path(path: str) -> bool:
    """True for a file below the root; one whose name cannot be printed is not linked."""
    return path.isprintable() and len(path) <= _URL_CHARS and not set(path.split("/")) & {"", ".", ".."}


def _remote(url: str) -> tuple[str, str]:
    """Host in lower case and path of a remote; ("", "") for what is none, or neither https nor ssh."""
    if len(url) > _URL_CHARS or not url.isprintable():  # a parser of URLs drops line ends
        return "", ""
    if "://" not in url:
        short = _SCP.fullmatch(url)
        return (short[1].lower(), short[2]) if short and is_host(short[1].lower()) else ("", "")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "", ""
    return (host, parts.path) if parts.scheme in ("https", "http", "ssh") and is_host(host) else ("", "")


def _visual_studio(name: str) -> GitHost | None:
    """The older name of an organisation at Azure DevOps."""
    return _KNOWN[_AZURE] if name.endswith(_VISUAL_STUDIO) and name.count(".") == 2 else None


def _place(provider: Provider, name: str, parts: list[str]) -> list[str]:
    """Where on its host the pages of a repository begin; [] for what is no path of a repository there."""
    if provider == "azure-devops":
        return _azure(name, parts)
    if provider != "bitbucket-server":
        return parts if len(parts) == 2 or (provider == "gitlab" and len(parts) > 1) else []
    project, *rest = parts[1:] if parts[0] == "scm" else parts
    if len(rest) != 1:
        return []
    owner = ["users", project[1:]] if project.startswith("~") else ["projects", project]
    return [*owner, "repos", *rest]


def _azure(name: str, parts: list[str]) -> list[str]:
    """`organisation/project/_git/repository`; a project's repository of the same name may be left out."""
    if parts[0] == "v3":
        return [parts[1], parts[2], "_git", parts[3]] if len(parts) == 4 else []
    if name.endswith(_VISUAL_STUDIO):
        named = parts[1:] if parts[0].lower() == "defaultcollection" else parts
        parts = [name.removesuffix(_VISUAL_STUDIO), *named]
    if "_git" not in parts or parts[-2] != "_git" or len(parts) not in (3, 4):
        return []
    return parts
