"""Owns typed access to the mappings of policy documents, problems with their place. Must not know any document."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, TypeVar

from reconciler.errors import UsageError
from reconciler.policy.model import Condition, Subject
from reconciler.policy.pattern import compiled

T = TypeVar("T")

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "action": ("Deny", "Warn", "Audit"),
    "undeclared": ("Deny", "Allow"),
    "failurePolicy": ("Ignore", "Fail"),
    "undecidable": ("Deny", "Allow"),
    "selfApproval": ("Deny", "Allow"),
    "adopt": ("Always", "IfNoDiff", "Never"),
    "descendants": ("Ignore", "Audit"),
    "heal": ("Never", "Auto"),
    "verify": ("Content", "None"),
    "onTimeout": ("Deny", "Allow"),
    "when": ("undeclared", "placeholder", "extra", "always", "aggregated"),
    "mode": ("own", "fragment", "observe", "machines", "payload"),
    "effect": ("live", "latent", "none"),
    "hits": ("running", "pending"),
    "operations": ("CREATE", "UPDATE", "DELETE"),
    "listMeaning": ("ordered", "unordered", "set", "map"),
    "valueMeaning": ("quantity", "duration", "cel", "meaningful-empty", "zero-is-absent", "zero-equals-absent"),
}
_ACCOUNT: Final = re.compile(r"[^/]+/[^/]+")
_ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Reader:
    """Typed access to one mapping; names the offending key, and refuses keys that nobody reads."""

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, Mapping):
            raise UsageError(f"expected a mapping, found {type(data).__name__}", where=where)
        self.data, self.where, self.read = data, where, set[str]()

    def get(self, key: str, kind: type[T], default: T) -> T:
        """The value of `key`, which must be of `kind`; `default` where it is absent."""
        self.read.add(key)
        value: T = self.data.get(key, default)
        wrong = not isinstance(value, kind) or (kind is int and isinstance(value, bool))
        if wrong:
            raise self.wrong(f"{key}: expected {kind.__name__}, found {type(value).__name__}")
        return value

    def choice(self, key: str, default: str, choices: str = "") -> Any:
        """The value of `key`, one of those that the table has for it."""
        value, known = self.get(key, str, default), _CHOICES[choices or key]
        if value not in known:
            raise self.wrong(f"{key}: {value!r} is none of {', '.join(known)}")
        return value

    def id(self) -> str:
        """The name of a rule: small letters, digits and hyphens."""
        name = self.get("id", str, "")
        if not _ID.fullmatch(name):
            raise self.wrong(f"id: {name!r} is no name of a rule", hint="small letters, digits and hyphens")
        return name

    def pointers(self, key: str) -> tuple[str, ...]:
        """JSON pointers."""
        paths = self.strings(key)
        wrong = [path for path in paths if not path.startswith("/")]
        if wrong:
            raise self.wrong(f"{key}: {wrong[0]!r} is no JSON pointer", hint="it starts with /")
        return paths

    def patterns(self, key: str) -> tuple[str, ...]:
        """At least one pointer or restricted JSONPath, each as a pattern."""
        paths = self.strings(key)
        if not paths:
            raise self.wrong(f"{key}: a rule names at least one")
        return tuple(self.pattern(key, path) for path in paths)

    def pattern(self, key: str, path: str) -> str:
        """A pointer or restricted JSONPath of the list `key`, as a pattern."""
        try:
            return compiled(path)
        except ValueError as error:
            raise self.wrong(f"{key}: {path!r} {error}") from error

    def choices(self, key: str) -> tuple[Any, ...]:
        """A list of values, each one of those that the table has for it."""
        found, known = self.strings(key), _CHOICES[key]
        wrong = [value for value in found if value not in known]
        if wrong:
            raise self.wrong(f"{key}: {wrong[0]!r} is none of {', '.join(known)}")
        return found

    def strings(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        values = self.get(key, list, [])
        if not all(isinstance(value, str) for value in values):
            raise self.wrong(f"{key}: expected a list of strings")
        return tuple(values)

    def words(self, key: str) -> tuple[str, ...]:
        """A list of strings that are not empty: an empty name or pattern fits nothing."""
        found = self.strings(key)
        if "" in found:
            raise self.wrong(f"{key}: expected no empty strings")
        return found

    def day(self, key: str) -> date | None:
        """A date: YAML has its own type for one, and people quote it."""
        self.read.add(key)
        value = self.data.get(key)
        try:
            # A point in time is a date to Python as well.
            return value if value is None or type(value) is date else date.fromisoformat(value)
        except (TypeError, ValueError) as error:
            raise self.wrong(f"{key}: expected a date such as 2027-01-31") from error

    def condition(self, key: str) -> Condition:
        """A list of shell patterns for the value itself, or a mapping from pointers below it to such lists."""
        self.read.add(key)
        data = self.data.get(key, {})
        pairs = {"": data} if isinstance(data, list) else data
        if not isinstance(pairs, Mapping):
            raise self.wrong(f"{key}: expected a list of patterns, or a mapping from pointers to such lists")
        inner = Reader(pairs, f"{self.where}.{key}")
        wrong = [at for at in pairs if not isinstance(at, str) or (at and not at.startswith("/"))]
        if wrong:
            raise inner.wrong(f"{wrong[0]!r} is no JSON pointer", hint="it starts with /")
        found = tuple((at, inner.strings(at)) for at in sorted(pairs))
        if isinstance(data, list) and not data:
            raise self.wrong(f"{key}: no pattern, so nothing would ever hide")
        return found

    def each(self, key: str, make: Callable[[Any, str], T]) -> tuple[T, ...]:
        """What `make` reads from each item of a list."""
        return tuple(make(item, f"{self.where}.{key}[{i}]") for i, item in enumerate(self.get(key, list, [])))

    def wrong(self, message: str, *, hint: str = "") -> UsageError:
        """An error with the place of this mapping."""
        return UsageError(message, where=self.where, hint=hint)

    def done(self) -> None:
        """Raises UsageError for a key that nobody has read."""
        unknown = sorted(set(map(str, self.data)) - self.read)
        if unknown:
            raise self.wrong(f"unknown field {unknown[0]!r}", hint="see docs/reference/policy.md")


def subject(data: Any, where: str) -> Subject:
    """One identity."""
    reader = Reader(data, where)
    found = Subject(
        service_account=reader.get("serviceAccount", str, ""),
        user=reader.get("user", str, ""),
        group=reader.get("group", str, ""),
    )
    reader.done()
    if len(reader.data) != 1 or found == Subject():
        raise reader.wrong("a subject is exactly one of serviceAccount, user, group")
    if found.service_account and not _ACCOUNT.fullmatch(found.service_account):
        raise reader.wrong("serviceAccount is written namespace/name")
    return found
