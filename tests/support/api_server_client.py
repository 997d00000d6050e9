"""Owns the client certificate of an API server in tests: its files, and the configuration that makes it show it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

from setscrew.controlplane.certificates import Authority


def admission_configuration(directory: Path, clients: Authority, name: str, server: str = "*") -> Path:
    """What --admission-control-config-file takes: the certificate of `name` to show to `server` (HOST:PORT; all)."""
    pair = clients.client(name, (), datetime.now(UTC))
    user = {
        "client-certificate-data": base64.b64encode(pair.certificate).decode(),
        "client-key-data": base64.b64encode(pair.key).decode(),
    }
    users = [{"name": server, "user": user}]
    kubeconfig = directory / "webhook.kubeconfig"
    kubeconfig.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "users": users}))
    plugin = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "WebhookAdmissionConfiguration",
        "kubeConfigFile": str(kubeconfig),
    }
    configuration = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [{"name": "ValidatingAdmissionWebhook", "configuration": plugin}],
    }
    path = directory / "admission.yaml"
    path.write_text(json.dumps(configuration))
    return path
