"""Owns the settings of the admission server: the one place of `webhook` that knows names of environment variables.

Must not open files or sockets: it says where they are.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.errors import UsageError
from reconciler.limits import ADMISSION_KEEPALIVE_SECONDS, ADMISSION_WORKERS, DRAIN_SECONDS

TLS_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
WORKERS: Final = ("asgi", "gthread")
LOG_LEVELS: Final = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class AdmissionSettings:
    """Everything the admission server can be told.

    `drain_seconds`: how long requests are still taken after SIGTERM. `metrics_port` None: no metrics. `client_ca`: who
    asks for reviews must show a certificate of it with one of `client_names`. `tls_trusted`, `tls_host`: the bundle and
    the host by which a new certificate is tried before it is served.
    """

    state_dir: Path
    host: str = "127.0.0.1"
    port: int = 8443
    certificate: Path = Path()
    key: Path = Path()
    pointer: Path = Path()
    refresh_socket: Path = Path()
    decisions_socket: Path = Path()
    worker: str = "asgi"
    workers: int = ADMISSION_WORKERS
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = 8444
    keepalive_seconds: int = ADMISSION_KEEPALIVE_SECONDS
    drain_seconds: float = DRAIN_SECONDS
    tls_minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    tls_trusted: Path | None = None
    tls_host: str = ""
    client_ca: Path | None = None
    client_names: tuple[str, ...] = ()
    log_level: str = "info"

    @classmethod
    def in_directory(
        cls,
        state_dir: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 8443,
        metrics: tuple[str, int] | None = None,
        worker: str = "asgi",
        log_level: str = "info",
    ) -> AdmissionSettings:
        """Defaults of the embedded run: everything lies in one state directory. `metrics`: host and port."""
        return cls.from_environment(
            {
                "SETSCREW_STATE_DIR": str(state_dir),
                "SETSCREW_ADMISSION_HOST": host,
                "SETSCREW_ADMISSION_PORT": str(port),
                "SETSCREW_METRICS_HOST": metrics[0] if metrics else "",
                "SETSCREW_METRICS_PORT": str(metrics[1]) if metrics else "",
                "SETSCREW_ADMISSION_WORKER": worker,
                "SETSCREW_LOG_LEVEL": log_level,
            }
        )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> AdmissionSettings:
        """Read `SETSCREW_*`. Raises UsageError naming the variable that is missing or wrong."""
        state = environ.get("SETSCREW_STATE_DIR", "")
        if not state:
            raise UsageError(
                "the state directory is not given", where="SETSCREW_STATE_DIR", hint="set it to a directory"
            )
        home = Path(state)
        return cls(
            state_dir=home,
            host=environ.get("SETSCREW_ADMISSION_HOST") or "127.0.0.1",
            port=_whole(environ, "SETSCREW_ADMISSION_PORT", 8443, 0, 65_535),
            certificate=_path(environ, "SETSCREW_TLS_CERTIFICATE", home / "tls" / "tls.crt"),
            key=_path(environ, "SETSCREW_TLS_KEY", home / "tls" / "tls.key"),
            pointer=_path(environ, "SETSCREW_SNAPSHOT_POINTER", home / "snapshots" / "current.json"),
            refresh_socket=_path(environ, "SETSCREW_REFRESH_SOCKET", home / "reconciler.sock"),
            decisions_socket=_path(environ, "SETSCREW_DECISIONS_SOCKET", home / "decisions.sock"),
            worker=_choice(environ, "SETSCREW_ADMISSION_WORKER", "asgi", WORKERS),
            workers=_whole(environ, "SETSCREW_ADMISSION_WORKERS", ADMISSION_WORKERS, 1, 64),
            metrics_host=environ.get("SETSCREW_METRICS_HOST") or "127.0.0.1",
            # Set but empty: none. Not set: the default.
            metrics_port=_whole(environ, "SETSCREW_METRICS_PORT", 8444, 0, 65_535)
            if environ.get("SETSCREW_METRICS_PORT", "8444")
            else None,
            drain_seconds=_whole(environ, "SETSCREW_DRAIN_SECONDS", int(DRAIN_SECONDS), 0, 600),
            tls_trusted=Path(environ["SETSCREW_TLS_TRUSTED"]) if environ.get("SETSCREW_TLS_TRUSTED") else None,
            tls_host=environ.get("SETSCREW_TLS_HOST", ""),
            client_ca=_client_ca(environ),
            client_names=_client_names(environ),
            tls_minimum=TLS_VERSIONS[_choice(environ, "SETSCREW_TLS_MINIMUM", "1.3", tuple(TLS_VERSIONS))],
            log_level=_choice(environ, "SETSCREW_LOG_LEVEL", "info", LOG_LEVELS),
        )

    def environment(self) -> dict[str, str]:
        """The variables that give these settings back: what a parent passes to `python -m webhook.server`."""
        versions = {version: name for name, version in TLS_VERSIONS.items()}
        return {
            "SETSCREW_STATE_DIR": str(self.state_dir),
            "SETSCREW_ADMISSION_HOST": self.host,
            "SETSCREW_ADMISSION_PORT": str(self.port),
            "SETSCREW_TLS_CERTIFICATE": str(self.certificate),
            "SETSCREW_TLS_KEY": str(self.key),
            "SETSCREW_SNAPSHOT_POINTER": str(self.pointer),
            "SETSCREW_REFRESH_SOCKET": str(self.refresh_socket),
            "SETSCREW_DECISIONS_SOCKET": str(self.decisions_socket),
            "SETSCREW_ADMISSION_WORKER": self.worker,
            "SETSCREW_ADMISSION_WORKERS": str(self.workers),
            "SETSCREW_METRICS_HOST": self.metrics_host,
            "SETSCREW_METRICS_PORT": "" if self.metrics_port is None else str(self.metrics_port),
            "SETSCREW_DRAIN_SECONDS": str(int(self.drain_seconds)),
            "SETSCREW_TLS_MINIMUM": versions[self.tls_minimum],
            "SETSCREW_TLS_TRUSTED": str(self.tls_trusted or ""),
            "SETSCREW_TLS_HOST": self.tls_host,
            "SETSCREW_CLIENT_CA": str(self.client_ca or ""),
            "SETSCREW_CLIENT_NAMES": ",".join(self.client_names),
            "SETSCREW_LOG_LEVEL": self.log_level,
        }


def _client_ca(environ: Mapping[str, str]) -> Path | None:
    """Without a name everybody with any certificate of that authority, such as each node, could ask."""
    ca, names = environ.get("SETSCREW_CLIENT_CA", ""), environ.get("SETSCREW_CLIENT_NAMES", "")
    if bool(ca) != bool(names):
        missing, given = ("NAMES", "CA") if ca else ("CA", "NAMES")
        raise UsageError("one goes without the other", where=f"SETSCREW_CLIENT_{given}, SETSCREW_CLIENT_{missing}")
    return Path(ca) if ca else None


def _client_names(environ: Mapping[str, str]) -> tuple[str, ...]:
    names = environ.get("SETSCREW_CLIENT_NAMES", "")
    return tuple(name.strip() for name in names.split(",")) if names else ()


def _path(environ: Mapping[str, str], name: str, default: Path) -> Path:
    return Path(environ.get(name) or default)


def _whole(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and low <= int(text[:9]) <= high):
        raise UsageError(f"{text!r} is not a whole number from {low} to {high}", where=name)
    return int(text)


def _choice(environ: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    text = environ.get(name) or default
    if text not in allowed:
        raise UsageError(f"{text!r} is none of {', '.join(allowed)}", where=name)
    return text
