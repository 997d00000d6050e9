"""Owns the schema of a DriftGrant, with what of it may change. Must not know other kinds."""

from __future__ import annotations

from typing import Final

from crds.drift_policy import subject
from crds.words import Schema, mapping, rules, several, text, time
from reconciler.limits import GRANT_ENTRIES, GRANT_HOURS, GRANT_TEXT_CHARS, OBJECT_KIND_CHARS, OBJECT_NAME_CHARS
from reconciler.policy import granting

_LINE: Final = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
_GO_DURATION: Final = r"^[+]?(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|ms|s|m|h))+$"


def drift_grant() -> Schema:
    """The schema of its `spec`."""
    hours, line = f'duration("{GRANT_HOURS}h")', text(chars=GRANT_TEXT_CHARS, least=1, pattern=_LINE)
    most = f"a grant holds for {GRANT_HOURS} hours at most"
    word = {"most": GRANT_ENTRIES}
    given = " || ".join(
        f"(has(self.{one}) && size(self.{one}) > 0)" for one in ("refs", "kinds", "namespaces", "paths")
    )
    scope = mapping(
        {
            "refs": several(
                text(chars=GRANT_TEXT_CHARS, pattern=granting.REF_FORM),
                **word,
                says="Objects as denials name them; * and ? as in a shell.",
            ),
            "kinds": several(
                text(chars=OBJECT_KIND_CHARS, pattern=granting.KIND_FORM), **word, says="Kinds, as in policies."
            ),
            "namespaces": several(
                text(chars=OBJECT_NAME_CHARS, pattern=r"^\S*$"), **word, says="Patterns of namespaces."
            ),
            "paths": several(
                text(chars=GRANT_TEXT_CHARS, pattern=r"^[/$.\[]"),
                **word,
                says="Pointers, or restricted JSONPath; then no DELETE is covered.",
            ),
        },
        says="An empty field covers all; a scope with paths covers no DELETE.",
        **rules((given, 'a grant is for something; kinds ["*"] is everything')),
    )
    within = (
        "!has(self.notBefore) || !has(self.notAfter)"
        f" || (self.notBefore < self.notAfter && self.notAfter - self.notBefore <= {hours})"
    )
    stays = " && ".join(f"self.{one} == oldSelf.{one}" for one in ("subjects", "scope", "reason", "approver"))
    return mapping(
        {
            "subjects": several(subject(), most=GRANT_ENTRIES, least=1, says="Who may leave Git."),
            "scope": scope,
            "reason": {"description": "Why, in one line.", **line},
            "approver": {"description": "Who said yes: nobody whom subjects name.", **line},
            "notBefore": time("When it begins; by default when it is made."),
            "notAfter": time("When it ends; or duration."),
            "duration": {
                "description": "After how long it ends; or notAfter.",
                "type": "string",
                "maxLength": 20,
                "pattern": _GO_DURATION,
                **rules((f'duration(self) >= duration("1s") && duration(self) <= {hours}', most)),
            },
            "revoked": {"description": "Why it is over before its time. It cannot be taken back.", **line},
        },
        required=("subjects", "scope", "reason", "approver"),
        **rules(
            ("has(self.notAfter) != has(self.duration)", "a grant ends, either notAfter a time or after a duration"),
            (within, most),
            (stays, "who and what stay as they are; make another grant"),
            (
                "has(oldSelf.notBefore) == has(self.notBefore)"
                " && (!has(self.notBefore) || self.notBefore == oldSelf.notBefore)",
                "the beginning stays as it is; make another grant",
            ),
            (
                "!has(oldSelf.duration) || (has(self.duration) && self.duration == oldSelf.duration)",
                "a duration stays as it is; make another grant",
            ),
            (
                "!has(oldSelf.notAfter) || (has(self.notAfter) && self.notAfter <= oldSelf.notAfter)",
                "a grant may end sooner, never later; make another grant",
            ),
            (
                "!has(oldSelf.revoked) || (has(self.revoked) && self.revoked == oldSelf.revoked)",
                "what is revoked stays so; make another grant",
            ),
        ),
    )
