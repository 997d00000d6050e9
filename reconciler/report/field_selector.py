"""Owns field selectors of findings, as kubectl writes them: `metadata.namespace=shop,attribution.user!=dana`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final

import msgspec

from reconciler.errors import UsageError
from reconciler.limits import REPORT_SELECTORS
from reconciler.report.selector import Requirement

# As in Kubernetes: a comma, an equals sign or a backslash of the value stands behind a backslash.
_PART: Final = re.compile(r"(?:\\.|[^,\\])+", re.DOTALL)
_SHAPE: Final = "must be as kubectl takes it, such as metadata.namespace=shop,attribution.user!=dana"
_ONE: Final = re.compile(r"\s*([A-Za-z.]{1,60})\s*(==?|!=)((?:\\.|[^\\=])*)", re.DOTALL)


class _Source(msgspec.Struct):
    name: str = ""
    url: str = ""
    path: str = ""
    file: str = ""
    revision: str = ""
    commit: str = ""
    signer: str = ""
    enforced: bool = True


class _Owner(msgspec.Struct, rename="camel"):
    team: str = ""
    cost_center: str = ""
    contact: str = ""


class _Attribution(msgspec.Struct):
    user: str = ""
    manager: str = ""
    verb: str = ""
    confidence: str = "none"


class _Finding(msgspec.Struct, rename="camel"):
    """What can be selected by; a finding of an earlier version has not all members."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    kind: str = ""
    api_version: str = ""
    cluster: str = ""
    state: str = ""
    severity: str = "medium"
    klass: str = msgspec.field(name="class", default="")
    confidence: str = ""
    grant: str = ""
    adopted: bool = True
    source: _Source = msgspec.field(default_factory=_Source)
    owner: _Owner = msgspec.field(default_factory=_Owner)
    attribution: _Attribution = msgspec.field(default_factory=_Attribution)


def _getters() -> dict[str, Callable[[_Finding], Any]]:
    found: dict[str, Callable[[_Finding], Any]] = {}
    for one in msgspec.structs.fields(_Finding):
        if isinstance(one.type, type) and issubclass(one.type, msgspec.Struct):
            for inner in msgspec.structs.fields(one.type):
                found[f"{one.encode_name}.{inner.encode_name}"] = attrgetter(f"{one.name}.{inner.name}")
        else:
            found[one.encode_name] = attrgetter(one.name)
    return found | {f"metadata.{name}": found[name] for name in ("name", "namespace", "uid")}


_GETTERS: Final[Mapping[str, Callable[[_Finding], Any]]] = _getters()
NAMES: Final = tuple(_GETTERS)
_decode: Final = msgspec.json.Decoder(_Finding).decode


def parse_field_selector(text: str) -> tuple[Requirement, ...]:
    """The requirements, all of which must hold. Raises UsageError, which does not name the parameter."""
    if not text.strip():
        return ()
    parts = _PART.findall(text)
    if ",".join(parts) != text:
        raise UsageError(_SHAPE)
    if len(parts) > REPORT_SELECTORS:
        raise UsageError(f"holds more than {REPORT_SELECTORS} requirements")
    return tuple(map(_requirement, parts))


def selected(text: str, requirements: tuple[Requirement, ...]) -> bool:
    """True when all requirements hold for a finding as it is stored."""
    found = _decode(text)
    return all(one.matches({one.key: _plain(_GETTERS[one.key](found))}) for one in requirements)


def _requirement(part: str) -> Requirement:
    match = _ONE.fullmatch(part)
    if match is None:
        raise UsageError(_SHAPE)
    if match[1] not in _GETTERS:
        raise UsageError(f"knows no {match[1]!r}; known: {', '.join(NAMES)}")
    value = re.sub(r"\\(.)", r"\1", match[3], flags=re.DOTALL)
    return Requirement(match[1], frozenset((value,)), negated=match[2] == "!=")


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
