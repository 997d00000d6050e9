"""Owns how credentials reach git without being seen. Must not run git.

What is secret goes to files (0600) of a directory that is removed after the call: never to an argument, a URL or the
environment, which other programs of this machine can read while git waits.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reconciler.source.command import SSH, Access
from reconciler.source.credentials import Credentials
from reconciler.source.hosts import Place

# Git asks for "Username for …" and "Password for …", ssh for a passphrase; the files lie beside the helper.
_ASKPASS: Final = """#!/bin/sh
case "$1" in Username*) exec cat "${0%/*}/username" ;; *) exec cat "${0%/*}/password" ;; esac
"""


@contextmanager
def opened(found: Credentials, place: Place | None) -> Iterator[Access]:
    """How git reaches `place` with these credentials, while the block lasts."""
    with tempfile.TemporaryDirectory(prefix="setscrew-access-") as name:
        directory = Path(name)
        environment = {"GIT_SSH_COMMAND": _ssh(directory, found, place)}
        if found.password:
            for part, text in (("username", found.username or "git"), ("password", found.password)):
                _write(directory / part, text + "\n")
            helper = str(_write(directory / "askpass", _ASKPASS, 0o700))
            environment |= {"GIT_ASKPASS": helper, "SSH_ASKPASS": helper}
            environment |= {"SSH_ASKPASS_REQUIRE": "force"} if found.identity else {}
        _write(directory / "config", _configuration(directory, found))
        settings = {**_pinned(place), "include.path": str(directory / "config")}
        yield Access(environment, settings, found.redacted)


def _configuration(directory: Path, found: Credentials) -> str:
    values = {}
    for name, key, text in (
        ("ca.crt", "sslCAInfo", found.ca),
        ("tls.crt", "sslCert", found.certificate),
        ("tls.key", "sslKey", found.key),
    ):
        if text:
            values[key] = str(_write(directory / name, text))
    if found.bearer:
        values["extraHeader"] = f"Authorization: Bearer {found.bearer}"
    if found.proxy is not None:
        values["proxy"] = found.proxy.url
    return "[http]\n" + "".join(f'\t{key} = "{_quoted(value)}"\n' for key, value in values.items())


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _pinned(place: Place | None) -> dict[str, str]:
    """HTTPS goes to the addresses that were looked at (git 2.37 and newer)."""
    if place is None or not place.addresses:
        return {}
    addresses = ",".join(f"[{one}]" if ":" in one else one for one in place.addresses)
    return {"http.curloptResolve": f"{place.bracketed}:{place.port}:{addresses}"}


def _ssh(directory: Path, found: Credentials, place: Place | None) -> str:
    if not found.identity:
        return SSH
    ssh = SSH.replace("BatchMode=yes", "BatchMode=no -o NumberOfPasswordPrompts=1") if found.password else SSH
    identity = _write(directory / "identity", found.identity)
    known = _write(directory / "known_hosts", found.known_hosts)
    options = [f"UserKnownHostsFile={known}"]
    if place is not None and place.addresses:
        # The key is looked up by the name that known_hosts has, while the connection goes to the address.
        named = place.host if place.port == 22 else f"[{place.host}]:{place.port}"
        options += [f"HostName={place.addresses[0]}", f"HostKeyAlias={named}"]
    return f"{ssh} -i {shlex.quote(str(identity))} " + " ".join(f"-o {shlex.quote(one)}" for one in options)


def _write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.touch(mode)
    path.write_text(text)
    return path
