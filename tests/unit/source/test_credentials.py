"""Keys of a Secret become credentials, in Flux's names or Argo CD's; what cannot be used is named, its value never."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from reconciler.errors import SourceError
from reconciler.source.access import opened
from reconciler.source.command import SSH, environment
from reconciler.source.credentials import App, Credentials, Proxy, parse_credentials, parse_proxy
from reconciler.source.files import SecretFiles
from reconciler.source.hosts import Place
from reconciler.source.secret import SecretRef

HTTPS, SSH_URL = "https://git.example.com/r.git", "ssh://git@git.example.com/r.git"
KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\nhidden-key-row\n-----END OPENSSH PRIVATE KEY-----"
HIDDEN = "hidden-5d1e"


def test_flux_and_argo_cd_say_the_same_with_other_names() -> None:
    flux = {"identity": KEY, "known_hosts": b"h k v", "password": b"pass\n"}
    argo = {"sshPrivateKey": KEY + b"\n", "known_hosts": b"h k v\n", "password": b"pass", "type": b"git", "url": b"x"}
    found = parse_credentials(SSH_URL, flux, "w")
    assert found == parse_credentials(SSH_URL, argo, "w")
    assert (found.identity, found.password) == (KEY.decode() + "\n", "pass")


def test_an_app_a_proxy_and_certificates_are_read() -> None:
    app = {"githubAppID": b"12\n", "githubAppInstallationID": b"34", "githubAppPrivateKey": KEY}
    assert parse_credentials(HTTPS, app, "w").app == App("12", "34", KEY.decode() + "\n", "https://api.github.com")
    base = {"githubAppEnterpriseBaseUrl": b"https://github.example.com/api/v3/"}
    assert parse_credentials(HTTPS, app | base, "w").app == App(
        "12", "34", KEY.decode() + "\n", "https://github.example.com/api/v3"
    )
    argo = {"proxy": b"http://proxy:3128", "tlsClientCertData": b"c", "tlsClientCertKey": b"k", "caFile": b"a"}
    found = parse_credentials(HTTPS, argo, "w")
    assert (found.proxy, found.certificate, found.key, found.ca) == (Proxy("http://proxy:3128"), "c", "k", "a")
    named = parse_proxy({"address": b"http://proxy:3128/", "username": b"a b", "password": b"p@ss"}, "w")
    assert named.url == "http://a%20b:p%40ss@proxy:3128"


@pytest.mark.parametrize(
    ("url", "keys", "word"),
    [
        (SSH_URL, {}, "identity"),
        (SSH_URL, {"identity": KEY}, "known_hosts"),
        (SSH_URL, {"identity": KEY, "known_hosts": b" \n"}, "known_hosts"),
        (SSH_URL, {"identity": KEY, "known_hosts": b"x", "proxy": b"http://p:1"}, "proxy"),
        (HTTPS, {"insecure": b"true", "password": HIDDEN.encode()}, "insecure"),
        (SSH_URL, {"identity": KEY, "insecureIgnoreHostKey": b"true"}, "insecureIgnoreHostKey"),
        (HTTPS, {"tls.crt": b"x"}, "tls.key"),
        (HTTPS, {"password": b"hidden-\xff-5d1e"}, "password"),
        (HTTPS, {"password": b"hidden\n5d1e"}, "several lines"),
        (HTTPS, {"bearerToken": b"hidden\x005d1e"}, "NUL"),
        (HTTPS, {"githubAppID": b"1"}, "githubAppInstallationID"),
        (HTTPS, {"githubAppID": b"1", "githubAppInstallationID": b"2", "githubAppPrivateKey": b"k",
                 "githubAppBaseURL": b"http://hidden"}, "githubAppBaseURL"),
        (HTTPS, {"proxy": b"socks5://hidden-5d1e@p"}, "address"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named_and_no_value_told(url: str, keys: dict[str, bytes], word: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_credentials(url, keys, "source shop")
    assert word in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert caught.value.code == "SS2010"


def test_no_form_of_a_secret_stays_in_a_message() -> None:
    found = Credentials(
        "dana", "p&ss word/1", "bearer-1f3a", identity=KEY.decode(), proxy=Proxy("http://p:1", "u", "prox")
    )
    said = "p&ss word/1 p%26ss%20word%2F1 p%26ss%20word/1 ZGFuYTpwJnNzIHdvcmQvMQ== bearer-1f3a prox hidden-key-row"
    assert found.redacted(said) == " ".join(["***"] * 7)
    assert HIDDEN not in repr(Credentials("dana", HIDDEN, HIDDEN, HIDDEN, key=HIDDEN, app=App("1", "2", HIDDEN)))


def test_secrets_reach_git_by_files_that_are_ours_alone_and_go_with_the_call() -> None:
    found = Credentials(
        "dana", HIDDEN, HIDDEN, "", ca="ca", certificate="c", key=HIDDEN, proxy=Proxy("http://p:1", "u", HIDDEN)
    )
    with opened(found, Place("git.example.com", 443, ("192.0.2.1", "2001:db8::1"))) as access:
        seen = environment(Path("/"), allow_local=False, access=access)
        directory = Path(seen["GIT_ASKPASS"]).parent
        modes = {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir() if file.name != "askpass"}
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert modes == {0o600}
        assert HIDDEN not in "".join(seen.values())
        assert "git.example.com:443:192.0.2.1,[2001:db8::1]" in seen.values()
    assert not directory.exists()


def test_ssh_goes_to_the_address_that_was_looked_at_and_knows_it_by_its_name() -> None:
    found = Credentials(identity=KEY.decode(), known_hosts="x")
    with opened(found, Place("git.example.com", 2222, ("192.0.2.1",))) as access:
        command = access.environment["GIT_SSH_COMMAND"]
    assert command.startswith(SSH)
    assert "-o HostName=192.0.2.1 -o 'HostKeyAlias=[git.example.com]:2222'" in command


def test_a_secret_is_a_directory_as_a_volume_mounts_it(tmp_path: Path) -> None:
    (tmp_path / "git/..2026").mkdir(parents=True)
    (tmp_path / "git/..2026/password").write_text("x")
    (tmp_path / "git/..data").symlink_to("..2026")
    (tmp_path / "git/password").symlink_to("..data/password")
    (tmp_path / "apps/git").mkdir(parents=True)
    (tmp_path / "apps/git/password").write_text("y")
    read = SecretFiles(tmp_path)
    assert (read(SecretRef("git")), read(SecretRef("git", "apps"))) == ({"password": b"x"}, {"password": b"y"})


@pytest.mark.parametrize(
    "ref", [SecretRef("nowhere"), SecretRef(".."), SecretRef("git", ".."), SecretRef("a/b"), SecretRef("")]
)
def test_no_name_leads_out_of_the_directory(tmp_path: Path, ref: SecretRef) -> None:
    (tmp_path / "secrets").mkdir()
    with pytest.raises(SourceError) as caught:
        SecretFiles(tmp_path / "secrets")(ref)
    assert caught.value.code == "SS2011"
