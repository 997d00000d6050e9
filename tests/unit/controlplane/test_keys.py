"""Holds that certificates say who they are for, are signed by the right authority, and fit their kubeconfig."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from setscrew.controlplane import kubeconfig
from setscrew.controlplane.certificates import Authority
from setscrew.controlplane.pki import Pki

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create("setscrew-ca", NOW)


def test_a_client_certificate_carries_user_and_groups(authority: Authority) -> None:
    certificate = x509.load_pem_x509_certificate(authority.client("alice", ["dev", "ops"], NOW).certificate)
    names = {oid: [a.value for a in certificate.subject.get_attributes_for_oid(oid)] for oid in _SUBJECT}
    assert names == {NameOID.COMMON_NAME: ["alice"], NameOID.ORGANIZATION_NAME: ["dev", "ops"]}
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate.verify_directly_issued_by(authority.certificate)


def test_a_serving_certificate_is_valid_for_its_hosts_only(authority: Authority) -> None:
    pair = authority.server("kube-apiserver", ["localhost", "127.0.0.1"], NOW)
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    builder = PolicyBuilder().store(Store([authority.certificate])).time(NOW)
    assert builder.build_server_verifier(x509.DNSName("localhost")).verify(certificate, [])
    with pytest.raises(VerificationError):
        builder.build_server_verifier(x509.DNSName("example.com")).verify(certificate, [])


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_name_that_does_not_fit_is_refused(authority: Authority, name: str) -> None:
    with pytest.raises(ValueError, match="length"):
        authority.client(name, [], NOW)


def test_etcd_and_front_proxies_have_authorities_of_their_own(tmp_path: Path) -> None:
    pki = Pki.create(tmp_path, NOW)
    issuers = {
        name: x509.load_pem_x509_certificate(pki.certificate(name).read_bytes()).issuer.rfc4514_string()
        for name in ("apiserver", "etcd", "etcd-client", "front-proxy")
    }
    assert issuers == {
        "apiserver": "CN=setscrew-ca",
        "etcd": "CN=setscrew-etcd",
        "etcd-client": "CN=setscrew-etcd",
        "front-proxy": "CN=setscrew-front-proxy",
    }
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.glob("*.key"))


def test_a_kubeconfig_holds_all_that_is_needed(authority: Authority) -> None:
    pair = authority.client("alice", [], NOW)
    document = json.loads(kubeconfig.with_certificate("https://127.0.0.1:1", b"CA", "alice", pair))
    assert document["clusters"][0]["cluster"] == {
        "server": "https://127.0.0.1:1",
        "certificate-authority-data": base64.b64encode(b"CA").decode(),
    }
    assert base64.b64decode(document["users"][0]["user"]["client-key-data"]) == pair.key
    assert document["contexts"][0]["context"]["user"] == "alice"


_SUBJECT = (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
