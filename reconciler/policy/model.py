"""Owns DriftPolicy and the built-in rules as compiled values. Must not read: `reconciler.policy.parse` gets mappings.

Every dataclass here is a msgspec-encodable plain value, because policies travel inside the snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from reconciler.limits import GRANT_HOURS
from reconciler.policy.mig import MigModel

Action = Literal["Deny", "Warn", "Audit"]
Choice = Literal["Deny", "Allow"]
FailurePolicy = Literal["Ignore", "Fail"]
Adopt = Literal["Always", "IfNoDiff", "Never"]
Descendants = Literal["Ignore", "Audit"]
Heal = Literal["Never", "Auto"]


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
    `group/Kind` (`/Kind` or `Kind` for the core group, `*` for all). `operations` empty means UPDATE only. `names` are
    shell patterns; with `undeclared_only` it holds for objects that Git does not declare: those an operator makes.
    """

    paths: tuple[str, ...]
    kinds: tuple[str, ...]
    to: tuple[Subject, ...]
    operations: tuple[str, ...] = ()
    rule: str = ""
    names: tuple[str, ...] = ()
    undeclared_only: bool = False


# What a live value must be: pairs of a JSON pointer below it ("" is the value itself) and shell patterns, one of which
# must fit what stands there. The pattern "{ca}" is a CA that parses, "{name}" in one is the object's own name.
Condition = tuple[tuple[str, tuple[str, ...]], ...]


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
    """A DriftPolicy: the first that matches an object, highest priority first, gives all its settings.

    `once`: it is there only while Git declares an object of one of these kinds; `named_by`: and only for objects that
    one of those names at one of these pointers. `only_where` says which undeclared objects `exclusive` is about.
    """

    name: str
    priority: int = 0
    match: tuple[Match, ...] = (Match(),)
    action: Action = "Deny"
    undeclared: Choice = "Deny"
    fragment: bool = False
    exclusive: bool = False
    only_where: Condition = ()
    once: tuple[str, ...] = ()
    named_by: tuple[str, ...] = ()
    failure_policy: FailurePolicy = "Ignore"
    undecidable: Choice = "Deny"
    adopt: Adopt = "IfNoDiff"
    descendants: Descendants = "Ignore"
    trusted_mutators: tuple[str, ...] = ()
    writers: tuple[Writer, ...] = ()
    delegate: tuple[Delegation, ...] = ()
    heal: Heal = "Never"


@dataclass(frozen=True, slots=True)
class MaskRule:
    """A named rule: paths of kinds that hide from the comparison, and who may change them.

    `when` says which objects it holds for: "undeclared" (Git does not declare the path), "placeholder" (nor that, or
    what it declares stands for a CA that something puts in), "extra" (only items and keys beside those that Git
    declares), "always", or "aggregated" (the object declares an aggregationRule). `names`, `namespaces` and `sources`
    (who declares it) narrow it to objects, `value` to live values, `manager` to fields that managedFields give to this
    manager. `allocated`: the API server gives or takes the value inside anyone's write. The path "{replicas}" is where
    a custom resource keeps its replicas. After the day of `expires` it hides nothing (`reconciler.policy.expiry`);
    `owner` answers for it.
    """

    id: str
    kinds: tuple[str, ...]
    paths: tuple[str, ...]
    reason: str
    when: Literal["undeclared", "placeholder", "extra", "always", "aggregated"] = "undeclared"
    to: tuple[Subject, ...] = ()
    allocated: bool = False
    value: Condition = ()
    manager: str = ""
    names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    owner: str = ""
    expires: date | None = None


# What the value of a mark may be made of: the source's release and its namespace, the adopter, the marked object.
MARKS: Final = frozenset(
    {"release", "namespace", "adopter", "adopterNamespace", "group", "kind", "objectNamespace", "objectName"}
)


@dataclass(frozen=True, slots=True)
class SteeringRule:
    """Label or annotation keys that steer tools and controllers; `key` may end in `*`. `kinds` empty means all.

    `removable`: anyone may remove it where Git does not declare it. `writers` may set it, with `initial` only to that
    value, and only where there is none. `value`: a value that anyone may write, because the source's own tool would:
    with `adopter` where an object of that kind applies the source, else where Helm does. It may hold names of MARKS.
    """

    key: str
    reason: str
    removable: bool = True
    value: str = ""
    writers: tuple[Subject, ...] = ()
    initial: str = ""
    adopter: str = ""
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FinalizerRule:
    """Who takes the finalizer `key` away, and nobody else."""

    key: str
    to: tuple[Subject, ...]


