"""Holds the life of the certificate files: made once, renewed in an order that never leaves a client without trust."""

from __future__ import annotations

import errno
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from reconciler.errors import StoreError
from webhook.tls import disk
from webhook.tls.authority import issue, new_authority, read_bundle, read_pair, signed_by, validity
from webhook.tls.files import ServingFiles, ensure, registered
from webhook.tls.lifetime import Lives

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NAMES = ("127.0.0.1", "::1", "localhost", "setscrew.setscrew-system.svc")


MINUTE = Lives(authority=timedelta(seconds=150), serving=timedelta(seconds=60))


def leaf(files: ServingFiles) -> x509.Certificate:
    return x509.load_pem_x509_certificate(files.certificate.read_bytes())


def trusted(files: ServingFiles) -> bool:
    """A client that has the bundle accepts what the server shows."""
    return any(signed_by(leaf(files), authority) for authority in read_bundle(files.ca_bundle))


def test_line_23_a_fresh_certificate_has_all_names_and_is_valid_five_minutes_back(tmp_path: Path) -> None:
    files = ensure(tmp_path / "tls", NAMES, NOW)
    assert validity(leaf(files)).names == set(NAMES)
    assert leaf(files).not_valid_before_utc <= NOW - timedelta(minutes=5)
    assert leaf(files).not_valid_after_utc == NOW + timedelta(days=7)
    assert trusted(files)
    assert len(files.reasons) == 2


