"""Owns credentials of a source, from the keys of its Secrets. Must not write them anywhere: `access` does.

Keys have the names that Flux gives them; those of Argo CD's repository Secrets are read as well.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote, urlsplit

from reconciler.errors import SourceError

# What Argo CD's repository Secrets call what Flux calls otherwise; ours are Flux's names.
_ARGO: Final = {
    "sshPrivateKey": "identity",
    "tlsClientCertData": "tls.crt",
    "tlsClientCertKey": "tls.key",
    "githubAppEnterpriseBaseUrl": "githubAppBaseURL",
    "caFile": "ca.crt",
    "certFile": "tls.crt",
    "keyFile": "tls.key",
}
_APP: Final = ("githubAppID", "githubAppInstallationID", "githubAppPrivateKey")
_SHORTEST: Final = 4
_APP_URL: Final = "https://api.github.com"


@dataclass(frozen=True, slots=True)
class App:
    """A GitHub App: what its tokens are asked for with."""

    id: str
    installation: str
    key: str = field(repr=False)
    url: str = _APP_URL


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy, `http://host:port`, and who we are there."""

    address: str
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """With the password: for files only."""
        if not self.username:
            return self.address
        scheme, _, rest = self.address.partition("://")
        return f"{scheme}://{quote(self.username, safe='')}:{quote(self.password, safe='')}@{rest}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are at a Git host, and whom we trust there; "" is nothing of the kind.

    With an `identity`, a key of ssh, the password is its passphrase.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    bearer: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)
    known_hosts: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = field(default="", repr=False)
    app: App | None = None
    proxy: Proxy | None = None

    def redacted(self, text: str) -> str:
        """The text without anything secret, in whatever form programs write it."""
        for secret in sorted(filter(_is_secret, self._secrets()), key=len, reverse=True):
            for form in (secret, quote(secret, safe=""), quote(secret)):
                text = text.replace(form, "***")
        return text

    def _secrets(self) -> Iterator[str]:
        yield from (self.password, self.bearer)
        yield base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        if self.proxy is not None:
            yield self.proxy.password
        for key in (self.identity, self.key, self.app.key if self.app else ""):
            yield from key.splitlines()


def _is_secret(text: str) -> bool:
    return len(text) >= _SHORTEST and not text.startswith("-----")


def parse_credentials(url: str, keys: Mapping[str, bytes], where: str) -> Credentials:
    """Credentials from the keys of a Secret, in Flux's names or in Argo CD's. Raises SourceError; quotes no value."""
    texts = {_ARGO.get(name, name): _text(name, value, where) for name, value in keys.items()}
    for name in ("insecure", "insecureIgnoreHostKey"):
        if texts.get(name, "") == "true":
            hint = "put the authority into ca.crt, or the host's key into known_hosts"
            raise _unusable(f"key {name} asks for a connection that is not checked", where, hint)
    found = Credentials(
        username=texts.get("username", ""),
        password=texts.get("password", ""),
        bearer=texts.get("bearerToken", ""),
        known_hosts=texts.get("known_hosts", ""),
        ca=texts.get("ca.crt", ""),
        certificate=texts.get("tls.crt", ""),
        key=texts.get("tls.key", ""),
        app=_app(texts, where),
        proxy=parse_proxy({"address": keys["proxy"]}, where) if texts.get("proxy") else None,
    )
    if bool(found.certificate) != bool(found.key):
        raise _unusable("tls.crt and tls.key go together", where)
    return _for_ssh(found, texts, where) if urlsplit(url).scheme == "ssh" else found


def parse_proxy(keys: Mapping[str, bytes], where: str) -> Proxy:
    """The proxy of a Secret with `address`, and maybe `username` and `password`. Raises SourceError."""
    texts = {name: _text(name, value, where) for name, value in keys.items()}
    address = texts.get("address", "").rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in address:
        hint = "such as http://proxy.example.com:3128, with username and password in keys of their own"
        raise _unusable("key address is no address of an HTTP proxy", where, hint)
    return Proxy(address, texts.get("username", ""), texts.get("password", ""))


def _for_ssh(found: Credentials, texts: Mapping[str, str], where: str) -> Credentials:
    if not texts.get("identity"):
        raise _unusable("ssh needs a private key in key identity", where)
    if not found.known_hosts.strip():
        hint = "put the lines of `ssh-keyscan HOST` there, once you have compared them with what the host publishes"
        raise _unusable("ssh needs the host's key in key known_hosts", where, hint)
    if found.proxy is not None:
        raise _unusable("a proxy is not used for ssh", where, "use the repository's https:// address")
    return replace(found, identity=texts["identity"])


def _app(texts: Mapping[str, str], where: str) -> App | None:
    if "githubAppID" not in texts:
        return None
    if missing := [name for name in _APP if not texts.get(name, "").strip()]:
        raise _unusable(f"a GitHub App also needs key {missing[0]}", where)
    base = texts.get("githubAppBaseURL", "").strip().rstrip("/") or _APP_URL
    if not base.startswith("https://"):
        raise _unusable("key githubAppBaseURL must begin with https://", where)
    return App(texts["githubAppID"].strip(), texts["githubAppInstallationID"].strip(), texts[_APP[2]], base)


def _text(name: str, value: bytes, where: str) -> str:
    """A key of a Secret as text; line ends that people's editors leave are no part of a name or password."""
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise _unusable(f"key {name} is no text", where) from error
    if "\0" in text:
        raise _unusable(f"key {name} holds a NUL", where)
    many = name in {"identity", "sshPrivateKey", "known_hosts", "githubAppPrivateKey"} or text.startswith("-----BEGIN")
    text = f"{text.strip()}\n" if many else text.rstrip("\r\n")
    if not many and ("\n" in text or "\r" in text):
        raise _unusable(f"key {name} holds several lines", where)
    return text


def _unusable(message: str, where: str, hint: str = "") -> SourceError:
    return SourceError(message, where=where, hint=hint, code="SS2010")
