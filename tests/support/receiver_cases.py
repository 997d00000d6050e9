"""Owns the reading of tests/cases/receivers: drafts of deliveries, and the same with proofs that openssl has computed.

A draft's headers may hold `{…}`: tools/sign_receiver_cases.py computes what stands there and keeps it in signed.json.
`headers` and `payload` of a case change those of its file as an RFC 7386 merge patch; `<null>` is a null that is sent.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import yaml

CASES: Final = Path(__file__).parents[1] / "cases" / "receivers"
SIGNED: Final = CASES / "signed.json"
_FORM: Final = "application/x-www-form-urlencoded"
# What a case is judged at where it names no time: nobody but GitLab signs one.
_NOW: Final = 1_795_000_000


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be said: refs by name, the fault of a reject, the HTTP status where the result does not tell it."""

    result: str
    event: str = ""
    refs: tuple[tuple[str, str | None], ...] = ()
    repo: str = ""
    fault: str = ""
    status: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One case. `signs` is what its sender signs with, `signed` the bytes it signs, `field` the JSON within a form."""

    provider: str
    name: str
    secret: bytes
    headers: Mapping[str, str]
    body: bytes
    now: int
    expected: Expected
    signs: bytes = b""
    signed: bytes = b""
    field: bytes = b""

    @property
    def key(self) -> str:
        """Its name among all."""
        return f"{self.provider}: {self.name}"


def drafts() -> Iterator[Delivery]:
    """All cases, with `{…}` in their headers."""
    for file in sorted(CASES.glob("*.yaml")):
        document = yaml.safe_load(file.read_text())
        for provider in document.get("families") or [document["provider"]]:
            own = json.loads(json.dumps(document).replace("FAMILY", str(provider).capitalize()))
            for case in own["cases"]:
                if case.get("only", provider) == provider:
                    yield _draft(provider, own, case)


def deliveries() -> list[Delivery]:
    """All cases with their proofs."""
    recorded = json.loads(SIGNED.read_text())
    return [replace(one, headers={**one.headers, **recorded.get(one.key, {})}) for one in drafts()]


def _draft(provider: str, document: Mapping[str, Any], case: Mapping[str, Any]) -> Delivery:
    headers = merged(document["headers"], case.get("headers", {}))
    grow = {sign: sign * times for sign, times in case.get("grow", {}).items()}
    field = _text(document, case, grow)
    signed = urlencode({"payload": field.decode()}).encode() if case.get("form") else field
    headers |= {"Content-Type": _FORM} if case.get("form") else {}
    secret = case.get("secret", document["secret"])
    return Delivery(
        provider=provider,
        name=case["name"],
        secret=secret.encode(),
        headers=headers,
        body=_replaced(signed.decode("latin-1"), case.get("after_signing", {})).encode("latin-1"),
        now=case.get("now", _NOW),
        expected=_expected(document, case, grow),
        signs=case.get("sign_with", secret).encode(),
        signed=signed,
        field=field,
    )


def _text(document: Mapping[str, Any], case: Mapping[str, Any], grow: Mapping[str, str]) -> bytes:
    if "body_base64" in case:
        return base64.b64decode(case["body_base64"])
    body = case.get("body")
    if body is None:
        payload = _nulls(merged(document["payload"], case.get("payload", {})))
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return _replaced(body, grow).encode()


def _expected(document: Mapping[str, Any], case: Mapping[str, Any], grow: Mapping[str, str]) -> Expected:
    status = case.get("status", 0)
    if "reject" in case:
        return Expected("reject", fault=case["reject"], status=status)
    if "ignore" in case:
        return Expected("ignore", case["ignore"], status=status)
    refs = tuple((_replaced(ref, grow), sha) for ref, sha in case["accept"].items())
    return Expected("accept", case.get("event", "push"), refs, case.get("repo", document["repo"]), status=status)


def merged(base: Any, patch: Any) -> Any:
    """`base` with an RFC 7386 merge patch."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    out = dict(base) if isinstance(base, dict) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        else:
            out[name] = merged(out.get(name), value)
    return out


def _nulls(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _nulls(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_nulls(value) for value in tree]
    return None if tree == "<null>" else tree


def _replaced(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text
