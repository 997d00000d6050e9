"""Owns running gpg: a home of its own in a temporary directory, no agent, no network, nothing of this user's keys.

What counts is what gpg says in its status lines, never how it ends. Must not judge them: `pgp` does.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler import limits
from reconciler.errors import ToolMissingError, VerifyError
from reconciler.source import child

Status = tuple[str, ...]

_PREFIX: Final = "[GNUPG:] "
# Options that a configuration could not undo: there is none, and nothing may be started, asked or fetched.
_OPTIONS: Final = (
    *("--batch", "--no-tty", "--no-options", "--no-autostart", "--disable-dirmngr", "--no-auto-key-retrieve"),
    *("--no-auto-key-locate", "--no-auto-check-trustdb", "--trust-model", "always", "--status-fd", "1"),
)


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys that gpg knows for a moment. `listed` are the fingerprints of their primary keys, 40 hex digits each."""

    home: Path
    listed: frozenset[str]

    def verify(self, payload: bytes, signature: bytes) -> tuple[bool, tuple[Status, ...]]:
        """Whether gpg was content, and its status lines as words, the keyword first."""
        file = self.home / "signature.asc"
        file.write_bytes(signature)
        return _run(self.home, "--verify", "--", str(file), "-", stdin=payload)


@contextmanager
def keyring(keys: Mapping[str, bytes], name: str) -> Iterator[Keyring]:
    """A keyring with these armored keys; it is gone at the end. `name` is what messages call the Secret they are from.

    Raises VerifyError SS2110 for a file that holds no usable key, ToolMissingError where there is no gpg.
    """
    with tempfile.TemporaryDirectory(prefix="setscrew-gpg-") as directory:
        home, listed = Path(directory), set()
        for file, data in keys.items():
            _, rows = _run(home, "--import", stdin=data)
            found = {row[2] for row in rows if row[0] == "IMPORT_OK" and len(row) > 2}
            if not found or any(row[0] == "IMPORT_PROBLEM" for row in rows):
                why = f"{file} holds a PGP key that gpg cannot use"
                raise VerifyError(why, where=f"Secret {name}", hint="gpg --armor --export", code="SS2110")
            listed |= found
        yield Keyring(home, frozenset(listed))


def _run(home: Path, *arguments: str, stdin: bytes) -> tuple[bool, tuple[Status, ...]]:
    program = shutil.which("gpg")
    if not program:
        hint = "install GnuPG 2.2 or newer, or sign with SSH keys"
        raise ToolMissingError("gpg not found: PGP signatures cannot be verified", hint=hint)
    finished = child.run(
        [program, *_OPTIONS, *arguments],
        cwd=home,
        env={"PATH": "/nonexistent", "HOME": str(home), "GNUPGHOME": str(home), "LANG": "C.UTF-8"},
        name="gpg",
        stdin=stdin,
        seconds=limits.SIGNATURE_SECONDS,
    )
    rows = finished.output.decode("utf-8", "replace").split("\n")
    status = (tuple(row.removeprefix(_PREFIX).split(" ")) for row in rows if row.startswith(_PREFIX))
    return finished.status == 0, tuple(status)
