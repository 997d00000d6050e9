"""Owns what goes into and comes out of a decision. Must not decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from reconciler.model.path import Path
from reconciler.model.tree import Tree

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
CauseVerdict = Literal["held", "masked", "extra", "metadata", "object", "rule"]
# Stable: records and programs hold them. Each stands in docs/reference/decision-codes.md; none is ever reused.
Code = Literal[
    "audited",
    "canonicalizer",
    "conforms",
    "delete",
    "delete-cascade",
    "drift",
    "exclusive",
    "extra",
    "finalize",
    "fragment",
    "gpu-rule",
    "granted",
    "internal-error",
    "masked",
    "metadata",
    "no-snapshot",
    "not-adopted",
    "not-configuration",
    "older-revision",
    "other-version",
    "own-lever",
    "recorded",
    "system-controller",
    "terminating",
    "unchanged",
    "undecidable",
    "unguarded",
    "unverified",
    "warned",
    "writer-delete",
    "writer-recorded",
]


@dataclass(frozen=True, slots=True)
class Identity:
    """`userInfo` of the request: the effective user."""

    username: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Objects(Protocol):
    """The object of a request, read when somebody looks; None where the review has none.

    Members that are the same in both may be missing in both; status and managedFields are.
    """

    @property
    def new(self) -> Tree:
        """As it is asked for (DELETE has none)."""

    @property
    def old(self) -> Tree:
        """As it was (CREATE has none)."""

    def whole(self) -> tuple[Tree, Tree]:
        """As it is asked for and as it was, members that are the same in both among them."""


@dataclass(frozen=True, slots=True)
class Trees:
    """The objects of a request that are at hand."""

    new: Tree = None
    old: Tree = None

    def whole(self) -> tuple[Tree, Tree]:
        """See `Objects.whole`."""
        return self.new, self.old


@dataclass(frozen=True, slots=True)
class Request:
    """One AdmissionReview request. `group`/`version`/`resource` are the registered ones (`matchPolicy: Equivalent`)."""

    uid: str
    group: str
    version: str
    resource: str
    kind: str
    operation: Operation
    identity: Identity
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    objects: Objects = Trees()
    dry_run: bool = False

    @property
    def object(self) -> Tree:
        """See `Objects.new`."""
        return self.objects.new

    @property
    def old(self) -> Tree:
        """See `Objects.old`."""
        return self.objects.old


@dataclass(frozen=True, slots=True)
class Cause:
    """One path of a violation. `pointer` is for programs, `field` for people; values are printable and masked.

    `why` is the clause that says what holds the path; `path` is for those who name it in other ways; `embedded` is the
    pointer on into the document that a string at `pointer` holds; `note` says why such a string was compared as text.
    """

    field: str
    pointer: str
    verdict: CauseVerdict
    want: str
    now: str
    message: str
    why: str = ""
    was: str = ""
    path: Path = ()
    embedded: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one request. `code` is stable (docs/reference/decision-codes.md).

    `needs_refresh`: a named writer's write does not match; judge again after the reconciler has looked at Git.
    """

    allowed: bool
    code: Code
    message: str = ""
    causes: tuple[Cause, ...] = ()
    warnings: tuple[str, ...] = ()
    audit: Mapping[str, str] = field(default_factory=dict)
    needs_refresh: bool = False
    guarded: bool = False
    # The code that the request would have got under action Deny, where it was admitted nevertheless.
    would: Code | Literal[""] = ""
    grant: str = ""
    # Who uses the GPU class that the write would change, in lines for people; they stand in the message, too.
    users: tuple[str, ...] = ()

    def response(self, uid: str) -> dict[str, Any]:
        """The AdmissionReview (admission.k8s.io/v1) that answers request `uid`."""
        response: dict[str, Any] = {"uid": uid, "allowed": self.allowed}
        if not self.allowed:
            response["status"] = {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "code": 403,
                "reason": "Forbidden",
                "message": self.message,
                "details": {
                    "causes": [
                        {"reason": f"Setscrew/{cause.verdict}", "field": cause.pointer, "message": cause.message}
                        for cause in self.causes
                    ]
                },
            }
        if self.warnings:
            response["warnings"] = list(self.warnings)
        if self.audit:
            response["auditAnnotations"] = dict(self.audit)
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
