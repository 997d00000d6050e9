"""Owns a real OpenSSH server of one test, on a loopback port: host key, one authorized key, known hosts.

Where this machine has no sshd it is put there by the machine's own package manager: installed (as root, with the
service kept from starting) or unpacked into the project's cache. Must not hold cases.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from setscrew.controlplane.cache import bin_root, exclusive
from tests.support.waiting import eventually

_PACKAGE = "openssh-server"
_PLACES = ("/usr/sbin", "/usr/local/sbin", "/sbin")
_STARTS_NOTHING = "#!/bin/sh\nexit 101\n"
_POLICY = Path("/usr/sbin/policy-rc.d")
_SEPARATION = Path("/run/sshd")
_INSTALL_SECONDS = 240


@dataclass(slots=True)
class Sshd:
    """Serves the bare repositories in `root` at `ssh://<user>@localhost:<port><root>/<name>.git`.

    Use as a context manager. `directory` takes keys and configuration.
    """

    root: Path
    directory: Path
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.root.mkdir(parents=True, exist_ok=True)
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("host", "client"):
            make_key(self.directory / name)
        shutil.copy(self.directory / "client.pub", self.directory / "authorized_keys")
        eventually(self._start_anywhere, "sshd listens on a port of its own")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def identity(self) -> bytes:
        """The private key that may log in: what a Secret holds as `identity`."""
        return (self.directory / "client").read_bytes()

    @property
    def known_hosts(self) -> bytes:
        """The server's own key, as a Secret holds it."""
        return known_hosts(self.port, self.directory / "host.pub")

    def url(self, name: str = "deploy") -> str:
        """The address of a repository."""
        return f"ssh://{_user()}@localhost:{self.port}{self.root.resolve()}/{name}.git"

    def create(self, name: str = "deploy", branch: str = "main") -> Path:
        """An empty bare repository; its directory, whose `hooks/` are the server's own."""
        place = self.root / f"{name}.git"
        subprocess.run(["git", "init", "--quiet", "--bare", f"--initial-branch={branch}", str(place)], check=True)
        return place

    def start(self) -> None:
        """Serve, again on the same port."""
        eventually(self._start, f"sshd listens again: {self.log}")

    def _start_anywhere(self) -> bool:
        """The port that is free now may be somebody else's a moment later: sshd cannot share one."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        (self.directory / "sshd_config").write_text(self._configuration())
        return self._start()

    def _start(self) -> bool:
        command = [str(program()), "-D", "-e", "-f", str(self.directory / "sshd_config")]
        with (self.directory / "sshd.log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(lambda: "Server listening" in self.log or process.poll() is not None, "sshd says how it is")
        self._process = process if process.poll() is None else None
        return self._process is not None

    def stop(self) -> None:
        """Refuse connections until `start`."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    @property
    def log(self) -> str:
        """What the server has said."""
        return (self.directory / "sshd.log").read_text()

    def _configuration(self) -> str:
        lines = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": self.directory / "host",
            "AuthorizedKeysFile": self.directory / "authorized_keys",
            "PidFile": "none",
            "StrictModes": "no",  # the directories of tests belong to whoever runs them
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
            "AllowTcpForwarding": "no",
            "LogLevel": "VERBOSE",
        }
        return "".join(f"{name} {value}\n" for name, value in lines.items())


def make_key(path: Path, password: str = "") -> Path:
    """An ed25519 key at `path`, and its public half beside it."""
    if not path.exists():
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", password, "-C", path.name, "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def known_hosts(port: int, public: Path) -> bytes:
    """The line of `known_hosts` that trusts this key for localhost at that port."""
    kind, key, *_ = public.read_text().split()
    return f"[localhost]:{port} {kind} {key}\n".encode()


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


@cache
def program() -> Path:
    """The path of sshd, installed where it is not there; skips the test, with the reason, where it cannot be."""
    if (found := _installed()) is None:
        place = bin_root(os.environ).parent / "sshd"
        with exclusive(place, lambda: None):
            found = _installed() or _unpacked(place) or _install(place)
    if os.getuid() == 0:
        _SEPARATION.mkdir(mode=0o755, exist_ok=True)
    return found


def _installed() -> Path | None:
    found = shutil.which("sshd", path=os.pathsep.join(_PLACES))
    return Path(found) if found else None


def _unpacked(place: Path) -> Path | None:
    found = place / "usr/sbin/sshd"
    return found if os.getuid() and found.is_file() else None  # as root it wants an account that only a package makes


def _install(place: Path) -> Path:
    if not shutil.which("apt-get"):
        pytest.skip("there is no sshd, and no apt-get to put it there")
    try:
        _apt("update", "-qq")
        if os.getuid():
            _apt("download", "-qq", _PACKAGE, "libwrap0", within=place)
            for package in place.glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", str(package), str(place)], check=True, capture_output=True)
        else:
            with _no_service_starts():
                _apt("install", "-qq", "--yes", "--no-install-recommends", _PACKAGE)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"there is no sshd, and it cannot be put there: {type(error).__name__}")
    found = _installed() or _unpacked(place)
    if found is None:
        pytest.skip("there is no sshd, also not in its package")
    return found


def _apt(*arguments: str, within: Path | None = None) -> None:
    # Unattended: a list that another package manager's run holds is waited for.
    options = ["-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=2"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", *options, *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=_INSTALL_SECONDS, env=environment, cwd=within)


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian asks this file whether a service that was installed may start."""
    if _POLICY.exists():
        yield
        return
    with tempfile.NamedTemporaryFile("w", dir=_POLICY.parent, delete=False) as file:
        file.write(_STARTS_NOTHING)
    Path(file.name).chmod(0o755)
    Path(file.name).rename(_POLICY)
    try:
        yield
    finally:
        _POLICY.unlink()
