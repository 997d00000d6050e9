"""Owns people who sign with real `gpg` and `ssh-keygen`, and what of them a Secret would list."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PAST: Final = "20240101T000000"
_SSH: Final[Mapping[str, tuple[str, ...]]] = {
    "dana": ("-t", "ed25519"),
    "eddy": ("-t", "ecdsa", "-b", "384"),
    "rosa": ("-t", "rsa", "-b", "3072"),
    "weak": ("-t", "rsa", "-b", "2048"),
    "mallory": ("-t", "ed25519"),
}
STRANGERS: Final = frozenset({"mallory", "eve"})


@dataclass(slots=True)
class People:
    """Everybody's keys in one private directory. `keys` are PGP fingerprints or paths of SSH keys, by name."""

    home: Path
    keys: dict[str, str] = field(default_factory=dict)
    revoked: dict[str, bytes] = field(default_factory=dict)
    past: frozenset[str] = frozenset({"expired", "lapsed", "stale"})

    def gpg(self, *options: str, stdin: str | bytes = b"", past: bool = False) -> bytes:
        """Run gpg as these people do, two years ago if `past`."""
        when = [f"--faked-system-time={PAST}"] if past else []
        command = ["gpg", "--batch", "--quiet", "--pinentry-mode=loopback", "--passphrase=", *when, *options]
        data = stdin.encode() if isinstance(stdin, str) else stdin
        return subprocess.run(command, env=self.environment, input=data, capture_output=True, check=True).stdout

    @property
    def environment(self) -> dict[str, str]:
        """What gpg and ssh-keygen need, and nothing of this user."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "GNUPGHOME": str(self.home), "LANG": "C.UTF-8"}

    def git_options(self, name: str) -> list[str]:
        """Options by which git signs as this person ("-": not at all)."""
        if name == "-":
            return ["-c", "commit.gpgSign=false"]
        if name in _SSH:
            return ["-c", "gpg.format=ssh", "-c", f"user.signingKey={self.keys[name]}"]
        program = self.home / ("gpg-past" if name in self.past else "gpg-now")
        return ["-c", "gpg.format=openpgp", "-c", f"gpg.program={program}", "-c", f"user.signingKey={self.keys[name]}"]

    def sign(self, name: str, payload: bytes, *options: str, namespace: str = "git") -> str:
        """A detached armored signature over `payload`; `options` go to the program."""
        if name in _SSH:
            command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, *options, "-f", self.keys[name]]
            done = subprocess.run(command, input=payload, capture_output=True, check=True, env=self.environment)
            return done.stdout.decode()
        make = options or ("--detach-sign",)
        return self.gpg("--armor", "-u", self.keys[name], *make, stdin=payload, past=name in self.past).decode()

    def fingerprint(self, name: str) -> str:
        """Of an SSH key, as `ssh-keygen -l` prints it."""
        command = ["ssh-keygen", "-l", "-f", f"{self.keys[name]}.pub"]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()[1]

    def public(self, name: str) -> bytes:
        """The public key as a Secret holds it."""
        if name in _SSH:
            return Path(f"{self.keys[name]}.pub").read_bytes()
        return self.revoked.get(name) or self.gpg("--armor", "--export", self.keys[name].rstrip("!"))

    def secret(self, *names: str) -> dict[str, bytes]:
        """A Secret that lists these people (none: all but strangers)."""
        chosen = names or tuple(name for name in self.keys if name not in STRANGERS)
        return {f"{name}.{'sshpub' if name in _SSH else 'asc'}": self.public(name) for name in chosen}


@contextmanager
def people() -> Iterator[People]:
    """Everybody. The agent that signs for them ends with them."""
    home = Path(tempfile.mkdtemp(prefix="sign-"))  # short: gpg's agent listens on a socket in it
    found = People(home)
    try:
        for name, options in _SSH.items():
            key = home / name
            command = ["ssh-keygen", "-q", "-N", "", "-C", f"{name}@example.com", "-f", str(key), *options]
            subprocess.run(command, check=True)
            found.keys[name] = str(key)
        for name, when in (("gpg-now", ""), ("gpg-past", f"--faked-system-time={PAST}")):
            program = home / name
            program.write_text(f'#!/bin/sh\nexec gpg --batch --passphrase= --pinentry-mode=loopback {when} "$@"\n')
            program.chmod(0o755)
        _make_pgp(found)
        yield found
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], env=found.environment, check=False)
        shutil.rmtree(home, ignore_errors=True)


def _make_pgp(found: People) -> None:
    for name, usage, expires in (
        ("pia", "sign", "never"),
        ("eve", "sign", "never"),
        ("revoked", "sign", "never"),
        ("expired", "sign", "1d"),
        ("stale", "sign", "never"),  # signs for a day only, long ago
        ("sub", "cert", "never"),
        ("lapsed", "cert", "never"),
        ("withdrawn", "cert", "never"),
    ):
        past = name in found.past
        found.gpg("--quick-generate-key", f"{name} <{name}@example.com>", "ed25519", usage, expires, past=past)
        found.keys[name] = _fingerprints(found, name)[0]
    for name, expires in (("sub", "never"), ("lapsed", "1d"), ("withdrawn", "never")):
        found.gpg("--quick-add-key", found.keys[name], "ed25519", "sign", expires, past=name in found.past)
        found.keys[name] = f"{_fingerprints(found, name)[1]}!"
    certificate = (found.home / "openpgp-revocs.d" / f"{found.keys['revoked']}.rev").read_text()
    armor = certificate[certificate.index(":-----BEGIN") + 1 :]
    found.revoked["revoked"] = found.public("revoked") + armor.encode()
    found.revoked["withdrawn"] = _withdraw(found, "withdrawn")


def _fingerprints(found: People, name: str) -> list[str]:
    rows = found.gpg("--with-colons", "--list-keys", f"<{name}@example.com>").decode().splitlines()
    return [row.split(":")[9] for row in rows if row.startswith("fpr:")]


def _withdraw(found: People, name: str) -> bytes:
    """The public key with its sub-key revoked; the home that signs does not hear of it."""
    primary = _fingerprints(found, name)[0]
    before = found.gpg("--armor", "--export-secret-keys", primary)
    found.gpg("--command-fd", "0", "--edit-key", primary, stdin="key 1\nrevkey\ny\n0\n\ny\nsave\n")
    public = found.gpg("--armor", "--export", primary)
    found.gpg("--yes", "--delete-secret-and-public-key", primary)
    found.gpg("--import", stdin=before)
    return public
