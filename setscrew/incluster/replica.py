"""Owns `setscrew reconcile --in-cluster`: one replica, a follower at first, the leader once it holds the Lease.

A replica that must not lead any more executes itself anew, so nothing of the leader outlives its lease.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, NoReturn

from reconciler.cluster.api import ApiClient
from reconciler.cluster.pod import PodIdentity
from reconciler.errors import SetscrewError, UsageError
from reconciler.limits import LEASE_REQUEST_SECONDS
from reconciler.loop.serve import Clockwork
from reconciler.model.own import NAMESPACE
from reconciler.policy.model import GrantRules
from reconciler.render import isolation
from reconciler.store.state import State
from setscrew import configuration, statedir
from setscrew.certificates import DIRECTORY, Certificates
from setscrew.incluster import service
from setscrew.incluster.election import Election
from setscrew.incluster.follow import Follower
from setscrew.incluster.granted import Granted
from setscrew.incluster.keys import Keys
from setscrew.incluster.lead import led
from setscrew.incluster.role import Role
from setscrew.incluster.shared_tls import SharedTls
from setscrew.incluster.shared_trust import SharedTrust
from setscrew.incluster.shown import Shown
from setscrew.incluster.steps import Steps
from setscrew.options import Options, Pod
from setscrew.reconcile import say
from setscrew.store import open_store
from webhook.server.feed import Feed

# After a beginning that failed another replica has this long to try it.
_TURN_SECONDS: Final = 5.0


def run(options: Options, pod: Pod) -> None:
    """Follow and, when it is its turn, lead, until SIGTERM or SIGINT. Raises SetscrewError for what cannot work."""
    os.umask(0o077)
    options = replace(options, state_dir=statedir.prepare(options.state_dir))
    identity = PodIdentity.mounted(os.environ, pod.account)
    _check_namespace(pod.account)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if reason := isolation.missing():
        say(f"renderers run without a network namespace of their own ({reason}): keep a network policy")
    client, state = identity.client(), open_store(options.state_dir)
    role = Role(client, pod.name, say)
    follower = _follower(options, pod, client, state)
    election = Election(identity.client(seconds=LEASE_REQUEST_SECONDS), pod.name, say)
    # Whom the API server trusts is known before there is a snapshot to be ready with.
    everywhere = _everywhere(options, pod, client, state)
    follower.start()
    shown = Shown(client, pod.name, options.state_dir, say)
    for work in (role.run, shown.run, *everywhere):
        threading.Thread(target=work, args=(stop,), daemon=True).start()
    if election.campaign(stop):
        say(f"{pod.name} leads")
        election.keep(lambda: _again(f"{pod.name} does not lead any more: it follows"))
        role.become("leader")
        _lead(options, pod, identity, election, follower, stop)
    follower.quiet()
    follower.close()


def _lead(
    options: Options, pod: Pod, identity: PodIdentity, election: Election, follower: Follower, stop: threading.Event
) -> None:
    follower.quiet()
    try:
        clockwork = led(options, pod, identity, election, say)
    except SetscrewError as error:
        say(f"this replica cannot begin to lead: {error}")
        election.resign()
        stop.wait(_TURN_SECONDS)
        if not stop.is_set():
            _again("it follows")
        return
    threading.Thread(target=_end, args=(stop, election, clockwork), daemon=True).start()
    follower.close()
    clockwork.run()
    election.resign()


def _end(stop: threading.Event, election: Election, clockwork: Clockwork) -> None:
    """The lease is given back before anything else ends: another replica leads at once."""
    stop.wait()
    election.resign()
    clockwork.stop()


def _follower(options: Options, pod: Pod, client: ApiClient, state: State) -> Follower:
    tls = SharedTls(client, options.state_dir / DIRECTORY) if options.given is None else None
    return Follower(client, pod.name, options.state_dir, state, Keys(client, options.state_dir), tls, say)


def _everywhere(options: Options, pod: Pod, client: ApiClient, state: State) -> list[Callable[[threading.Event], None]]:
    """What each replica does, whether it leads or not."""
    granted = Granted(client, state, options.state_dir, _rules(options.state_dir), say)
    works: list[Callable[[threading.Event], None]] = [granted.run]
    if options.given is not None:
        trust = SharedTrust(client, pod.name, options.state_dir / DIRECTORY, Steps(client, say))
        certificates = Certificates(options.state_dir, service.url(), say, options.given, shared=trust)
        trust.steps.step("certificate", trust.look)
        certificates.begin()
        works += [trust.follow, lambda stop: certificates.watch(stop, lambda: None)]
    return works


def _rules(state_dir: Path) -> Callable[[], GrantRules]:
    """What a grant may be, by the snapshot in force here; by the shipped policies while there is none."""
    feed, shipped = Feed.of(state_dir), configuration.load_rules(None).grants

    def rules() -> GrantRules:
        feed.poll()
        current = feed.current()
        return shipped if current is None else current.rules.grants

    return rules


def _check_namespace(account: Path) -> None:
    """Names of accounts and policies are those of one namespace: elsewhere nothing would hold what we send."""
    try:
        found = (account / "namespace").read_text("utf-8").strip()
    except OSError:
        return
    if found and found != NAMESPACE:
        hint = f"install it there: its policies and accounts are those of {NAMESPACE}"
        raise UsageError(f"this pod is in the namespace {found}, not in {NAMESPACE}", hint=hint)


def _again(why: str) -> NoReturn:
    """Begin anew as a follower, in the same process id."""
    say(why)
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "setscrew", *sys.argv[1:]])  # noqa: S606
