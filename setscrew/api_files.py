"""Owns the files by which commands find a running API server: `api.json` and the token, in the state directory."""

from __future__ import annotations

import json
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.errors import UsageError
from reconciler.limits import PUSH_SECRET_BYTES
from reconciler.store.private_file import write_private

API_FILE: Final = "api.json"
TOKEN_FILE: Final = "api-token"  # noqa: S105 - a file name
_TOKEN_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class ApiAddress:
    """Where the API server answers, and the file that holds its token."""

    url: str
    token_file: Path


def write_address(state_dir: Path, url: str) -> None:
    """Tell commands where the API server is. Raises StoreError."""
    body = json.dumps({"url": url, "tokenFile": str((state_dir / TOKEN_FILE).absolute())})
    write_private(state_dir / API_FILE, body + "\n")


def read_address(state_dir: Path) -> ApiAddress:
    """What `write_address` wrote. Raises UsageError if there is none."""
    path = state_dir / API_FILE
    try:
        found = json.loads(path.read_text("utf-8"))
        return ApiAddress(str(found["url"]), Path(str(found["tokenFile"])))
    except OSError as error:
        hint = "start `setscrew run`, or name a server with --server and --token-file"
        raise UsageError(f"no running instance is known here: {error.strerror}", where=str(path), hint=hint) from None
    except (ValueError, KeyError, TypeError):
        raise UsageError("not the address of an API server", where=str(path)) from None


def ensure_token(state_dir: Path) -> bytes:
    """The token of this state directory, made at first use (mode 0600). Raises StoreError or UsageError."""
    path = state_dir / TOKEN_FILE
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32) + "\n")
    return read_token(path)


def take_token(state_dir: Path, given: Path) -> None:
    """Have the token of a file, such as a mounted Secret, be that of this state directory.

    Where there is no such file nothing changes. Raises StoreError, or UsageError for a token that can be guessed.
    """
    try:
        token = given.read_bytes().strip()
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"cannot read the token: {error.strerror}", where=str(given)) from None
    if len(token) < PUSH_SECRET_BYTES or not token.isascii() or b" " in token:
        message = f"the token must be {PUSH_SECRET_BYTES} or more plain characters"
        raise UsageError(message, where=str(given), hint="make one with: openssl rand -hex 32")
    write_private(state_dir / TOKEN_FILE, token.decode() + "\n")


def read_token(path: Path) -> bytes:
    """The token in a file. Raises UsageError if it is missing, empty, or readable by others."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            token = file.read(_TOKEN_BYTES).strip()
    except OSError as error:
        raise UsageError(f"cannot read the token: {error.strerror}", where=str(path)) from None
    if stat.S_IMODE(mode) & 0o077:
        raise UsageError("the token can be read by others", where=str(path), hint=f"chmod 600 {path}")
    if not token or not token.isascii():
        raise UsageError("the token is empty or not plain text", where=str(path))
    return token
