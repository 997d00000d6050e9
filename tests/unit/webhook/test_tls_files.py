"""Holds the life of the certificate files: made once, renewed in an order that never leaves a client without trust."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from reconciler.errors import StoreError
from webhook.tls.authority import issue, new_authority, read_bundle, read_pair, signed_by, validity
from webhook.tls.files import ServingFiles, ensure

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NAMES = ("127.0.0.1", "::1", "localhost", "setscrew.setscrew-system.svc")


def leaf(files: ServingFiles) -> x509.Certificate:
    return x509.load_pem_x509_certificate(files.certificate.read_bytes())


def trusted(files: ServingFiles) -> bool:
    """A client that has the bundle accepts what the server shows."""
    return any(signed_by(leaf(files), authority) for authority in read_bundle(files.ca_bundle))


def test_a_fresh_directory_gets_an_authority_and_a_certificate_with_all_names(tmp_path: Path) -> None:
    files = ensure(tmp_path / "tls", NAMES, NOW)
    assert validity(leaf(files)).names == set(NAMES)
    assert leaf(files).not_valid_before_utc <= NOW - timedelta(minutes=5)
    assert leaf(files).not_valid_after_utc == NOW + timedelta(days=7)
    assert trusted(files)
    assert len(files.reasons) == 2


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    ensure(tmp_path / "tls", NAMES, NOW)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "tls").iterdir()}
    assert modes == {"ca.crt": 0o644, "ca.key": 0o600, "ca-bundle.crt": 0o644, "tls.crt": 0o644, "tls.key": 0o600}
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700


def test_nothing_is_written_while_nothing_is_due(tmp_path: Path) -> None:
    ensure(tmp_path, NAMES, NOW)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = ensure(tmp_path, NAMES, NOW + timedelta(days=4))
    assert again.reasons == ()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("days", "names", "reason"),
    [
        (5.0, NAMES, "two thirds"),
        (8.0, NAMES, "expired"),
        (-30.0, NAMES, "not valid yet"),
        (1.0, (*NAMES, "10.0.0.1"), "lacks the name 10.0.0.1"),
    ],
)
def test_a_serving_certificate_that_is_due_is_issued_again(
    tmp_path: Path, days: float, names: tuple[str, ...], reason: str
) -> None:
    first = ensure(tmp_path, NAMES, NOW)
    old = leaf(first)
    files = ensure(tmp_path, names, NOW + timedelta(days=days))
    assert leaf(files).serial_number != old.serial_number
    assert reason in " ".join(files.reasons)
    assert trusted(files)


@pytest.mark.parametrize("name", ["ca.crt", "ca.key", "ca-bundle.crt", "tls.crt", "tls.key"])
@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_a_damaged_or_missing_file_is_made_good(tmp_path: Path, name: str, content: bytes | None) -> None:
    ensure(tmp_path, NAMES, NOW)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    files = ensure(tmp_path, NAMES, NOW)
    assert trusted(files)
    assert read_pair(files.certificate.read_bytes(), files.key.read_bytes())


def test_a_certificate_of_a_foreign_authority_is_replaced(tmp_path: Path) -> None:
    ensure(tmp_path, NAMES, NOW)
    foreign = issue(new_authority(NOW), NAMES, NOW)
    (tmp_path / "tls.crt").write_bytes(foreign.certificate_pem)
    (tmp_path / "tls.key").write_bytes(foreign.key_pem)
    files = ensure(tmp_path, NAMES, NOW)
    assert "not trusted any more" in " ".join(files.reasons)
    assert trusted(files)


def test_a_new_authority_is_trusted_days_before_it_signs(tmp_path: Path) -> None:
    now = NOW
    first = ensure(tmp_path, NAMES, now)
    old = read_bundle(first.ca_bundle)[0]
    while now < NOW + timedelta(days=300):
        now += timedelta(days=1)
        before = (tmp_path / "ca-bundle.crt").read_bytes()
        files = ensure(tmp_path, NAMES, now)
        # The API server still has yesterday's bundle when the server takes today's certificate.
        assert any(signed_by(leaf(files), authority) for authority in read_bundle(before)), now
        assert trusted(files)
    assert not signed_by(leaf(files), old)
    assert old in read_bundle(files.ca_bundle)


def test_an_expired_authority_leaves_the_bundle(tmp_path: Path) -> None:
    first = ensure(tmp_path, NAMES, NOW)
    files = ensure(tmp_path, NAMES, NOW + timedelta(days=400))
    assert read_bundle(first.ca_bundle)[0] not in read_bundle(files.ca_bundle)
    assert "it has expired" in " ".join(files.reasons)
    assert trusted(files)


def test_a_certificate_never_outlives_its_authority() -> None:
    authority = new_authority(NOW)
    late = authority.certificate.not_valid_after_utc - timedelta(days=1)
    assert issue(authority, NAMES, late).certificate.not_valid_after_utc == authority.certificate.not_valid_after_utc


def test_a_directory_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="certificates cannot be kept"):
        ensure(tmp_path / "file" / "tls", NAMES, NOW)


def test_a_certificate_needs_a_name() -> None:
    with pytest.raises(ValueError, match="at least one name"):
        issue(new_authority(NOW), (), NOW)
