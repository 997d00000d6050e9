"""Holds how files of an admin, and cert-manager's Secret as the kubelet mounts it, are read, refused and overlapped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from reconciler.errors import UsageError
from tests.support.mount import Mount
from webhook.tls.authority import new_authority, read_bundle
from webhook.tls.given import REMEMBERED, GivenFiles, check, look, refuse

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOST = "guard.example"


AUTHORITY = new_authority(NOW)


def mounted(directory: Path) -> Mount:
    """A Secret with a certificate of AUTHORITY."""
    mount = Mount(directory / "secret", HOST)
    mount.swap(AUTHORITY, AUTHORITY, NOW)
    return mount


def trusts(mount: Mount, state: Path, now: datetime) -> list[x509.Certificate]:
    """Whom the API server is to trust."""
    return read_bundle(look(mount.files, state, [HOST], now).ca_bundle)


def test_what_the_secret_holds_is_served_and_trusted_and_not_touched(tmp_path: Path) -> None:
    mount = mounted(tmp_path)
    before = {path: path.lstat().st_mtime_ns for path in mount.directory.rglob("*")}
    found = look(mount.files, tmp_path / "tls", [HOST], NOW)
    assert (found.certificate, found.key) == (mount.files.certificate, mount.files.key)
    assert read_bundle(found.ca_bundle) == [AUTHORITY.certificate]
    assert (found.trouble, found.not_after) == ("", NOW + timedelta(days=7))
    assert {path: path.lstat().st_mtime_ns for path in mount.directory.rglob("*")} == before
    assert [path.name for path in (tmp_path / "tls").iterdir()] == [REMEMBERED]


def test_a_new_authority_joins_the_old_one_until_the_certificate_has_been_of_it_for_a_while(tmp_path: Path) -> None:
    mount, state = mounted(tmp_path), tmp_path / "tls"
    old, new = AUTHORITY, new_authority(NOW)
    assert trusts(mount, state, NOW) == [old.certificate]
    later = NOW + timedelta(hours=1)
    mount.swap(old, new, later)
    for hours in (1, 5, 20):
        assert trusts(mount, state, NOW + timedelta(hours=hours)) == [new.certificate, old.certificate]
    turned = NOW + timedelta(hours=24)
    mount.swap(new, new, turned)
    assert trusts(mount, state, turned) == [new.certificate, old.certificate]
    assert trusts(mount, state, turned + timedelta(seconds=599)) == [new.certificate, old.certificate]
    assert trusts(mount, state, turned + timedelta(seconds=601)) == [new.certificate]


def test_authority_and_certificate_that_change_at_once_overlap_too(tmp_path: Path) -> None:
    mount, state = mounted(tmp_path), tmp_path / "tls"
    old, new = AUTHORITY, new_authority(NOW)
    trusts(mount, state, NOW)
    later = NOW + timedelta(hours=1)
    mount.swap(new, new, later)
    assert trusts(mount, state, later) == [new.certificate, old.certificate]
    # Also for a process that has been started since.
    assert trusts(mount, state, later + timedelta(seconds=60)) == [new.certificate, old.certificate]
    assert trusts(mount, state, later + timedelta(minutes=11)) == [new.certificate]


def test_an_old_authority_that_has_ended_is_not_kept(tmp_path: Path) -> None:
    mount, state = mounted(tmp_path), tmp_path / "tls"
    trusts(mount, state, NOW)
    late = NOW + timedelta(days=400)
    new = new_authority(late)
    mount.swap(new, new, late)
    assert trusts(mount, state, late) == [new.certificate]


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_a_bundle_that_is_spoilt_while_it_runs_leaves_the_trust_as_it_was_and_is_told(
    tmp_path: Path, content: bytes
) -> None:
    mount, state = mounted(tmp_path), tmp_path / "tls"
    trusts(mount, state, NOW)
    mount.files.ca_bundle.resolve().write_bytes(content)
    found = look(mount.files, state, [HOST], NOW + timedelta(hours=1))
    assert read_bundle(found.ca_bundle) == [AUTHORITY.certificate]
    assert "ca.crt: holds no certificate of an authority" in found.trouble


def test_a_bundle_of_no_use_from_the_start_is_one_clear_line(tmp_path: Path) -> None:
    mount = mounted(tmp_path)
    mount.files.ca_bundle.resolve().write_bytes(b"")
    with pytest.raises(UsageError, match=r"ca\.crt: holds no certificate of an authority .*\[SS1005\]") as caught:
        look(mount.files, tmp_path / "tls", [HOST], NOW)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    mount = mounted(tmp_path)
    mount.files.key.unlink()
    with pytest.raises(UsageError, match=r"tls\.key: cannot be read: No such file or directory"):
        check(mount.files, [HOST], NOW)


def test_the_first_of_several_problems_is_told_with_their_number(tmp_path: Path) -> None:
    mount = mounted(tmp_path)
    found = check(mount.files, ["other.example"], NOW + timedelta(days=30))
    assert [one.part for one in found] == ["certificate", "certificate"]
    with pytest.raises(UsageError, match=r"tls\.crt: ended 23 days ago and 1 more"):
        refuse(mount.files, found)


@pytest.mark.parametrize(("mode", "said"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_a_key_that_everybody_can_read_is_refused_outside_of_a_pod(tmp_path: Path, mode: int, said: bool) -> None:
    mount = mounted(tmp_path)
    mount.files.key.resolve().chmod(mode)
    assert check(mount.files, [HOST], NOW) == []
    plain = tmp_path / "plain.key"
    plain.write_bytes(mount.files.key.read_bytes())
    plain.chmod(mode)
    found = check(GivenFiles(mount.files.certificate, plain, mount.files.ca_bundle), [HOST], NOW)
    assert [one.what for one in found] == ([f"is open to every user of the machine (mode {mode:04o})"] if said else [])