def test_keys_are_p_256_since_each_connection_is_a_full_handshake(tmp_path: Path) -> None:
    files = ensure(tmp_path / "tls", NAMES, NOW)
    for certificate in (leaf(files), *read_bundle(files.ca_bundle)):
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert isinstance(key.curve, ec.SECP256R1)


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
def test_line_22_a_serving_certificate_that_is_due_is_issued_again(
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


def test_line_21_a_new_authority_signs_only_what_the_api_server_can_verify(tmp_path: Path) -> None:
    now = NOW
    first = ensure(tmp_path, NAMES, now)
    known = first.ca_bundle
    registered(tmp_path, known)
    old = read_bundle(known)[0]
    while now < NOW + timedelta(days=300):
        now += timedelta(days=1)
        files = ensure(tmp_path, NAMES, now)
        assert any(signed_by(leaf(files), authority) for authority in read_bundle(known)), now
        known = files.ca_bundle
        registered(tmp_path, known)
    assert not signed_by(leaf(files), old)
    assert old in read_bundle(files.ca_bundle)


def test_a_new_authority_waits_for_its_registration_as_long_as_the_old_one_lasts(tmp_path: Path) -> None:
    first = ensure(tmp_path, NAMES, NOW)
    old = read_bundle(first.ca_bundle)[0]
    for day in range(3, 364, 3):
        files = ensure(tmp_path, NAMES, NOW + timedelta(days=day))
        assert signed_by(leaf(files), old), day
    assert len(read_bundle(files.ca_bundle)) == 2
    last = ensure(tmp_path, NAMES, NOW + timedelta(days=365))
    assert trusted(last)
    assert not signed_by(leaf(last), old)


def test_a_lost_authority_leaves_the_serving_certificate_alone_until_its_successor_is_registered(
    tmp_path: Path,
) -> None:
    known = ensure(tmp_path, NAMES, NOW).ca_bundle
    (tmp_path / "ca.key").write_bytes(b"nonsense")
    due = NOW + timedelta(days=5)
    waiting = ensure(tmp_path, NAMES, due)
    shown = leaf(waiting)
    assert any(signed_by(shown, authority) for authority in read_bundle(known))
    registered(tmp_path, known)
    assert leaf(ensure(tmp_path, NAMES, due)) == shown
    registered(tmp_path, waiting.ca_bundle)
    after = ensure(tmp_path, NAMES, due)
    assert leaf(after) != shown
    assert trusted(after)


@pytest.mark.parametrize("seed", range(3))
def test_line_21_the_api_server_never_meets_a_certificate_that_it_cannot_verify(tmp_path: Path, seed: int) -> None:
    """Certificates of a minute, a registration that often fails, a key that is lost: half an hour of it."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable walk
    now = NOW
    known = ensure(tmp_path, NAMES, now, MINUTE).ca_bundle
    registered(tmp_path, known)
    for _ in range(150):
        now += timedelta(seconds=chance.randint(1, 18))
        if lost := chance.random() < 0.02:
            (tmp_path / "ca.key").unlink()
        files = ensure(tmp_path, NAMES, now, MINUTE)
        shown = validity(leaf(files))
        assert any(signed_by(leaf(files), authority) for authority in read_bundle(known)), now
        assert shown.not_before <= now < shown.not_after
        if lost or chance.random() < 0.7:
            known = files.ca_bundle
            registered(tmp_path, known)


def test_looking_when_it_is_due_is_often_enough(tmp_path: Path) -> None:
    now, looks = NOW, 0
    files = ensure(tmp_path, NAMES, now, MINUTE)
    while now < NOW + timedelta(minutes=10):
        registered(tmp_path, files.ca_bundle)
        assert files.due > now
        now, looks = files.due, looks + 1
        assert now < files.not_after
        files = ensure(tmp_path, NAMES, now, MINUTE)
    assert looks < 60


@pytest.mark.parametrize("years", [10, -10])
def test_a_clock_that_jumps_and_comes_back_is_followed(tmp_path: Path, years: int) -> None:
    ensure(tmp_path, NAMES, NOW)
    for now in (NOW + timedelta(days=365 * years), NOW):
        files = ensure(tmp_path, NAMES, now)
        shown = validity(leaf(files))
        assert shown.not_before <= now < shown.not_after
        assert trusted(files)
        authorities = [validity(one) for one in read_bundle(files.ca_bundle)]
        assert all(one.not_before <= now < one.not_after for one in authorities)


def full(monkeypatch: pytest.MonkeyPatch, after: int = 0) -> None:
    """The disk takes so many files more."""
    stage = disk._stage
    left = iter(range(after))

    def refuse(path: Path, content: disk.Content) -> None:
        if next(left, None) is None:
            path.touch()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        stage(path, content)

    monkeypatch.setattr(disk, "_stage", refuse)


def test_on_a_full_disk_the_last_good_certificate_stays_and_the_time_left_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = leaf(ensure(tmp_path, NAMES, NOW))
    with monkeypatch.context() as disk_full:
        full(disk_full)
        files = ensure(tmp_path, NAMES, NOW + timedelta(days=5))
        assert leaf(files) == good
        expected = "certificates cannot be renewed: No space left on device; the one in use ends in 2 days"
        assert (files.trouble, files.reasons) == (expected, ())
        assert files.due <= NOW + timedelta(days=5, seconds=10)
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
        with pytest.raises(StoreError, match="No space left on device"):
            ensure(tmp_path, NAMES, NOW + timedelta(days=8))
    again = ensure(tmp_path, NAMES, NOW + timedelta(days=5))
    assert (again.trouble, len(again.reasons)) == ("", 1)


@pytest.mark.parametrize("lost", ["", "ca.crt"])
@pytest.mark.parametrize("after", range(5))
def test_a_disk_that_fills_up_in_the_middle_leaves_a_pair_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int, lost: str
) -> None:
    known = ensure(tmp_path, NAMES, NOW).ca_bundle
    if lost:
        (tmp_path / lost).unlink()
    with monkeypatch.context() as disk_full:
        full(disk_full, after)
        ensure(tmp_path, NAMES, NOW + timedelta(days=5))
    assert read_pair((tmp_path / "tls.crt").read_bytes(), (tmp_path / "tls.key").read_bytes())
    files = ensure(tmp_path, NAMES, NOW + timedelta(days=5))
    assert any(signed_by(leaf(files), authority) for authority in read_bundle(known))


@pytest.mark.parametrize("name", ["ca.key", "ca-bundle.crt", "tls.crt", "tls.key"])
def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path: Path, name: str) -> None:
    ensure(tmp_path, NAMES, NOW)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(StoreError, match=r"cannot be kept: Is a directory .*\[SS6005\]") as caught:
        ensure(tmp_path, NAMES, NOW + timedelta(days=8))
    assert "\n" not in str(caught.value)


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
