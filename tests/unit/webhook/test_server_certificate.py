"""Holds that the listener takes new certificates without a restart, and never loses the old one to a bad pair."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from reconciler.errors import UsageError
from setscrew.controlplane.certificates import Authority
from webhook.server.certificate import ServingCertificate
from webhook.server.client import NO_CERTIFICATE, WRONG_NAME, refusal
from webhook.server.trial import refused
from webhook.tls.authority import KeyPair, issue, new_authority
from webhook.tls.lifetime import Lives

NOW = datetime.now(UTC)


def at_once(directory: Path, pair: KeyPair, client_ca: Path | None = None) -> ServingCertificate:
    """One that takes new files as soon as it sees them."""
    files = write(directory, pair.certificate_pem, pair.key_pem)
    return ServingCertificate(*files, ssl.TLSVersion.TLSv1_3, client_ca=client_ca, settle_seconds=0)


def write(directory: Path, certificate: bytes, key: bytes) -> tuple[Path, Path]:
    paths = directory / "tls.crt", directory / "tls.key"
    for path, content in zip(paths, (certificate, key), strict=True):
        temporary = path.with_suffix(".new")
        temporary.write_bytes(content)
        temporary.replace(path)
    return paths


def handshake(
    server: ssl.SSLContext,
    ca: bytes,
    shown: tuple[Path, Path] | None = None,
    latest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    protocols: tuple[str, ...] = (),
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """A handshake in memory; returns the client's side and the server's."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_context = ssl.create_default_context(cadata=ca.decode())
    client_context.maximum_version = latest
    client_context.set_alpn_protocols(protocols)
    if shown:
        client_context.load_cert_chain(*shown)
    client = client_context.wrap_bio(to_client, to_server, server_hostname="localhost")
    other = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    client.getpeercert()
    return client, other


def serial(server: ssl.SSLContext, ca: bytes) -> str:
    certificate = handshake(server, ca)[0].getpeercert()
    assert certificate
    return str(certificate["serialNumber"])


def test_a_new_pair_is_served_over_the_same_context(tmp_path: Path) -> None:
    authority = new_authority(NOW)
    first, second = issue(authority, ["localhost"], NOW), issue(authority, ["localhost"], NOW)
    serving = at_once(tmp_path, first)
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
    serving = at_once(tmp_path, first)
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
    assert handshake(serving.context, authority.certificate_pem)[0].version() == "TLSv1.3"
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


def test_tls_1_2_is_taken_only_if_asked_for(tmp_path: Path) -> None:
    authority = new_authority(NOW)
    pair = issue(authority, ["localhost"], NOW)
    files = write(tmp_path, pair.certificate_pem, pair.key_pem)
    strict, old = (ServingCertificate(*files, one) for one in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2))
    with pytest.raises(ssl.SSLError):
        handshake(strict.context, authority.certificate_pem, latest=ssl.TLSVersion.TLSv1_2)
    client, _ = handshake(old.context, authority.certificate_pem, latest=ssl.TLSVersion.TLSv1_2)
    assert client.version() == "TLSv1.2"


def test_http_1_1_is_all_that_is_offered(tmp_path: Path) -> None:
    authority = new_authority(NOW)
    serving = at_once(tmp_path, issue(authority, ["localhost"], NOW))
    for offered, chosen in ((("h2", "http/1.1"), "http/1.1"), (("h2",), None), ((), None)):
        client, _ = handshake(serving.context, authority.certificate_pem, protocols=offered)
        assert client.selected_alpn_protocol() == chosen


def test_no_session_is_offered_for_resumption(tmp_path: Path) -> None:
    authority = new_authority(NOW)
    serving = at_once(tmp_path, issue(authority, ["localhost"], NOW))
    client, _ = handshake(serving.context, authority.certificate_pem)
    assert client.session is None or not client.session.has_ticket


