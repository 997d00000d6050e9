"""Owns who answers for an object: labels of its namespace, then annotations in Git, then code owners. Pure.

Each of team, cost center and contact is taken from the first that names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from reconciler.limits import OWNER_CHARS, OWNER_LABELS
from reconciler.model.tree import Tree, child
from reconciler.report.drift import OwnedBy, Owner
from reconciler.report.printable import one_line

# Keys as people spell them; of one with a prefix, `example.com/cost-center`, the name counts.
_TEAM: Final = ("team", "owner", "squad")
_COST: Final = ("costcenter", "costcentre")
_CONTACT: Final = ("contact", "owneremail", "email", "slackchannel", "slack", "oncall")
_KNOWN: Final = frozenset({*_TEAM, *_COST, *_CONTACT})
# The API server's own, which says what the namespace is called.
_NAME: Final = "kubernetes.io/metadata.name"


def owner_of(namespace: Mapping[str, str], declared: Tree, code_owners: Sequence[str]) -> Owner:
    """`namespace` are its labels, `declared` is what Git says of the object's metadata, `code_owners` own its file."""
    labels = dict(islice(((one_line(key), _short(value)) for key, value in _texts(namespace)), OWNER_LABELS))
    labels.pop(_NAME, None)
    own = {**dict(_texts(child(declared, "labels"))), **dict(_texts(child(declared, "annotations")))}
    offers: tuple[tuple[OwnedBy, tuple[str, str, str]], ...] = (
        ("namespace", _named(labels)),
        ("annotation", _named(own)),
        ("CODEOWNERS", (_team(code_owners), "", _short(" ".join(code_owners)))),
    )
    firsts = [next(((name, told[at]) for name, told in offers if told[at]), ("", "")) for at in range(3)]
    (team_by, team), (cost_by, cost), (contact_by, contact) = firsts
    origin: OwnedBy = team_by or cost_by or contact_by
    return Owner(team, cost, contact, labels, origin)


def naming(declared: Tree) -> Tree:
    """Of an object's metadata only what names an owner: what is remembered of it when Git has dropped it."""
    fields = ((field, dict(_texts(child(declared, field)))) for field in ("labels", "annotations"))
    return {field: {key: text for key, text in held.items() if _plain(key) in _KNOWN} for field, held in fields}


def _plain(key: str) -> str:
    return key.rpartition("/")[2].lower().replace("-", "").replace("_", "")


def _named(held: Mapping[str, str]) -> tuple[str, str, str]:
    """Team, cost center and contact that keys name."""
    plain: dict[str, str] = {}
    for key in sorted(held, key=lambda key: ("/" in key, key)):  # without a prefix before with one
        plain.setdefault(_plain(key), held[key])
    return _first(plain, _TEAM), _first(plain, _COST), _first(plain, _CONTACT)


def _first(held: Mapping[str, str], names: Sequence[str]) -> str:
    return next((_short(held[name]) for name in names if held.get(name)), "")


def _team(code_owners: Sequence[str]) -> str:
    """The first group among them, else the first of them."""
    return next((one for one in code_owners if "/" in one), next(iter(code_owners), ""))


def _texts(held: Tree) -> Iterator[tuple[str, str]]:
    pairs = held.items() if isinstance(held, Mapping) else ()
    return ((str(key), value) for key, value in pairs if isinstance(value, str))


def _short(text: str) -> str:
    return one_line(text)[:OWNER_CHARS]
