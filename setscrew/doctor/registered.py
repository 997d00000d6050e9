"""Owns the checks of the registration: there, as it is wanted, and asking about all that is guarded. Pure."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from reconciler.cluster.registered import Registered
from reconciler.errors import SetscrewError
from reconciler.model.own import CANONICALIZER, ENTRY_SUFFIX
from reconciler.model.ref import KindInfo
from setscrew.doctor.facts import Document, Facts
from setscrew.doctor.finding import Finding, Missing, need
from webhook.registration.apply import switched_off
from webhook.registration.change import change
from webhook.registration.client import Client, ServiceClient, UrlClient
from webhook.registration.configuration import build
from webhook.registration.kinds import never_registered
from webhook.registration.ownership import is_ours, writers
from webhook.registration.places import SYSTEM_NAMESPACES, Guarded, guarded_by

_WRITE: Final = "`setscrew register --state STATE`"
_KEPT: Final = f"a running reconciler puts it back within a second: is it running? {_WRITE} does it by hand"
# Bundles have a check of their own: here all are alike.
_ANY_BUNDLE: Final = b"-----BEGIN CERTIFICATE-----"
_REPORTED: Final = "nothing: what differs is in the drift report"
_NAMESPACE: Final = "kubernetes.io/metadata.name"
_SHOWN: Final = 3


def off(facts: Facts) -> bool:
    """True where nobody is asked: there is no registration, or it is switched off."""
    live = need(facts.registration)
    return live is None or bool(switched_off(live))


def entries(facts: Facts) -> list[Document]:
    """Our entries as they stand there."""
    live = need(facts.registration) or {}
    return [entry for entry in live.get("webhooks") or [] if is_ours(entry["name"])]


def registration(facts: Facts) -> Iterator[Finding]:
    """It is there, nobody has switched it off, and it is what the current snapshot needs."""
    live = need(facts.registration)
    if live is None:
        yield _absent(facts)
        return
    if when := switched_off(live):
        what = f"the guard was switched off at {when}: nothing is refused"
        yield Finding("registration", "problem", what, f"{_WRITE} switches it on again")
        return
    found = list(_differs(facts, live))
    yield from found
    if not found:
        yield Finding("registration", "ok", f"{len(entries(facts))} entries, as the current snapshot needs them")
    if foreign := [str(entry["name"]) for entry in live.get("webhooks") or [] if not is_ours(entry["name"])]:
        what = f"entries of others stand in our object: {', '.join(foreign)}"
        fix = "give them an object of their own; the off-switch leaves them where they are"
        yield Finding("registration", "warning", what, fix)


def _absent(facts: Facts) -> Finding:
    if facts.report_only:
        what = "there is none, as --no-register says: nothing is refused, drift is reported"
        return Finding("registration", "warning", what, "run without --no-register to guard")
    fix = f"{_KEPT}; its log says why where it stays away (a grant, a server that does not answer)"
    return Finding("registration", "problem", "there is none: nothing is refused", fix)


def _differs(facts: Facts, live: Document) -> Iterator[Finding]:
    wanted = _wanted(facts, live)
    found = change(_alike(live), wanted)
    if found.missing:
        yield Finding("registration", "problem", _edited(live, wanted, found.missing), _KEPT)
    names = {entry["name"] for entry in wanted["webhooks"]}
    if unused := [short(entry["name"]) for entry in entries(facts) if entry["name"] not in names]:
        what = f"entries ask about nothing that is guarded: {', '.join(unused)}"
        yield Finding("registration", "warning", what, _KEPT)
    if found and not found.missing and not unused:
        yield Finding("registration", "warning", "others own fields that are ours, or our label is gone", _KEPT)
    fix = "nothing, if that is meant; else delete the registration: it is made anew as policies say"
    for line in found.kept:
        yield Finding("registration", "warning", line, fix)


def _edited(live: Document, wanted: Document, missing: Iterable[str]) -> str:
    there = {entry["name"]: entry for entry in _alike(live)["webhooks"]}
    ours = {entry["name"]: entry for entry in wanted["webhooks"]}
    told = []
    for name in missing:
        fields = [key for key, one in ours[name].items() if there[name].get(key) != one] if name in there else []
        told.append(f"{short(name)} ({', '.join(fields) or 'gone'})")
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    who = next((f"; the last to write to it was {manager} at {time}" for time, manager in writers(live)), "")
    return f"entries are not as they should be: {', '.join(told[:_SHOWN])}{more}{who}"


def _wanted(facts: Facts, live: Document) -> Document:
    snapshot = need(facts.snapshot)
    guarded, client = guarded_by(snapshot.entries, snapshot.rules), _client(facts, live)
    own = client.namespace if isinstance(client, ServiceClient) else ""
    try:
        return build(guarded, client, _ANY_BUNDLE, CANONICALIZER, own_namespace=own)
    except SetscrewError as error:
        return need(Missing(error.message, error.hint))


def _client(facts: Facts, live: Document) -> Client:
    """The way to the server as this installation has it; of a Service the registration itself is all that tells."""
    services = [entry["clientConfig"]["service"] for entry in live.get("webhooks") or [] if _service(entry)]
    if services and not facts.url:
        namespace, name, port = Counter(
            (one["namespace"], one["name"], int(one.get("port", 443))) for one in services
        ).most_common(1)[0][0]
        return ServiceClient(namespace, name, port)
    return UrlClient(facts.url or called(live))


def called(live: Document | None) -> str:
    """The base URL that most of our entries call; "" where there is none."""
    found = Counter(_base(entry) for entry in (live or {}).get("webhooks") or [] if is_ours(entry["name"]))
    return found.most_common(1)[0][0] if found else ""


def _base(entry: Mapping[str, Any]) -> str:
    if _service(entry):
        one = entry["clientConfig"]["service"]
        return f"https://{one['name']}.{one['namespace']}.svc:{one.get('port', 443)}"
    return str(entry["clientConfig"].get("url", "")).rpartition("/validate/")[0]


def _service(entry: Mapping[str, Any]) -> bool:
    return bool(is_ours(entry["name"]) and (entry.get("clientConfig") or {}).get("service"))


def _alike(live: Document) -> Document:
    """`live` with the same bundle in each of our entries."""
    bundle = UrlClient("").config("", _ANY_BUNDLE)["caBundle"]
    copied = copy.deepcopy(live)
    for entry in copied.get("webhooks") or []:
        if is_ours(entry["name"]) and entry["clientConfig"].get("caBundle"):
            entry["clientConfig"]["caBundle"] = bundle
    return {**copied, "webhooks": copied.get("webhooks") or []}


def coverage(facts: Facts) -> Iterator[Finding]:
    """Each guarded object is asked about by some entry, and can be in the cluster at all."""
    guarded = _places(facts)
    never = {kind: why for kind, _ in guarded if (why := never_registered(kind))}
    for kind, why in never.items():
        what = f"{_count(guarded, kind)} of {kind.name} are compared with Git, and never guarded: {why}"
        yield Finding("coverage", "warning", what, _REPORTED)
    yield from _unserved(facts, guarded)
    if off(facts):
        yield Finding("coverage", "unknown", "nothing is registered", "see the check registration")
        return
    rest = [(kind, place) for kind, place in guarded if kind not in never]
    bad = [(kind, place) for kind, place in rest if not _is_asked(facts, kind, place)]
    for kind, place in sorted(bad, key=str):
        where = f" in namespace {place}" if place else ""
        what = f"no entry asks about {kind.name} ({kind.version}){where}"
        if (kind.group, kind.resource) == ("", "pods") and place in SYSTEM_NAMESPACES:
            yield Finding("coverage", "warning", f"{what}, so that a cluster can start", _REPORTED)
        else:
            yield Finding("coverage", "problem", what, _KEPT)
    if not bad:
        yield Finding("coverage", "ok", f"all other guarded kinds are asked about, in {len(rest)} places")


def _places(facts: Facts) -> Counter[tuple[KindInfo, str | None]]:
    found: Counter[tuple[KindInfo, str | None]] = Counter()
    for one in map(Guarded.of, need(facts.snapshot).entries):
        found[one.kind, one.place] += 1
    return found


def _count(guarded: Counter[tuple[KindInfo, str | None]], kind: KindInfo) -> str:
    number = sum(count for (one, _), count in guarded.items() if one == kind)
    return f"{number} {'object' if number == 1 else 'objects'}"


def _unserved(facts: Facts, guarded: Counter[tuple[KindInfo, str | None]]) -> Iterator[Finding]:
    if isinstance(facts.served, Missing):
        yield Finding("coverage", "unknown", f"which kinds are served: {facts.served.why}", facts.served.fix)
        return
    for kind in sorted({kind for kind, _ in guarded}, key=lambda kind: (kind.name, kind.version)):
        if not facts.served.serves(kind):
            what = f"{_count(guarded, kind)} of {kind.name} ({kind.version}): the cluster does not serve that kind"
            down = any(group.partition("/")[0] == kind.group for group in facts.served.down)
            fix = "its API service is down: repair it" if down else "install its definition, or take it out of Git"
            yield Finding("coverage", "warning", what, fix)


def _is_asked(facts: Facts, kind: KindInfo, place: str | None) -> bool:
    ours = entries(facts)
    names = {name for name, below in Registered(entries=tuple(ours)).asked_about(kind) if not below}
    return any(_selects(entry, place) for entry in ours if entry["name"] in names)


def _selects(entry: Mapping[str, Any], place: str | None) -> bool:
    """Whether its namespaceSelector lets a namespace in; None is none at all, which a selector does not concern."""
    for one in (entry.get("namespaceSelector") or {}).get("matchExpressions") or () if place else ():
        inside = place in (one.get("values") or ())
        if one.get("key") != _NAMESPACE or inside != (one.get("operator") == "In"):
            return False
    return True


def short(entry: str) -> str:
    """The name of an entry of ours as people need it."""
    return str(entry).removesuffix(ENTRY_SUFFIX)