def test_a_new_pair_waits_for_the_api_server_unless_the_old_one_is_of_no_use(tmp_path: Path) -> None:
    authority = new_authority(NOW)
    first, second = issue(authority, ["localhost"], NOW), issue(authority, ["localhost"], NOW)
    clock = [NOW.timestamp()]
    files = write(tmp_path, first.certificate_pem, first.key_pem)
    serving = ServingCertificate(*files, ssl.TLSVersion.TLSv1_3, settle_seconds=3600, clock=lambda: clock[0])
    assert (serving.valid_now(), serving.not_after) == (True, first.certificate.not_valid_after_utc.timestamp())
    write(tmp_path, second.certificate_pem, second.key_pem)
    assert not serving.reload_if_changed()
    clock[0] += 8 * 86_400
    assert not serving.valid_now()
    assert serving.reload_if_changed()


def test_a_certificate_counts_as_valid_within_its_span_alone(tmp_path: Path) -> None:
    authority = new_authority(NOW)
    pair = issue(authority, ["localhost"], NOW, Lives(serving=timedelta(seconds=60)))
    files = write(tmp_path, pair.certificate_pem, pair.key_pem)
    for seconds, valid in ((-301, False), (-299, True), (0, True), (58, True), (61, False)):
        clock = (NOW + timedelta(seconds=seconds)).timestamp
        assert ServingCertificate(*files, ssl.TLSVersion.TLSv1_3, clock=clock).valid_now() is valid, seconds


def test_what_kubelet_swaps_is_taken_whole(tmp_path: Path) -> None:
    """A Secret's files are links through `..data`, a link to a directory that is replaced in one step."""
    authority = new_authority(NOW)
    pairs = [issue(authority, ["localhost"], NOW) for _ in range(2)]

    def swap(number: int) -> None:
        target = tmp_path / f"..{number}"
        target.mkdir()
        write(target, pairs[number].certificate_pem, pairs[number].key_pem)
        link = tmp_path / "..data_tmp"
        link.symlink_to(target.name)
        link.replace(tmp_path / "..data")

    swap(0)
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    files = (tmp_path / "tls.crt", tmp_path / "tls.key")
    serving = ServingCertificate(*files, ssl.TLSVersion.TLSv1_3, settle_seconds=0)
    swap(1)
    assert serving.reload_if_changed()
    assert int(serial(serving.context, authority.certificate_pem), 16) == pairs[1].certificate.serial_number


def test_a_key_with_a_passphrase_is_one_clear_line_and_nobody_is_asked(tmp_path: Path) -> None:
    pair = issue(new_authority(NOW), ["localhost"], NOW)
    wrapped = serialization.BestAvailableEncryption(b"example")
    key = pair.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, wrapped)
    with pytest.raises(UsageError, match="not a matching PEM pair"):
        ServingCertificate(*write(tmp_path, pair.certificate_pem, key), ssl.TLSVersion.TLSv1_3)


