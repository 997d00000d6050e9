"""Owns the server engine: many objects dry-run at the API server, each ending in a form or in a reason.

Must not compare, mask or store: allocated values stay in the trees, and what differs between two runs is named.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.dryrun import CopyRefusedError, DryRunner, Via
from reconciler.cluster.pace import DEFAULT, Pace, Rate
from reconciler.cluster.refusal import refusal, told
from reconciler.cluster.scratch import body_of
from reconciler.cluster.volatile import differing
from reconciler.errors import ApiError, ClusterError, UnreachableError
from reconciler.model.objects import RenderedObject
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree

Pair = tuple[RenderedObject, KindInfo]
ProgressCallback = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ServerForm:
    """The object as the API server would store it, without status and server-owned metadata; or a reason.

    `volatile`: RFC 6901 pointers of the leaves that differed between two runs. `warnings`: Warning headers, such as
    fields that no schema knows. `retryable_cause`: what must change before a retry makes sense (see `refusal.Refusal`);
    "" with a reason means the object itself in Git.
    """

    tree: Tree | None
    via: Via = ""
    volatile: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reason: str = ""
    retryable_cause: str = ""


def canonical_forms(
    client: ApiClient,
    pairs: Sequence[Pair],
    progress: ProgressCallback | None = None,
    *,
    live: Mapping[ObjectRef, Tree] | None = None,
    twice: bool = True,
    rate: Rate = DEFAULT,
    pace: Pace | None = None,
    reader: ApiClient | None = None,
) -> Iterator[tuple[RenderedObject, ServerForm]]:
    """One form for each pair, in the order in which they are ready; closing the iterator drops what has not begun.

    `live` are objects read before at Git's version (`read_live`): one that is missing there is asked for. `twice` runs
    each dry-run again to find volatile values, as at first sight. `progress(done, total)` is called in this thread.
    `pace` is passed by tests, which have another clock; else it is that of `rate`.
    Whatever the API server answers is a form with a reason; nothing is raised for it.
    """
    engine = Canonicalizer(DryRunner(client, pace or Pace(rate.per_second), reader=reader), live or {}, twice=twice)
    with ThreadPoolExecutor(rate.at_once, "dry-run") as pool:
        waiting: dict[Future[ServerForm], RenderedObject] = {
            pool.submit(engine.form, rendered, kind): rendered for rendered, kind in pairs
        }
        try:
            for done, future in enumerate(as_completed(waiting), 1):
                yield waiting.pop(future), future.result()
                if progress is not None:
                    progress(done, len(pairs))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@dataclass(slots=True)
class Canonicalizer:
    """The engine for one object at a time; safe to share between threads."""

    runner: DryRunner
    known: Mapping[ObjectRef, Tree] = field(default_factory=dict)
    twice: bool = True
    _down: threading.Event = field(default_factory=threading.Event)

    def form(self, rendered: RenderedObject, kind: KindInfo) -> ServerForm:
        """The server's form of one object, or the reason why there is none."""
        namespace = rendered.ref.namespace if kind.namespaced else ""
        if kind.namespaced and not namespace:
            return ServerForm(None, reason="the object names no namespace")
        if self._down.is_set():
            return _UNREACHABLE
        try:
            return self._form(rendered, kind, namespace)
        except ApiError as error:
            copied = isinstance(error, CopyRefusedError)
            said = refusal(error, kind, namespace, copied=copied, tree=rendered.tree)
            return ServerForm(None, reason=said.reason, retryable_cause=said.cause)
        except UnreachableError:
            # Thousands of objects must not each wait for the time-out again.
            self._down.set()
            return _UNREACHABLE
        except ClusterError as error:
            return ServerForm(None, reason=told(error), retryable_cause="server")

    def _form(self, rendered: RenderedObject, kind: KindInfo, namespace: str) -> ServerForm:
        body = body_of(rendered.tree)
        live = self.known.get(rendered.ref)
        if live is None:
            live = self.runner.live(kind, namespace, rendered.ref.name)
        first = self.runner.run(kind, body, live)
        tree = body_of(first.tree)
        if not self.twice:
            return ServerForm(tree, first.via, warnings=first.warnings)
        second = self.runner.run(kind, body, live)
        warnings = tuple(dict.fromkeys(first.warnings + second.warnings))
        return ServerForm(tree, first.via, differing(tree, body_of(second.tree)), warnings)


_UNREACHABLE: Final = ServerForm(None, reason="the API server cannot be reached", retryable_cause="unreachable")
