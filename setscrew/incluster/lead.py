"""Owns what the leader of an installation in a cluster is made of, wired but not started. Must not decide who leads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.pod import IssuedToken, PodIdentity
from reconciler.errors import SetscrewError, UnreachableError
from reconciler.limits import API_CONNECTIONS
from reconciler.loop.serve import Clockwork
from reconciler.model.own import DRY_RUNNERS, HEALER_ACCOUNT, NAMESPACE
from reconciler.published.mailbox import Answering
from reconciler.published.publisher import Publisher
from reconciler.published.records import Taking
from reconciler.published.restorer import Restorer
from reconciler.snapshot.model import MemorySnapshot
from setscrew.certificates import DIRECTORY, Sharing
from setscrew.incluster import service
from setscrew.incluster.configured import Configured
from setscrew.incluster.election import Election
from setscrew.incluster.keys import Keys
from setscrew.incluster.newest import Newest
from setscrew.incluster.publishing import Publishing
from setscrew.incluster.shared_tls import SharedTls
from setscrew.incluster.shared_trust import SharedTrust
from setscrew.incluster.steps import Steps
from setscrew.options import Options, Pod
from setscrew.reconcile import make
from setscrew.registrar import Service
from setscrew.site import Site
from setscrew.statedir import secret_key
from webhook.tls.signing import PrivateKey

_CANONICALIZER, _CANARY = DRY_RUNNERS
SNAPSHOTS: Final = "snapshots"
Say = Callable[[str], None]
Companion = Callable[[threading.Event], None]


def led(options: Options, pod: Pod, identity: PodIdentity, election: Election, say: Say) -> Clockwork:
    """The clockwork of the replica that has just come to lead: it goes on from what the last leader has published.

    Whatever it writes is refused once it does not lead any more. Raises SetscrewError where it cannot begin.
    """

    def reader(connections: int) -> ApiClient:
        return identity.client(connections=connections, writing=election.writing)

    client = reader(API_CONNECTIONS)
    private = Keys(client, options.state_dir).led()
    certificates, keeping = _certificates(client, options, pod, say)
    _restore(client, private, options, say)
    site = Site(
        reader=reader,
        # Dry-runs change nothing, so they need no lead.
        canonicalizer=identity.client(_token(identity, _CANONICALIZER)),
        canary=identity.client(_token(identity, _CANARY)),
        healer=identity.client(_token(identity, HEALER_ACCOUNT), writing=election.writing),
        url=options.webhook_url,
        service=Service(service.CLIENT, partial(service.probed, client)) if options.webhook_url else None,
        configured=Configured(client, options.config_dir, say),
        shared=certificates,
    )
    clockwork = make(replace(options, kubeconfig=""), site)
    _publish(clockwork, client, private, say)
    # Who wrote what is known by the replica that was asked: the report is to name them whoever that was.
    taking = Taking(client, secret_key(options.state_dir), clockwork.recorded, say)
    clockwork.companions += [taking.run, *keeping]
    return clockwork


def _certificates(client: ApiClient, options: Options, pod: Pod, say: Say) -> tuple[Sharing, list[Companion]]:
    """How replicas know of each other's, with what the last leader has shared; and what runs for that."""
    directory = options.state_dir / DIRECTORY
    if options.given is None:
        tls = SharedTls(client, directory)
        tls.adopt()
        return tls, []
    trust = SharedTrust(client, pod.name, directory, Steps(client, say))
    trust.look()
    return trust, [trust.lead]


def _restore(client: ApiClient, private: PrivateKey, options: Options, say: Say) -> None:
    """What was published last is in force until Git could be read: this replica may have none, or an older one."""
    values = secret_key(options.state_dir)
    try:
        newest = Newest(client).number
        Restorer(client, private.public_key(), options.state_dir / SNAPSHOTS, values, newest).restore()
    except UnreachableError:
        raise
    except SetscrewError as error:
        say(f"what was published last cannot be used, so all is read anew: {error}")


def _publish(clockwork: Clockwork, client: ApiClient, private: PrivateKey, say: Say) -> None:
    """Have the other replicas hear of each snapshot, and ask for a look at Git."""
    newest = Newest(client)
    publishing = Publishing(Publisher(client, private, say, newest.number(), newest.note), say)
    told = clockwork.reconciler.published

    def published(snapshot: MemorySnapshot) -> None:
        publishing.want(snapshot)
        told(snapshot)

    clockwork.reconciler.published = published
    if clockwork.reconciler.current is not None:
        # Whatever was published may be of another key, or damaged; the same content is not written twice.
        publishing.want(clockwork.reconciler.current)
    answering = Answering(client, partial(publishing.refresh, clockwork.refresh), say)
    clockwork.companions += [publishing.run, answering.run]


def _token(identity: PodIdentity, account: str) -> IssuedToken:
    return IssuedToken(identity.client(), NAMESPACE, account)