class Clients:
    """An authority of clients in a file, and the certificates that it has signed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.directory.mkdir()
        self.authority = Authority.create("clients", NOW)
        self.file = directory / "clients.crt"

    def trusted_in(self, file: Path) -> None:
        temporary = file.with_suffix(".new")
        temporary.write_bytes(self.authority.pair.certificate)
        temporary.replace(file)

    def shows(self, name: str) -> tuple[Path, Path]:
        pair = self.authority.client(name, (), NOW)
        return write(self.directory, pair.certificate, pair.key)


def test_a_client_may_show_a_certificate_and_need_not(tmp_path: Path) -> None:
    authority, clients = new_authority(NOW), Clients(tmp_path / "clients")
    clients.trusted_in(clients.file)
    serving = at_once(tmp_path, issue(authority, ["localhost"], NOW), clients.file)
    _, known = handshake(serving.context, authority.certificate_pem, clients.shows("apiserver"))
    assert refusal(known, ("apiserver",)) == ""
    assert refusal(known, ("other",)) == WRONG_NAME
    _, unknown = handshake(serving.context, authority.certificate_pem)
    assert refusal(unknown, ("apiserver",)) == NO_CERTIFICATE


def test_a_client_of_another_authority_is_let_go(tmp_path: Path) -> None:
    authority = new_authority(NOW)
    clients, others = Clients(tmp_path / "clients"), Clients(tmp_path / "others")
    clients.trusted_in(clients.file)
    serving = at_once(tmp_path, issue(authority, ["localhost"], NOW), clients.file)
    with pytest.raises(ssl.SSLError):
        handshake(serving.context, authority.certificate_pem, others.shows("apiserver"))


def test_another_authority_of_clients_takes_the_place_of_the_first(tmp_path: Path) -> None:
    authority = new_authority(NOW)
    clients, others = Clients(tmp_path / "clients"), Clients(tmp_path / "others")
    clients.trusted_in(clients.file)
    serving = at_once(tmp_path, issue(authority, ["localhost"], NOW), clients.file)
    others.trusted_in(clients.file)
    assert serving.reload_if_changed()
    _, known = handshake(serving.context, authority.certificate_pem, others.shows("apiserver"))
    assert refusal(known, ("apiserver",)) == ""
    with pytest.raises(ssl.SSLError):
        handshake(serving.context, authority.certificate_pem, clients.shows("apiserver"))


@pytest.mark.parametrize(("content", "says"), [(b"", "no certificate in PEM"), (None, "No such file")])
def test_a_client_ca_of_no_use_is_one_clear_line_at_start_and_changes_nothing_later(
    tmp_path: Path, content: bytes | None, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    pair, clients = issue(new_authority(NOW), ["localhost"], NOW), Clients(tmp_path / "clients")

    def spoil() -> None:
        clients.file.unlink(missing_ok=True)
        if content is not None:
            clients.file.write_bytes(content)

    spoil()
    with pytest.raises(UsageError, match=f"the client CA cannot be loaded: {says}") as caught:
        at_once(tmp_path, pair, clients.file)
    assert "\n" not in str(caught.value)
    clients.trusted_in(clients.file)
    serving = at_once(tmp_path, pair, clients.file)
    spoil()
    assert not serving.reload_if_changed()
    assert not serving.reload_if_changed()
    assert [record.message for record in caplog.records if says in record.message][1:] == []
    assert says in caplog.text


def tried(directory: Path, pair: KeyPair, bundle: Path, host: str, now: list[float]) -> ServingCertificate:
    """One that takes only what a client of `host` with `bundle` would take."""
    files = write(directory, pair.certificate_pem, pair.key_pem)
    trial = partial(refused, bundle=bundle, host=host)
    return ServingCertificate(*files, ssl.TLSVersion.TLSv1_3, trial=trial, settle_seconds=0, clock=lambda: now[0])


@pytest.mark.parametrize(
    ("host", "lives", "foreign", "words"),
    [
        ("guard.example", Lives(), False, ""),
        ("10.0.0.1", Lives(), False, ""),
        ("other.example", Lives(), False, "Hostname mismatch"),
        ("10.0.0.2", Lives(), False, "IP address mismatch"),
        ("guard.example", Lives(serving=timedelta(seconds=-1)), False, "certificate has expired"),
        ("guard.example", Lives(), True, "unable to get local issuer certificate"),
    ],
)
def test_what_clients_would_refuse_is_not_served_while_the_one_in_use_is_good(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, host: str, lives: Lives, foreign: bool, words: str
) -> None:
    authority, names, now = new_authority(NOW), ["guard.example", "10.0.0.1"], [NOW.timestamp()]
    bundle = tmp_path / "ca.crt"
    bundle.write_bytes(authority.certificate_pem)
    serving = tried(tmp_path, issue(authority, names, NOW), bundle, host, now)
    second = issue(new_authority(NOW) if foreign else authority, names, NOW, lives)
    write(tmp_path, second.certificate_pem, second.key_pem)
    assert serving.reload_if_changed() is (not words)
    assert words in caplog.text
    now[0] += 8 * 86_400
    assert serving.reload_if_changed() is bool(words)
