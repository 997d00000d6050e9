"""Owns what differs by where an installation runs: its identities, the way to its admission server, its configuration.

Must not wire anything together: `setscrew.reconcile` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.cluster.api import ApiClient
from reconciler.limits import API_CONNECTIONS
from setscrew.certificates import Alone, Certificates, Sharing
from setscrew.incluster.configured import Configured
from setscrew.options import Options
from setscrew.registrar import Service


@dataclass(frozen=True, slots=True)
class Site:
    """`reader` gives a client of the reconciler's own identity that keeps so many connections; None: no cluster.

    The other identities are None where there are none. Of `service` None the options' URL is registered; of
    `configured` None the options' directory holds all configuration. `shared` is how replicas know of each other's
    certificates.
    """

    reader: Callable[[int], ApiClient] | None = None
    canonicalizer: ApiClient | None = None
    canary: ApiClient | None = None
    healer: ApiClient | None = None
    url: str = ""
    service: Service | None = None
    configured: Configured | None = None
    shared: Sharing = field(default_factory=Alone)

    @classmethod
    def of(cls, options: Options) -> Site:
        """One machine: identities by their kubeconfigs. Raises ClusterError for one that cannot be used."""

        def loaded(kubeconfig: str) -> ApiClient | None:
            return ApiClient.load(kubeconfig) if kubeconfig else None

        def reader(connections: int) -> ApiClient:
            return ApiClient.load(options.kubeconfig, connections=connections)

        return cls(
            reader=reader if options.kubeconfig else None,
            canonicalizer=loaded(options.canonicalizer_kubeconfig),
            canary=loaded(options.canary_kubeconfig),
            healer=loaded(options.healer_kubeconfig),
            url=options.webhook_url,
        )

    def client(self) -> ApiClient | None:
        """The reconciler's own, for all that needs few connections."""
        return self.reader(API_CONNECTIONS) if self.reader is not None else None

    def certificates(self, options: Options, say: Callable[[str], None]) -> Certificates:
        """The certificates of this installation."""
        return Certificates(options.state_dir, self.url, say, options.given, shared=self.shared)
