"""Owns `setscrew serve --in-cluster`: the admission server and the API server of one pod, over its state directory.

Keys, certificates and snapshots come from the container beside it, or not yet: until then the servers live, and are not
ready. The cluster is asked by the API server alone, and only who may read.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from setscrew import statedir
from setscrew.api_files import take_token
from setscrew.certificates import DIRECTORY, served, tried
from setscrew.incluster.service import url
from setscrew.readers import load_readers
from setscrew.readiness import answers
from setscrew.receivers import load_receivers
from setscrew.run import Listen
from setscrew.supervisor import Child, Supervisor
from setscrew.talk import tell
from webhook.settings import AdmissionSettings
from webhook.tls import placeholder
from webhook.tls.files import BUNDLE
from webhook.tls.given import REGISTERED


def serve_pod(
    state_dir: Path, config_dir: Path | None, listen: Listen, certificate: Path | None, key: Path | None
) -> int:
    """Serve until a signal ends it; returns the exit status. `certificate` and `key`: files that others renew, or None.

    Raises SetscrewError before anything is started.
    """
    os.umask(0o077)
    directory = statedir.prepare(state_dir)
    load_receivers(config_dir)
    load_readers(config_dir)
    if listen.api_token is not None:
        take_token(directory, listen.api_token)
    if certificate is None and placeholder.ensure(directory / DIRECTORY, datetime.now(UTC)):
        tell("setscrew: no certificate yet: nothing is answered but health checks until the leader has made one")
    return Supervisor(list(_children(directory, config_dir, listen, certificate, key))).run()


def _children(
    state_dir: Path, config_dir: Path | None, listen: Listen, certificate: Path | None, key: Path | None
) -> tuple[Child, Child]:
    python = [sys.executable, "-m"]
    host, port = listen.admission
    settings = AdmissionSettings.in_directory(
        state_dir, host=host, port=port, metrics=listen.metrics, worker=listen.worker, log_level="warning"
    )
    settings = tried(served(settings, certificate, key, listen.clients), url(), REGISTERED if certificate else BUNDLE)
    api = [*python, "setscrew.serve_api", "--state", str(state_dir)]
    api += ["--host", listen.api[0], "--port", str(listen.api[1]), "--log-level", "warning"]
    api += ["--receivers", str(config_dir)] if config_dir else []
    api += [] if listen.metric_namespaces else ["--no-metric-namespaces"]
    api += ["--service-account", str(listen.account)] if listen.account is not None else []
    admission = partial(answers, *listen.admission, tls=True)
    return (
        Child("admission server", [*python, "webhook.server"], settings.environment(), admission),
        Child("API server", api, {}, partial(answers, *listen.api, tls=False), needed=False),
    )
