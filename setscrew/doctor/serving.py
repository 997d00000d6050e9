"""Owns the checks of the way from the API server to the admission server: answer, certificates, calls. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from reconciler.cluster.canary import Proof
from setscrew.doctor.facts import Facts, Try
from setscrew.doctor.finding import Finding, Missing, State, need
from setscrew.doctor.registered import entries, off, short
from webhook.tls.checks import covers
from webhook.tls.lifetime import Validity, left

_SOON: Final = timedelta(days=7)
_BLIND: Final[tuple[Proof, ...]] = ("blind", "silent")
_RENEW: Final = (
    "who gives the files renews them; the reconciler renews its own: does it run, has the disk room? "
    "(docs/how-to/certificates.md)"
)
_EMERGENCY: Final = "docs/operations/emergency.md says what to do meanwhile"


def server(facts: Facts) -> Iterator[Finding]:
    """The admission server answers where it is called, and is ready to judge."""
    found = need(facts.server)
    if found.error:
        fix = f"start `setscrew run`, or look why it ended: its log says so; {_EMERGENCY}"
        yield Finding("server", "problem", f"{found.url} does not answer: {found.error}", fix)
    elif found.status != 200:
        fix = "it has no snapshot yet, sheds load or is ending: its log and /metrics say which"
        yield Finding("server", "problem", f"{found.url} is not ready (HTTP {found.status})", fix)
    else:
        yield Finding("server", "ok", f"{found.url} is ready, asked from this machine")


def calls(facts: Facts) -> Iterator[Finding]:
    """The API server reaches the admission server: proved by a dry-run, else as far as its metrics tell."""
    if off(facts):
        yield Finding("calls", "unknown", "nothing is registered, so nobody is called", "see the check registration")
    elif isinstance(facts.tries, Missing):
        yield from _counted(facts, facts.tries)
    else:
        yield from _proved(facts.tries)


def _proved(tries: tuple[Try, ...]) -> Iterator[Finding]:
    for one in (one for one in tries if one.proof in _BLIND):
        words = "refuses nothing" if one.proof == "blind" else "gets no answer, so writes are refused"
        what = f"{short(one.entry)} {words}, shown by a dry-run on {one.object}: {one.detail}"
        yield Finding("calls", "problem", what, one.fix)
    for one in (one for one in tries if one.proof == "unsure"):
        yield Finding("calls", "unknown", f"{short(one.entry)} could not be proved: {one.detail}", one.fix)
    if sees := [short(one.entry) for one in tries if one.proof == "sees"]:
        what = f"the API server reaches it: a dry-run that must be refused was, by {', '.join(sees)}"
        yield Finding("calls", "ok", what)
    elif not any(one.proof in (*_BLIND, "unsure") for one in tries):
        what = "no guarded object is in the cluster by which an entry could be proved"
        yield Finding("calls", "unknown", what, "apply what Git declares")


def _counted(facts: Facts, why: Missing) -> Iterator[Finding]:
    """Counters say nothing of this moment: they are second best."""
    found = need(facts.calls)
    since = "since the API server began, by its metrics"
    fix = f"{why.fix}: that proves how it is now"
    if failed := found.refused + found.passed:
        what = f"{failed} of {found.all} calls failed {since}: {found.passed} writes passed unjudged"
        yield Finding("calls", "warning", f"{what}, {found.refused} were refused; it may be long over", fix)
    elif found.all:
        yield Finding("calls", "ok", f"the API server reaches it: none of {found.all} calls failed {since}")
    else:
        yield Finding("calls", "unknown", f"no entry was called yet {since}", fix)


def ca_bundle(facts: Facts) -> Iterator[Finding]:
    """The registration vouches for the certificate that is served."""
    if off(facts) or not entries(facts):
        yield Finding("ca-bundle", "unknown", "nothing is registered, so no bundle is", "see the check registration")
        return
    trust = need(facts.trust)
    fix = "the reconciler writes the right one: is it running? `setscrew register --state STATE` does it by hand"
    bad = False
    for entry in entries(facts):
        if why := trust.get(str(entry["clientConfig"].get("caBundle", "")), "nobody could look"):
            bad = True
            what = f"the bundle of {short(str(entry['name']))} does not vouch for what is served: {why}"
            yield Finding("ca-bundle", "problem", what, fix)
    if not bad:
        yield Finding("ca-bundle", "ok", "the registered bundle vouches for the served certificate")


def certificate(facts: Facts) -> Iterator[Finding]:
    """The certificate that is served now: its time and its names."""
    found = need(facts.server)
    span = need(found.leaf or Missing("no certificate was shown", "see the check server"))
    host, names = urlsplit(found.url).hostname or "", ", ".join(sorted(span.names)) or "none"
    if not covers(span.names, host):
        what = f"what is served is not for {host}: it has the names {names}"
        yield Finding("certificate", "problem", what, "have it issued for the host of the registered URL")
    state, what = _lasts(span, found.url, facts.now)
    yield Finding("certificate", state, what, "" if state == "ok" else _RENEW)


def _lasts(span: Validity, url: str, now: datetime) -> tuple[State, str]:
    until = left(span.not_after, now)
    if now < span.not_before:
        return "problem", f"what is served at {url} is not valid before {span.not_before:%Y-%m-%d %H:%M} UTC"
    if span.not_after <= now:
        return "problem", f"what is served at {url} {until}"
    if span.renew_at <= now and span.not_after - now < _SOON:
        return "warning", f"what is served at {url} {until}, and is not renewed yet"
    return "ok", f"what is served at {url} {until}"


def certificate_files(facts: Facts) -> Iterator[Finding]:
    """The files from which it is served: pair, time, names, authority."""
    found = need(facts.files)
    for one in found:
        yield Finding("certificate-files", "problem", f"{one.file} {one.what}", one.fix)
    if not found:
        yield Finding("certificate-files", "ok", "certificate, key and bundle belong together and are in time")
