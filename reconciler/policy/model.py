"""Owns DriftPolicy and the built-in rules as compiled values. Must not read: `reconciler.policy.parse` gets mappings.

Every dataclass here is a msgspec-encodable plain value, because policies travel inside the snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Action = Literal["Deny", "Warn", "Audit"]
Choice = Literal["Deny", "Allow"]
FailurePolicy = Literal["Ignore", "Fail"]
Adopt = Literal["Always", "IfNoDiff", "Never"]


@dataclass(frozen=True, slots=True)
class Subject:
    """One identity: exactly one of the three is set. `service_account` is `namespace/name`."""

    service_account: str = ""
    user: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Writer:
    """A GitOps controller: what it writes is verified by content, or let through and recorded."""

    subjects: tuple[Subject, ...]
    verify: Literal["Content", "None"] = "Content"
    on_timeout: Choice = "Allow"


@dataclass(frozen=True, slots=True)
class Delegation:
    """Paths (or whole operations) of kinds that named identities may write.

    `paths` are JSON pointers; `*` stands for one element, a trailing `/**` for everything below. `kinds` are
    `group/Kind` (`/Kind` or `Kind` for the core group, `*` for all). `operations` empty means UPDATE only.
    """

    paths: tuple[str, ...]
    kinds: tuple[str, ...]
    to: tuple[Subject, ...]
    operations: tuple[str, ...] = ()
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """Which objects a policy is for; an empty field matches all. `labels` are labels as Git declares them."""

    sources: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """A DriftPolicy: the first that matches an object, highest priority first, gives all its settings."""

    name: str
    priority: int = 0
    match: tuple[Match, ...] = (Match(),)
    action: Action = "Deny"
    undeclared: Choice = "Deny"
    fragment: bool = False
    exclusive: bool = False
    failure_policy: FailurePolicy = "Ignore"
    undecidable: Choice = "Deny"
    adopt: Adopt = "IfNoDiff"
    trusted_mutators: tuple[str, ...] = ()
    writers: tuple[Writer, ...] = ()
    delegate: tuple[Delegation, ...] = ()


@dataclass(frozen=True, slots=True)
class MaskRule:
    """A named rule: paths of kinds that hide from the comparison, and who may change them.

    `when` says which objects it holds for: "undeclared" (Git does not declare the path), "always", or
    "aggregated" (the object declares an aggregationRule). `allocated`: the API server gives or takes the value inside
    anyone's write. The path "{replicas}" is where a custom resource keeps its replicas.
    """

    rule: str
    kinds: tuple[str, ...]
    paths: tuple[str, ...]
    reason: str
    when: Literal["undeclared", "always", "aggregated"] = "undeclared"
    to: tuple[Subject, ...] = ()
    allocated: bool = False


@dataclass(frozen=True, slots=True)
class SteeringRule:
    """Label or annotation keys that steer tools and controllers; `key` may end in `*`.

    `removable`: anyone may remove it where Git does not declare it. `writers` may set it. `value`: a value that anyone
    may write, because the source's own tool would ("{release}" and "{namespace}" are the source's).
    """

    key: str
    reason: str
    removable: bool = True
    value: str = ""
    writers: tuple[Subject, ...] = ()


@dataclass(frozen=True, slots=True)
class OptOut:
    """An annotation (or label) that, declared in Git with that value, hands the object's content to others."""

    key: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class ListRule:
    """Meaning of a list that no schema tells: `order` is a value, or the list is a `set`, or it has `keys`."""

    kinds: tuple[str, ...]
    path: str
    meaning: Literal["ordered", "set", "map"]
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """All policy data of one installation: built-in files of policies/ plus the user's documents."""

    policies: tuple[Policy, ...]
    masks: tuple[MaskRule, ...] = ()
    steering: tuple[SteeringRule, ...] = ()
    lists: tuple[ListRule, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    free_template_keys: tuple[str, ...] = ()
    opt_outs: tuple[OptOut, ...] = ()
    never_guarded: tuple[str, ...] = ()
