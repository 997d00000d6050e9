"""Owns the line of a finding: what lists choose, sort and sum up by, and what tells it from another. Pure.

A finding as JSON is many times as long, and of ten thousand most are only counted. Must not choose findings.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final, NamedTuple, Self

import msgspec

from reconciler.report.drift import DEFAULT_CLUSTER

_DIGEST_CHARS: Final = 32
# What moves on though nothing happened, as it stands in a finding's text; what users of a GPU class add to that.
_MOVING: Final = ('"lastSeen": "', '"liveResourceVersion": "')
_MOVING_GPU: Final = ("seenAt", "lines")


# No dataclass: an answer makes ten thousand of them from rows of the store, in a fifth of the time.
class Line(NamedTuple):
    """One finding in a list; times are RFC 3339. `who` is the user, else the manager. `size` is that of the JSON text.

    `digest` is of what the finding says, but for what moves with each look.
    """

    cluster: str
    id: str
    state: str
    api_group: str
    kind: str
    namespace: str
    name: str
    source: str
    first_seen: str
    last_seen: str
    severity: str
    team: str
    cost_center: str
    who: str
    adopted: bool
    digest: str
    size: int


class Listed(NamedTuple):
    """The members of a line that a list is made of: nothing else is read for it."""

    id: str
    namespace: str
    state: str
    adopted: bool
    digest: str
    size: int

    @classmethod
    def of(cls, line: Line) -> Self:
        """Those of a line."""
        return cls(*(getattr(line, name) for name in cls._fields))


class _Who(msgspec.Struct):
    user: str = ""
    manager: str = ""


class _Owner(msgspec.Struct, rename="camel"):
    team: str = ""
    cost_center: str = ""


class _Source(msgspec.Struct):
    name: str = ""


class _Finding(msgspec.Struct, rename="camel"):
    """What a line takes of a finding; an earlier version stored less of it."""

    id: str
    kind: str
    namespace: str
    name: str
    state: str
    api_version: str = ""
    group: str = ""
    first_seen: str = ""
    last_seen: str = ""
    cluster: str = DEFAULT_CLUSTER
    severity: str = "medium"
    owner: _Owner = msgspec.field(default_factory=_Owner)
    source: _Source = msgspec.field(default_factory=_Source)
    attribution: _Who = msgspec.field(default_factory=_Who)
    adopted: bool = True


_decode: Final = msgspec.json.Decoder(_Finding).decode


def _read(text: str) -> _Finding:
    try:
        return _decode(text)
    except msgspec.DecodeError:
        # Values that the strict decoder refuses may be of no member of a line: numbers beyond a float, half characters.
        return msgspec.convert(json.loads(text), _Finding)


def line_of(text: str) -> Line:
    """That of a finding as it is stored, or of an object in sync as it is told. Raises ValueError."""
    found = _read(text)
    return Line(
        cluster=found.cluster,
        id=found.id,
        state=found.state,
        api_group=found.group or found.api_version.rpartition("/")[0],
        kind=found.kind,
        namespace=found.namespace,
        name=found.name,
        source=found.source.name,
        first_seen=found.first_seen,
        last_seen=found.last_seen,
        severity=found.severity,
        team=found.owner.team,
        cost_center=found.owner.cost_center,
        who=found.attribution.user or found.attribution.manager,
        adopted=found.adopted,
        digest=hashlib.sha256(_steady(text).encode(errors="backslashreplace")).hexdigest()[:_DIGEST_CHARS],
        size=len(text),
    )


def _steady(text: str) -> str:
    """The text without what moves. Decoding each finding would take longer than storing it."""
    if text.startswith('{"gpu"'):
        whole = msgspec.json.decode(text)
        whole["gpu"] = {key: value for key, value in whole["gpu"].items() if key not in _MOVING_GPU}
        text = json.dumps(whole)
    for name in _MOVING:
        begin = text.rfind(name) + len(name)
        if begin >= len(name):
            text = text[:begin] + text[text.index('"', begin) :]
    return text
