"""Holds the look at certificates while an installation runs: in time whatever the clock does, told once a minute."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.errors import StoreError, UsageError
from setscrew.certificates import Certificates, Clients, given_files
from setscrew.registrar import Registrar
from tests.support.waiting import eventually
from webhook.tls import disk, files
from webhook.tls.authority import issue, new_authority, read_pair
from webhook.tls.given import GivenFiles
from webhook.tls.lifetime import Lives

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
URL = "https://guard.example:8443"
MINUTE = Lives(authority=timedelta(seconds=150), serving=timedelta(seconds=60))


@dataclass(slots=True)
class Clock:
    """A clock that the test sets."""

    time: datetime = START

    def __call__(self) -> datetime:
        return self.time

    def go(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass(slots=True)
class Scene:
    """Certificates over a directory, with what they have said."""

    directory: Path
    given: GivenFiles | None = None
    clock: Clock = field(default_factory=Clock)
    said: list[str] = field(default_factory=list)

    def certificates(self) -> Certificates:
        return Certificates(self.directory, URL, self.said.append, self.given, MINUTE, self.clock)

    @property
    def serial(self) -> int:
        tls = self.directory / "tls"
        pair = read_pair((tls / "tls.crt").read_bytes(), (tls / "tls.key").read_bytes())
        assert pair is not None
        return pair.certificate.serial_number


def test_a_certificate_of_a_minute_is_renewed_after_forty_seconds_and_not_before(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    certificates = scene.certificates()
    certificates.begin()
    first = scene.serial
    scene.clock.go(39)
    certificates.current()
    assert scene.serial == first
    scene.clock.go(2)
    certificates.current()
    assert scene.serial != first
    assert scene.said[-1] == "serving certificate: two thirds of its life are over: a new one is made"


def test_nothing_is_read_while_nothing_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path)
    certificates = scene.certificates()
    first = certificates.begin()
    monkeypatch.delattr(files, "ensure")
    for _ in range(30):
        scene.clock.go(1)
        assert certificates.current() is first


@pytest.mark.parametrize("days", [3650, -3650])
def test_a_clock_that_is_set_is_seen_at_the_next_look(tmp_path: Path, days: int) -> None:
    scene = Scene(tmp_path)
    certificates = scene.certificates()
    certificates.begin()
    for jump in (days, -days):
        scene.clock.go(jump * 86_400)
        assert certificates.current().not_after == scene.clock() + timedelta(seconds=60)


@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "ca-bundle.crt"])
def test_a_file_that_somebody_spoils_is_made_good_at_the_next_look(tmp_path: Path, name: str) -> None:
    scene = Scene(tmp_path)
    certificates = scene.certificates()
    certificates.begin()
    (tmp_path / "tls" / name).write_bytes(b"nonsense")
    certificates.current()
    assert scene.serial
    assert (tmp_path / "tls" / name).read_bytes().startswith(b"-----BEGIN ")


def test_a_disk_that_stays_full_is_told_once_a_minute_and_its_end_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: disk.Content) -> None:
        raise OSError(28, "No space left on device")

    scene = Scene(tmp_path)
    certificates = scene.certificates()
    certificates.begin()
    scene.said.clear()
    scene.clock.go(45)
    with monkeypatch.context() as disk_is:
        disk_is.setattr(disk, "_stage", full)
        for _ in range(10):
            certificates.current()
            scene.clock.go(1)
        full_disk = "certificates cannot be renewed: No space left on device; the one in use ends in 15 seconds"
        assert scene.said == [full_disk]
        for _ in range(70):
            certificates.current()
            scene.clock.go(1)
        assert len(scene.said) == 2
        assert "No space left on device" in scene.said[1]
    certificates.current()
    assert scene.said[-1] == "certificates are well again"


def test_what_cannot_begin_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "tls").touch()
    with pytest.raises(StoreError, match="certificates cannot be kept") as caught:
        Scene(tmp_path).certificates().begin()
    assert "\n" not in str(caught.value)


def test_a_successor_signs_after_it_was_registered(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    certificates = scene.certificates()
    certificates.registered(certificates.begin().ca_bundle)
    authority = (tmp_path / "tls" / "ca.crt").read_bytes()
    scene.clock.go(110)
    bundle = certificates.current().ca_bundle
    assert (tmp_path / "tls" / "ca.crt").read_bytes() == authority
    certificates.registered(bundle)
    assert (tmp_path / "tls" / "ca.crt").read_bytes() != authority


def given(directory: Path, host: str = "guard.example") -> GivenFiles:
    """Files of an admin."""
    directory.mkdir(exist_ok=True)
    authority = new_authority(START)
    pair = issue(authority, [host], START)
    paths = [directory / name for name in ("server.crt", "server.key", "ca.crt")]
    for path, content in zip(paths, (pair.certificate_pem, pair.key_pem, authority.certificate_pem), strict=True):
        path.touch(0o600)
        path.write_bytes(content)
    return GivenFiles(*paths)


def test_given_files_are_checked_before_anything_begins(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "state", given(tmp_path / "given", "other.example"))
    with pytest.raises(UsageError, match=r"server\.crt: lacks the name guard\.example .*\[SS1005\]"):
        scene.certificates().begin()
    assert not (tmp_path / "state").exists()


def test_given_files_that_are_spoilt_later_are_told_and_what_was_good_stays(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "state", given(tmp_path / "given"))
    assert scene.given
    certificates = scene.certificates()
    good = certificates.begin()
    assert scene.said == []
    key = scene.given.key.read_bytes()
    scene.given.key.write_bytes(b"nonsense")
    assert certificates.current().ca_bundle == good.ca_bundle
    assert "server.key: holds no private key in PEM" in scene.said[-1]
    scene.given.key.unlink()
    assert certificates.current().ca_bundle == good.ca_bundle
    scene.given.key.touch(0o600)
    scene.given.key.write_bytes(key)
    certificates.current()
    assert scene.said[-1] == "certificates are well again"


def test_without_a_registration_no_name_is_asked_for(tmp_path: Path) -> None:
    one = Certificates(tmp_path, "", print, given(tmp_path / "given", "other.example"), now=Clock())
    assert one.begin().trouble == ""


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_the_three_options_go_together(missing: int) -> None:
    paths: list[Path | None] = [Path("a"), Path("b"), Path("c")]
    paths[missing] = None
    with pytest.raises(UsageError, match="go together"):
        given_files(*paths)
    assert given_files(None, None, None) is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [(("apiserver",), ("apiserver",)), (("a,b", "c"), ("a", "b", "c")), (("a,", "b"), ("a", "b"))],
)
def test_names_of_clients_are_pinned_one_by_one(names: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert Clients.of(Path("/ca.crt"), names) == Clients(Path("/ca.crt"), expected)


@pytest.mark.parametrize(("ca", "names"), [(Path("ca.crt"), ()), (Path("ca.crt"), (" ",)), (None, ("apiserver",))])
def test_an_authority_of_clients_without_a_name_is_refused(ca: Path | None, names: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="go together"):
        Clients.of(ca, names)
    assert Clients.of(None, ()) == Clients()


def test_whoever_watches_is_called_when_clients_are_to_trust_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("setscrew.certificates.CERTIFICATE_LOOK_SECONDS", 0.01)
    scene = Scene(tmp_path)
    certificates = scene.certificates()
    certificates.begin()
    stop = threading.Event()
    calls: list[bytes] = []
    failing = iter([True])

    def changed() -> None:
        if next(failing, False):
            raise RuntimeError("a bad moment")
        calls.append(certificates.current().ca_bundle)

    thread = threading.Thread(target=certificates.watch, args=(stop, changed))
    thread.start()
    try:
        scene.clock.go(110)
        assert eventually(lambda: calls, "it is called, the second time with success")
        assert any("certificates cannot be looked at: RuntimeError" in line for line in scene.said)
        assert calls[0].count(b"BEGIN CERTIFICATE") == 2
    finally:
        stop.set()
        thread.join()


def test_a_renewal_before_the_first_snapshot_leaves_what_is_registered_as_it_is(tmp_path: Path) -> None:
    """It would register the guard's own kinds alone, and take away the entries of all others."""
    scene = Scene(tmp_path)
    registrar = Registrar(object(), tmp_path, URL, scene.said.append, scene.certificates())  # type: ignore[arg-type] # a fake
    registrar.renewed()
    assert registrar._keeper is None
    assert not scene.said