@dataclass(frozen=True, slots=True)
class OptOut:
    """An annotation (or label) that, declared in Git with that value, hands the object's content to others."""

    key: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class ListRule:
    """Meaning of a list that no schema tells.

    "ordered": its order is a value, although it has keys. "unordered": it is one value, and its order is none. "set":
    each item stands for itself. "map": items have `keys`.
    """

    kinds: tuple[str, ...]
    path: str
    meaning: Literal["ordered", "unordered", "set", "map"]
    keys: tuple[str, ...] = ()
    id: str = ""
    reason: str = ""
    owner: str = ""
    expires: date | None = None


@dataclass(frozen=True, slots=True)
class SemanticRule:
    """Meaning of values that no schema tells, by place.

    `paths` are pointers; `**` stands for any number of elements, and each element may be a shell pattern. A "quantity"
    and a "duration" are compared by value, "cel" by tokens; "meaningful-empty": empty is not absent; "zero-is-absent":
    a controller may leave out false, 0, "" and empty; "zero-equals-absent": those are nothing, whoever writes them.
    """

    id: str
    kinds: tuple[str, ...]
    paths: tuple[str, ...]
    reason: str
    meaning: Literal["quantity", "duration", "cel", "meaningful-empty", "zero-is-absent", "zero-equals-absent"]
    owner: str = ""
    expires: date | None = None


@dataclass(frozen=True, slots=True)
class ScalerRule:
    """A kind that scales others: where it names its target and its bounds, and who writes replicas for it.

    `target`, `low`, `high`, `idle` (a count below `low` that it may also set) and `pinned` (a count that it stops at)
    are pointers, "" for none. `target` leads to a mapping with `apiVersion`, `kind`, `name`; what that leaves out is
    taken from `target_kind` (`apps/v1/Deployment`). `low_default` and `high_default` hold where nothing is declared;
    -1: then it scales nothing.
    """

    id: str
    kinds: tuple[str, ...]
    reason: str
    target: str
    low: str
    high: str
    target_kind: str = ""
    low_default: int = -1
    high_default: int = -1
    idle: str = ""
    pinned: str = ""
    to: tuple[Subject, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeRule:
    """A named rule that is code, so that reports can say why it hid something."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class GpuClass:
    """One row of the table of GPU classes: what defines the class, who else writes it, when a change acts.

    `closed` are pointers below which an addition is drift also under `undeclared: Allow`; the rest is for people.
    `effect` says when a change of the definition acts: at once ("live"), at `trigger` ("latent"), or that it defines
    nothing ("none"). `hits`: which users a live change hits at once; the others it hits at their next start.
    """

    id: str
    title: str
    kinds: tuple[str, ...]
    defines: str
    writers: str
    damage: str
    mode: Literal["own", "fragment", "observe", "machines", "payload"] = "own"
    effect: Literal["live", "latent", "none"] = "live"
    trigger: str = ""
    closed: tuple[str, ...] = ()
    hits: tuple[Literal["running", "pending"], ...] = ()


@dataclass(frozen=True, slots=True)
class GrantRules:
    """What a grant may be: how long at most, and whether somebody may approve a grant for himself."""

    most_hours: int = GRANT_HOURS
    self_approval: Choice = "Deny"


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
    finalizers: tuple[FinalizerRule, ...] = ()
    never_guarded: tuple[str, ...] = ()
    semantics: tuple[SemanticRule, ...] = ()
    scalers: tuple[ScalerRule, ...] = ()
    code: tuple[CodeRule, ...] = ()
    grants: GrantRules = GrantRules()
    gpu_classes: tuple[GpuClass, ...] = ()
    mig_models: tuple[MigModel, ...] = ()

    def reasons(self) -> dict[str, str]:
        """Why each named rule is there, by its id; of several of one id, the first says it."""
        named: tuple[MaskRule | ListRule | SemanticRule | ScalerRule | CodeRule, ...]
        named = (*self.masks, *self.lists, *self.semantics, *self.scalers, *self.code)
        return {rule.id: rule.reason for rule in reversed(named)}
