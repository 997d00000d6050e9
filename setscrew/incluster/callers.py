"""Owns who may read the report by the word of the cluster: TokenReview says who it is, SubjectAccessReview where.

Asked for is the verb on `driftreports` of our group, a resource that exists in RBAC alone. Must not keep a token: what
is remembered for a moment is its digest.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.errors import ClusterError
from reconciler.limits import (
    CALLER_NAMESPACES,
    CALLER_SECONDS,
    CALLER_THREADS,
    CALLER_TOKEN_BYTES,
    CALLER_UNKNOWN_SECONDS,
    CALLERS_AT_ONCE,
    CALLERS_KEPT,
    CALLERS_PER_SECOND,
)
from reconciler.model.own import GROUP
from reconciler.report.printable import one_line
from webhook.api.access import Scope, unknown_token
from webhook.api.bucket import Bucket
from webhook.api.problems import Problem

RESOURCE: Final = "driftreports"
_TOKENS: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
_ACCESS: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_WHO: Final = ("uid", "groups", "extra")
_AGAIN: Final = {"Retry-After": "1"}


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found of one token and verb: where its holder may, or whom it does not let (None: nobody is known)."""

    until: float
    scope: Scope = frozenset()
    user: str | None = None


@dataclass(slots=True)
class Callers:
    """`namespaces` gives those that there are; `clock` counts seconds. Safe to share between threads."""

    client: ApiClient
    namespaces: Callable[[], Collection[str]]
    clock: Callable[[], float]
    _known: OrderedDict[tuple[bytes, str], _Known] = field(default_factory=OrderedDict)
    _bucket: Bucket = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._bucket = Bucket(CALLERS_AT_ONCE, CALLERS_PER_SECOND, self.clock)

    def may(self, token: bytes, verb: str) -> Scope:
        """The namespaces in which the holder may do it, None: all. Raises Problem 401, 403, 429 and 503."""
        if len(token) > CALLER_TOKEN_BYTES or not token.isascii():
            raise unknown_token()
        key, now = (hashlib.sha256(token).digest(), verb), self.clock()
        with self._lock:
            known = self._known.get(key)
        if known is None or known.until <= now:
            known = self._asked(token, verb, now)
            self._remember(key, known)
        if known.user is None:
            raise unknown_token()
        if known.scope is not None and not known.scope:
            who = one_line(known.user)
            raise Problem(403, f"{who} may not {verb} {RESOURCE}.{GROUP} in any namespace: a role has to allow it")
        return known.scope

    def _asked(self, token: bytes, verb: str, now: float) -> _Known:
        if self._bucket.take():
            raise Problem(429, "too many tokens that are not known yet", headers=_AGAIN)
        try:
            status = self._created(_TOKENS, "TokenReview", {"token": token.decode()}).get("status") or {}
            if not status.get("authenticated"):
                return _Known(now + CALLER_UNKNOWN_SECONDS)
            user = status.get("user") or {}
            return _Known(now + CALLER_SECONDS, self._scope(user, verb), str(user.get("username", "")))
        except ClusterError:
            raise Problem(503, "the API server cannot be asked who this is", headers=_AGAIN) from None

    def _scope(self, user: Mapping[str, Any], verb: str) -> Scope:
        if self._allowed(user, verb, ""):
            return None
        names = sorted(self.namespaces())
        if len(names) > CALLER_NAMESPACES:
            raise Problem(
                403, f"of more than {CALLER_NAMESPACES} namespaces nobody is asked: bind the role cluster-wide"
            )
        with ThreadPoolExecutor(CALLER_THREADS) as pool:
            answers = pool.map(partial(self._allowed, user, verb), names)
            return frozenset(name for name, allowed in zip(names, answers, strict=True) if allowed)

    def _allowed(self, user: Mapping[str, Any], verb: str, namespace: str) -> bool:
        wanted = {"group": GROUP, "resource": RESOURCE, "verb": verb} | ({"namespace": namespace} if namespace else {})
        who = {"user": user.get("username", ""), **{name: user[name] for name in _WHO if user.get(name)}}
        answer = self._created(_ACCESS, "SubjectAccessReview", {**who, "resourceAttributes": wanted})
        return bool((answer.get("status") or {}).get("allowed"))

    def _created(self, path: str, kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        version = path.removeprefix("/apis/").rpartition("/")[0]
        return self.client.request("POST", path, {"apiVersion": version, "kind": kind, "spec": dict(spec)})

    def _remember(self, key: tuple[bytes, str], known: _Known) -> None:
        with self._lock:
            self._known[key] = known
            self._known.move_to_end(key)
            while len(self._known) > CALLERS_KEPT:
                self._known.popitem(last=False)
