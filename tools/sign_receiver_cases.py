"""Computes the proofs of tests/cases/receivers with openssl, so that no code of ours has signed what it verifies.

    python tools/sign_receiver_cases.py            writes tests/cases/receivers/signed.json

In a header of a case stand

    {sha1} {sha256} {sha512}     the HMAC of the body in hex; {SHA256} in capitals
    {sha256:payload}             that of the JSON within a form
    {standard}                   that of Standard Webhooks: over id, time and body, in base64, with the key that a
                                 signing token holds; {standard:TIME} and {standard::ID} with others, {standard-raw} with
                                 the token as it is written
    {basic}                      the secret in base64
    {secret}                     the secret
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.receiver_cases import SIGNED, Delivery, drafts  # noqa: E402

_PLACE = re.compile(r"\{([^{}]+)\}")
_TOKEN = b"whsec_"


def main() -> None:
    """Write the file."""
    SIGNED.write_text(computed())


def computed() -> str:
    """The file as it must be. Raises CalledProcessError where openssl fails."""
    found = {one.key: _filled(one) for one in drafts()}
    return json.dumps({key: headers for key, headers in found.items() if headers}, indent=1, ensure_ascii=False) + "\n"


def _filled(one: Delivery) -> dict[str, str]:
    places = {name: value for name, value in one.headers.items() if "{" in value}
    return {name: _PLACE.sub(lambda place: _value(place[1], one), value) for name, value in places.items()}


def _value(what: str, one: Delivery) -> str:
    name, _, rest = what.partition(":")
    if name == "secret":
        return one.signs.decode()
    if name == "basic":
        return _base64(one.signs)
    if name.startswith("standard"):
        return _standard(one, *rest.split(":"), raw=name == "standard-raw")
    digest = _hmac(name.lower(), one.signs, one.field if rest == "payload" else one.signed).hex()
    return digest.upper() if name.isupper() else digest


def _standard(one: Delivery, time: str = "", number: str = "", *, raw: bool) -> str:
    time, number = time or one.headers.get("webhook-timestamp", ""), number or one.headers.get("webhook-id", "")
    key = one.signs if raw else _openssl("base64", "-d", "-A", given=one.signs.removeprefix(_TOKEN))
    return _base64(_hmac("sha256", key, f"{number}.{time}.".encode() + one.signed))


def _hmac(algorithm: str, key: bytes, text: bytes) -> bytes:
    return _openssl("dgst", f"-{algorithm}", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-binary", given=text)


def _base64(text: bytes) -> str:
    return _openssl("base64", "-A", given=text).decode()


def _openssl(*args: str, given: bytes) -> bytes:
    return subprocess.run(["openssl", *args], input=given, capture_output=True, check=True).stdout


if __name__ == "__main__":
    main()
