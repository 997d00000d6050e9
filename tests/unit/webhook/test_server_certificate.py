"""Holds that the listener takes new certificates without a restart, and never loses the old one to a bad pair."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.errors import UsageError
from webhook.server.certificate import ServingCertificate
from webhook.tls.authority import issue, new_authority

NOW = datetime.now(UTC)


def write(directory: Path, certificate: bytes, key: bytes) -> tuple[Path, Path]:
    paths = directory / "tls.crt", directory / "tls.key"
    for path, content in zip(paths, (certificate, key), strict=True):
        temporary = path.with_suffix(".new")
        temporary.write_bytes(content)
        temporary.replace(path)
    return paths


def handshake(server: ssl.SSLContext, ca: bytes) -> ssl.SSLObject:
    """A handshake in memory; returns the client's side."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_context = ssl.create_default_context(cadata=ca.decode())
    client = client_context.wrap_bio(to_client, to_server, server_hostname="localhost")
    other = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    client.getpeercert()
    return client


def serial(server: ssl.SSLContext, ca: bytes) -> str:
    certificate = handshake(server, ca).getpeercert()
    assert certificate
    return str(certificate["serialNumber"])


def test_a_new_pair_is_served_over_the_same_context(tmp_path: Path) -> None:
    authority = new_authority(NOW)
    first, second = issue(authority, ["localhost"], NOW), issue(authority, ["localhost"], NOW)
    serving = ServingCertificate(*write(tmp_path, first.certificate_pem, first.key_pem), ssl.TLSVersion.TLSv1_3)
    context = serving.context
    assert not serving.reload_if_changed()
    assert int(serial(context, authority.certificate_pem), 16) == first.certificate.serial_number
    write(tmp_path, second.certificate_pem, second.key_pem)
    assert serving.reload_if_changed()
    assert serving.context is context
    assert int(serial(context, authority.certificate_pem), 16) == second.certificate.serial_number


def test_a_pair_caught_half_written_changes_nothing_and_is_tried_again(tmp_path: Path) -> None:
    authority = new_authority(NOW)
    first, second = issue(authority, ["localhost"], NOW), issue(authority, ["localhost"], NOW)
    serving = ServingCertificate(*write(tmp_path, first.certificate_pem, first.key_pem), ssl.TLSVersion.TLSv1_3)
    write(tmp_path, second.certificate_pem, first.key_pem)
    assert not serving.reload_if_changed()
    assert int(serial(serving.context, authority.certificate_pem), 16) == first.certificate.serial_number
    (tmp_path / "tls.key").unlink()
    assert not serving.reload_if_changed()
    write(tmp_path, second.certificate_pem, second.key_pem)
    assert serving.reload_if_changed()
    assert int(serial(serving.context, authority.certificate_pem), 16) == second.certificate.serial_number


def test_tls_is_1_3_unless_told_otherwise(tmp_path: Path) -> None:
    authority = new_authority(NOW)
    pair = issue(authority, ["localhost"], NOW)
    serving = ServingCertificate(*write(tmp_path, pair.certificate_pem, pair.key_pem), ssl.TLSVersion.TLSv1_3)
    assert handshake(serving.context, authority.certificate_pem).version() == "TLSv1.3"
    assert serving.context.minimum_version == ssl.TLSVersion.TLSv1_3


def test_a_missing_certificate_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be loaded: No such file") as caught:
        ServingCertificate(tmp_path / "tls.crt", tmp_path / "tls.key", ssl.TLSVersion.TLSv1_3)
    assert "\n" not in str(caught.value)


def test_a_key_of_another_certificate_is_one_clear_line(tmp_path: Path) -> None:
    authority = new_authority(NOW)
    one, other = issue(authority, ["localhost"], NOW), issue(authority, ["localhost"], NOW)
    with pytest.raises(UsageError, match="not a matching PEM pair"):
        ServingCertificate(*write(tmp_path, one.certificate_pem, other.key_pem), ssl.TLSVersion.TLSv1_3)
