"""Owns gunicorn's settings for the admission listener; must not start anything."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from reconciler.limits import ADMISSION_CONNECTIONS, WEBHOOK_TIMEOUT_SECONDS
from webhook.parent import worker_ends_with_master
from webhook.settings import AdmissionSettings

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where the kernel keeps it; gunicorn makes a private file there
_WORKER_SILENT_SECONDS = 30
_END_SECONDS = 2


def options(settings: AdmissionSettings, listener: int) -> dict[str, Any]:
    """Settings by gunicorn's names. `listener` is the descriptor of the bound socket."""
    return {
        "bind": f"fd://{listener}",
        "worker_class": "webhook.server.worker.AdmissionWorker",
        # Kept-alive connections are not shared out: one worker does most of the work, the other survives its crash.
        "workers": settings.workers,
        "worker_connections": ADMISSION_CONNECTIONS,
        # Above the 90 s after which the API server drops an idle connection; below, its next POST meets a closed one.
        "keepalive": settings.keepalive_seconds,
        "timeout": _WORKER_SILENT_SECONDS,
        # The workers end by themselves before it: idle connections first, then the reviews under way.
        "graceful_timeout": math.ceil(settings.drain_seconds) + WEBHOOK_TIMEOUT_SECONDS + _END_SECONDS,
        # The heartbeat file must not wait for a disk.
        "worker_tmp_dir": str(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else None,
        "http_parser": "python",
        "accesslog": None,
        "errorlog": "-",
        "loglevel": settings.log_level,
        "control_socket_disable": True,
        "proc_name": "setscrew-admission",
        "post_fork": worker_ends_with_master,
        # Identity is what the review says; no header of a proxy is believed.
        "forwarded_allow_ips": "",
        # For gunicorn's own log line; the workers make their context themselves (webhook.server.certificate).
        "certfile": str(settings.certificate),
        "keyfile": str(settings.key),
    }
