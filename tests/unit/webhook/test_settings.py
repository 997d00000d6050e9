"""Holds that the admission server's settings come from the environment, whole, and that wrong ones are named."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from reconciler.errors import UsageError
from webhook.settings import AdmissionSettings


def test_a_state_directory_is_enough() -> None:
    settings = AdmissionSettings.from_environment({"SETSCREW_STATE_DIR": "/state"})
    assert settings.certificate == Path("/state/tls/tls.crt")
    assert settings.decisions_socket == Path("/state/decisions.sock")
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8443, 2)
    assert settings.tls_minimum == ssl.TLSVersion.TLSv1_3
    assert settings.keepalive_seconds > 90


def test_settings_survive_the_way_through_the_environment() -> None:
    settings = AdmissionSettings.from_environment(
        {
            "SETSCREW_STATE_DIR": "/state",
            "SETSCREW_ADMISSION_HOST": "::1",
            "SETSCREW_ADMISSION_PORT": "9443",
            "SETSCREW_TLS_MINIMUM": "1.2",
            "SETSCREW_TLS_CERTIFICATE": "/certs/tls.crt",
            "SETSCREW_DRAIN_SECONDS": "5",
            "SETSCREW_TLS_TRUSTED": "/certs/ca.crt",
            "SETSCREW_TLS_HOST": "guard.example",
            "SETSCREW_CLIENT_CA": "/certs/clients.crt",
            "SETSCREW_CLIENT_NAMES": "apiserver, spiffe://cluster/apiserver",
            "SETSCREW_LOG_LEVEL": "warning",
        }
    )
    assert AdmissionSettings.from_environment(settings.environment()) == settings
    assert (settings.client_ca, settings.client_names[0]) == (Path("/certs/clients.crt"), "apiserver")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SETSCREW_STATE_DIR", ""),
        ("SETSCREW_ADMISSION_PORT", "https"),
        ("SETSCREW_ADMISSION_PORT", "65536"),
        ("SETSCREW_ADMISSION_PORT", "-1"),
        ("SETSCREW_ADMISSION_PORT", "1" * 5000),
        ("SETSCREW_ADMISSION_WORKERS", "0"),
        ("SETSCREW_TLS_MINIMUM", "1.1"),
        ("SETSCREW_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        AdmissionSettings.from_environment({"SETSCREW_STATE_DIR": "/state", name: value})
    assert caught.value.where == name


@pytest.mark.parametrize(("name", "value"), [("SETSCREW_CLIENT_CA", "/ca.crt"), ("SETSCREW_CLIENT_NAMES", "apiserver")])
def test_a_client_authority_without_names_or_names_without_one_is_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError, match="one goes without the other") as caught:
        AdmissionSettings.from_environment({"SETSCREW_STATE_DIR": "/state", name: value})
    assert caught.value.where.startswith(name)
