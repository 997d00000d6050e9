"""The judgement of one delivery: proof, then shape, then what it says. Pure; must not look at the store or at Git.

A push is only a hint: it chooses sources to look at, never what is enforced. The provider stands in the receiver's
configuration and is never guessed from headers: those of several providers come with many a delivery.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from webhook.api.providers import azure, bitbucket, generic, gitea, github, gitlab, harbor
from webhook.api.providers.delivery import Delivery
from webhook.api.providers.proof import Proof
from webhook.api.providers.verdict import Verdict, malformed, unproven


@dataclass(frozen=True, slots=True)
class Provider:
    """One form of delivery: `proven`, by the header that `by` names.

    `read` says what a proven one is; it may raise what `judge` turns into a reject. `artifacts`: it tells of a
    registry's artifacts, which no Git source follows.
    """

    by: str
    proven: Proof
    read: Callable[[Delivery], Verdict]
    artifacts: bool = False


PROVIDERS: Final[Mapping[str, Provider]] = {
    "github": Provider("X-Hub-Signature-256", github.proven, github.read),
    "gitlab": Provider(gitlab.BY, gitlab.proven, gitlab.read),
    **{name: Provider(gitea.header(name), gitea.proof_of(name), gitea.reader_of(name)) for name in gitea.FAMILIES},
    "bitbucket-cloud": Provider("X-Hub-Signature", bitbucket.cloud_proven, bitbucket.read_cloud),
    "bitbucket-server": Provider(bitbucket.BY, bitbucket.server_proven, bitbucket.read_server),
    "azure-devops": Provider("Authorization", azure.proven, azure.read),
    "generic-hmac": Provider("X-Signature", generic.proven, generic.read),
    "harbor": Provider("Authorization", harbor.proven, harbor.read, artifacts=True),
}


def judge(provider: str, secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: float) -> Verdict:
    """Judge one delivery at `now`, in Unix seconds. `headers` in any case; never raises, whatever they hold.

    `provider` is one of PROVIDERS; else KeyError.
    """
    chosen = PROVIDERS[provider]
    delivery = Delivery.of(headers, body)
    if not chosen.proven(secrets, delivery, now):
        return unproven(chosen.by)
    try:
        return chosen.read(delivery)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        # Our own words are told; those of Python may quote the payload.
        return malformed(str(error) if type(error) is ValueError else "the payload is not that of the event")
