"""Owns gunicorn's settings for the admission listener; must not start anything."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

from reconciler.limits import ADMISSION_CONNECTIONS, ADMISSION_THREADS, WEBHOOK_TIMEOUT_SECONDS
from webhook.parent import worker_ends_with_master
from webhook.server.board import COLUMN, Board
from webhook.settings import AdmissionSettings

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where the kernel keeps it; gunicorn makes a private file there
# A worker whose loop stands still holds connections of the API server, so it is not waited for long.
_WORKER_SILENT_SECONDS = 15
_CLASSES = {"asgi": "webhook.server.worker.AdmissionWorker", "gthread": "webhook.server.threaded.ThreadedWorker"}
_END_SECONDS = 2


def options(settings: AdmissionSettings, listener: int, board: Board) -> dict[str, Any]:
    """Settings by gunicorn's names. `listener` is the descriptor of the bound socket, `board` has a row a worker."""
    return {
        "bind": f"fd://{listener}",
        "worker_class": _CLASSES[settings.worker],
        "threads": ADMISSION_THREADS,
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
        "pre_fork": partial(_seat, board),
        "post_fork": _begin,
        "child_exit": partial(_left, board),
        # Identity is what the review says; no header of a proxy is believed.
        "forwarded_allow_ips": "",
        # For gunicorn's own log line; the workers make their context themselves (webhook.server.certificate).
        "certfile": str(settings.certificate),
        "keyfile": str(settings.key),
    }


def _seat(board: Board, master: Any, worker: Any) -> None:
    """In the master, before the fork: the new worker gets a row that no other one writes."""
    worker.number = board.free({other.number for other in master.WORKERS.values()})


def _begin(master: Any, worker: Any) -> None:
    """In the worker, after the fork."""
    worker_ends_with_master(master, worker)
    worker.app.number = worker.number


def _left(board: Board, master: Any, worker: Any) -> None:
    """In the master: a worker has ended. One that ends with the server, whose listeners are closed, was not lost."""
    board.clear(worker.number)
    if master.LISTENERS:
        board.row(0)[COLUMN["restarts"]] += 1
