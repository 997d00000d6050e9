"""The keys of a Secret: both kinds at once, and one clear line for what cannot be one."""

from __future__ import annotations

import pytest

from reconciler.errors import VerifyError
from reconciler.source.signature.gpg import keyring
from reconciler.source.signature.keys import load_keys
from tests.support.signing import People

PRIVATE = b"-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n"


def refused(secret: dict[str, bytes]) -> str:
    with pytest.raises(VerifyError) as caught:
        load_keys(secret, "signers")
    assert caught.value.code == "SS2110"
    return str(caught.value)


def test_both_kinds_may_be_listed_at_once(everybody: People) -> None:
    found = load_keys({**everybody.secret("dana", "pia"), "README": b"what is here"}, "signers")
    assert [key.name for key in found.ssh.values()] == ["dana@example.com"]
    assert list(found.pgp) == ["pia.asc"]


def test_a_file_may_hold_several_keys_with_comments_between(everybody: People) -> None:
    text = b"# the team\n\n" + everybody.public("dana") + everybody.public("eddy")
    assert len(load_keys({"team.sshpub": text}, "signers").ssh) == 2


def test_a_key_without_comment_is_called_as_its_file(everybody: People) -> None:
    bare = b" ".join(everybody.public("dana").split()[:2])
    assert [key.name for key in load_keys({"dana.sshpub": bare}, "signers").ssh.values()] == ["dana"]


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ({}, "holds no key that could sign"),
        ({"dana.pub": b"ssh-ed25519 AAAA"}, "put SSH public keys into *.sshpub"),
        ({"dana.sshpub": PRIVATE}, "dana.sshpub holds a private key"),
        ({"dana.sshpub": b"ssh-dss AAAA dana"}, "line 1 is no SSH public key of a kind"),
        ({"dana.sshpub": b"ssh-ed25519-cert-v01@openssh.com AAAA dana"}, "line 1 is no SSH public key of a kind"),
        ({"dana.sshpub": b'namespaces="git" ssh-ed25519 AAAA'}, "line 1 is no SSH public key of a kind"),
        ({"dana.sshpub": b"\nssh-ed25519 AAAA dana"}, "line 2 is a damaged SSH public key"),
        ({"dana.sshpub": b"ssh-ed25519 !!! dana"}, "line 1 is a damaged SSH public key"),
        ({"dana.sshpub": b"ssh-ed25519"}, "line 1 is a damaged SSH public key"),
        ({"dana.sshpub": b"\xff\xfe"}, "line 1 is no SSH public key"),
        ({"pia.asc": b"nothing of the kind"}, "pia.asc is no armored PGP public key"),
        ({"pia.asc": b"-----BEGIN PGP PRIVATE KEY BLOCK-----"}, "pia.asc holds a private key"),
    ],
)
def test_what_cannot_be_a_key_is_one_clear_line(secret: dict[str, bytes], why: str) -> None:
    line = refused(secret)
    assert why in line
    assert "c2VjcmV0" not in line


@pytest.mark.parametrize("rest", [b"", b"\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"])
def test_a_pgp_key_that_gpg_cannot_use_is_one_clear_line(rest: bytes) -> None:
    keys = {"pia.asc": b"-----BEGIN PGP PUBLIC KEY BLOCK-----" + rest}
    with pytest.raises(VerifyError, match=r"pia\.asc holds a PGP key that gpg cannot use"), keyring(keys, "signers"):
        pass
