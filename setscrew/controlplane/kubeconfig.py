"""Owns the text of a kubeconfig (JSON, which is YAML); must not write files or speak to a server."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from setscrew.controlplane.certificates import KeyPair


def with_certificate(server: str, ca: bytes, user: str, pair: KeyPair) -> bytes:
    """A kubeconfig whose user has a client certificate; all keys are inside, so the file can be moved."""
    return _document(
        server, ca, user, {"client-certificate-data": _text(pair.certificate), "client-key-data": _text(pair.key)}
    )


def with_token(server: str, ca: bytes, user: str, token: str) -> bytes:
    """A kubeconfig whose user has a bearer token."""
    return _document(server, ca, user, {"token": token})


def _document(server: str, ca: bytes, user: str, credentials: Mapping[str, str]) -> bytes:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "setscrew", "cluster": {"server": server, "certificate-authority-data": _text(ca)}}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": "setscrew", "context": {"cluster": "setscrew", "user": user}}],
        "current-context": "setscrew",
    }
    return json.dumps(document, indent=1).encode()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
