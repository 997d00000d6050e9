"""Owns the DriftGrant document: mapping in, grant out, refused where the rules for grants say so; and the way back.

Pure: the time is given. Must not store or publish a grant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from reconciler.errors import UsageError
from reconciler.limits import GRANT_ENTRIES, GRANT_TEXT_CHARS
from reconciler.model.instant import stamp_of
from reconciler.model.own import API_VERSION, SERVICE_ACCOUNT
from reconciler.model.path import unescaped
from reconciler.model.quantity import nanoseconds
from reconciler.policy.grant import Grant, Scope
from reconciler.policy.model import GrantRules, Subject
from reconciler.policy.pattern import item_values
from reconciler.policy.reader import Reader, subject

KIND: Final = "DriftGrant"
NOT_ALLOWED: Final = "SS1003"
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# As the definition in a cluster has them, so both are written for RE2, too.
REF_FORM: Final = r"^\S+ \S+$"
KIND_FORM: Final = r"^(\S+/)?[^\s./]+$"
_REF: Final = re.compile(REF_FORM)
_KIND: Final = re.compile(KIND_FORM)
_BAD_ESCAPE: Final = re.compile(r"~(?![01])")


def parse_grant(document: Mapping[str, Any], where: str, rules: GrantRules, now: float, created_by: str = "") -> Grant:
    """The grant that a document asks for at `now` (Unix seconds); its name is the id, its duration begins now.

    Raises UsageError with place and field: of code SS1003 where the grant is well written, but not allowed.
    """
    name = name_of(document, where)
    reader = Reader(document.get("spec"), f"{where}: {KIND} {name}: spec")
    grant = Grant(
        id=name,
        subjects=_subjects(reader),
        scope=_scope(Reader(reader.get("scope", dict, {}), f"{reader.where}.scope")),
        reason=_text(reader, "reason"),
        not_before=_begin(reader, now),
        not_after=_end(reader, now),
        approver=_text(reader, "approver"),
        created_by=created_by,
        created=float(int(now)),
        **_revocation(reader, now),
    )
    reader.done()
    _check_allowed(grant, rules, now, reader)
    return grant


def name_of(document: Mapping[str, Any], where: str) -> str:
    """`metadata.name`, which must be a DNS label. Raises UsageError."""
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        hint = "small letters, digits and hyphens, at most 63: it is the grant's id"
        raise UsageError(f"a {KIND} needs a metadata.name that is a DNS label", where=where, hint=hint)
    return name


def as_document(grant: Grant, now: float) -> dict[str, Any]:
    """The grant as a DriftGrant, with the instant at which it ends, and a `status`."""
    scope = {name: list(words) for name in Scope.__slots__ if (words := getattr(grant.scope, name))}
    revocation = {"revoked": stamp_of(grant.revoked), "revokedBy": grant.revoked_by, "revokedFor": grant.revoked_for}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": grant.id},
        "spec": {
            "subjects": [_subject(one) for one in grant.subjects],
            "scope": scope,
            "reason": grant.reason,
            "notBefore": stamp_of(grant.not_before),
            "notAfter": stamp_of(grant.not_after),
            "approver": grant.approver,
        },
        "status": {
            "state": state(grant, now),
            "created": stamp_of(grant.created),
            "createdBy": grant.created_by,
            **(revocation if grant.revoked else {}),
        },
    }


def state(grant: Grant, now: float) -> str:
    """What has become of it: InForce, Revoked, Ended, or Waiting for its beginning."""
    if grant.revoked:
        return "Revoked"
    return "InForce" if grant.holds(now) else "Ended" if grant.not_after <= now else "Waiting"


def username(one: Subject) -> str:
    """The subject as the API server names it: a user's or service account's name, or the name of the group."""
    account = SERVICE_ACCOUNT + one.service_account.replace("/", ":")
    return account if one.service_account else one.user or one.group


def _subject(one: Subject) -> dict[str, str]:
    named = {"serviceAccount": one.service_account, "user": one.user, "group": one.group}
    return {key: value for key, value in named.items() if value}


def _text(reader: Reader, key: str) -> str:
    words = reader.get(key, str, "").strip()
    if not words:
        raise reader.wrong(f"{key}: missing or empty")
    if not words.isprintable() or len(words) > GRANT_TEXT_CHARS:
        raise reader.wrong(f"{key}: expected one printable line of at most {GRANT_TEXT_CHARS} characters")
    return words


def _subjects(reader: Reader) -> tuple[Subject, ...]:
    subjects = reader.each("subjects", subject)
    if not 1 <= len(subjects) <= GRANT_ENTRIES:
        raise reader.wrong(f"subjects: a grant names at least one, at most {GRANT_ENTRIES}")
    for name in map(username, subjects):
        if not name.isprintable() or len(name) > GRANT_TEXT_CHARS:
            raise reader.wrong(f"subjects: expected printable names of at most {GRANT_TEXT_CHARS} characters")
    return subjects


def _revocation(reader: Reader, now: float) -> dict[str, Any]:
    """What ends a grant before its time: it holds no more from `now` on, or from when that was first seen."""
    return {"revoked": float(int(now)), "revoked_for": _text(reader, "revoked")} if "revoked" in reader.data else {}


def _begin(reader: Reader, now: float) -> float:
    reader.read.add("notBefore")
    instant = reader.data.get("notBefore")
    return float(int(now if instant is None else _instant(reader, "notBefore", instant)))


def _end(reader: Reader, now: float) -> float:
    reader.read |= {"notAfter", "duration"}
    instant, length = reader.data.get("notAfter"), reader.data.get("duration")
    if (instant is None) == (length is None):
        raise reader.wrong("a grant ends: expected exactly one of notAfter and duration")
    if instant is not None:
        return float(int(_instant(reader, "notAfter", instant)))
    found = nanoseconds(length)
    if found is None or found < 10**9:
        raise reader.wrong(f"duration: {str(length)[:40]!r} is none", hint="such as 30m or 1h30m")
    whole = int(found // 10**9)
    return float(int(now) + whole + (found > whole * 10**9))  # a second that has begun counts


def _instant(reader: Reader, key: str, value: Any) -> float:
    """RFC 3339, which YAML reads as its own type where nobody quotes it."""
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        seconds = time.astimezone(UTC).timestamp() if time.tzinfo is not None else None
    except (TypeError, ValueError, OverflowError):
        seconds = None
    if seconds is None:
        hint = "such as 2027-01-31T22:30:00Z"
        raise reader.wrong(f"{key}: {str(value)[:40]!r} is no time with its offset", hint=hint)
    return seconds


def _scope(reader: Reader) -> Scope:
    scope = Scope(
        refs=_each(reader, "refs", _REF, "written as denials name objects, such as 'Deployment.apps shop/web'"),
        kinds=_each(reader, "kinds", _KIND, "written group/Kind, such as apps/Deployment, or ConfigMap"),
        namespaces=_each(reader, "namespaces", re.compile(r"\S*"), "a namespace"),
        paths=tuple(_path(reader, path) for path in _strings(reader, "paths")),
    )
    reader.done()
    if scope == Scope():
        hint = "refs, kinds, namespaces or paths; kinds: ['*'] is everything"
        raise reader.wrong("a grant is for something", hint=hint)
    return scope


def _each(reader: Reader, key: str, form: re.Pattern[str], hint: str) -> tuple[str, ...]:
    words = _strings(reader, key)
    wrong = [word for word in words if not form.fullmatch(word)]
    if wrong:
        raise reader.wrong(f"{key}: {wrong[0][:80]!r} names nothing", hint=hint)
    return words


def _strings(reader: Reader, key: str) -> tuple[str, ...]:
    words = reader.strings(key)
    if len(words) > GRANT_ENTRIES:
        raise reader.wrong(f"{key}: {len(words)} entries, at most {GRANT_ENTRIES}")
    if any(len(word) > GRANT_TEXT_CHARS or not word.isprintable() for word in words):
        raise reader.wrong(f"{key}: expected printable words of at most {GRANT_TEXT_CHARS} characters")
    return words


def _path(reader: Reader, path: str) -> str:
    pattern = reader.pattern("paths", path)
    elements = pattern.split("/")[1:]
    if not pattern.startswith("/") or "**" in elements[:-1] or not all(map(_is_element, elements)):
        hint = "a pointer as denials print it; `*` is one element, a final `**` all below"
        raise reader.wrong(f"paths: {path[:80]!r} covers nothing", hint=hint)
    return pattern


def _is_element(element: str) -> bool:
    whole = not element.startswith("k:{") or bool(item_values(unescaped(element)))
    return bool(element) and whole and not _BAD_ESCAPE.search(element)


def _check_allowed(grant: Grant, rules: GrantRules, now: float, reader: Reader) -> None:
    if grant.not_after <= now:
        raise _not_allowed(reader, f"notAfter: {stamp_of(grant.not_after)} is in the past")
    if grant.not_before >= grant.not_after:
        raise _not_allowed(reader, "notBefore: the grant ends before it begins")
    if grant.not_after - min(now, grant.not_before) > timedelta(hours=rules.most_hours).total_seconds():
        hint = f"now it is {stamp_of(now)}; renew it when it ends, or change Git"
        raise _not_allowed(reader, f"a grant lasts at most {rules.most_hours} hours", hint)
    if rules.self_approval == "Deny" and is_subject(grant.approver, grant.subjects):
        hint = "somebody else approves; GrantRules say selfApproval: Deny"
        raise _not_allowed(reader, f"approver: {grant.approver} is a subject of the grant", hint)


def is_subject(name: str, subjects: tuple[Subject, ...]) -> bool:
    """True if somebody called `name` is named, however he writes it: case, or `namespace/name` of a service account."""
    return any(username(one).casefold() in spellings(name) for one in subjects)


def spellings(name: str) -> frozenset[str]:
    """User names that somebody called `name` may have, in small letters."""
    return frozenset({name.casefold(), f"{SERVICE_ACCOUNT}{name.replace('/', ':')}".casefold()})


def _not_allowed(reader: Reader, message: str, hint: str = "") -> UsageError:
    return UsageError(message, where=reader.where, hint=hint, code=NOT_ALLOWED)
