"""Owns one dry-run of one object: POST, PUT, or POST of a copy under a scratch name. Must not decide what to keep.

The ways, first to last: an absent object is POSTed under its real name; a live one is PUT with its resourceVersion, and
where PUT is refused (an immutable field) or would carry live values over (allocations), a copy is POSTed instead.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, TypeVar

from reconciler.cluster.api import ApiClient, Response
from reconciler.cluster.live import get_live
from reconciler.cluster.pace import Pace
from reconciler.cluster.paths import collection_path, object_path
from reconciler.cluster.refusal import BUSY
from reconciler.cluster.scratch import (
    NAME_BOUND,
    carries_over,
    named,
    renamed,
    replaceable,
    scratch_name,
    with_pins,
    without_pins,
)
from reconciler.errors import ApiError, UnreachableError
from reconciler.limits import DRY_RUN_FIRST_WAIT_SECONDS, DRY_RUN_LONGEST_WAIT_SECONDS, DRY_RUN_TRIES
from reconciler.model.ref import KindInfo
from reconciler.model.tree import Tree

T = TypeVar("T")
Via = Literal["post", "put", "scratch", ""]
FIELD_MANAGER: Final = "setscrew-canon"
_QUERY: Final = {"dryRun": "All", "fieldValidation": "Warn", "fieldManager": FIELD_MANAGER}
# Statuses of a PUT after which a copy may still do: refused by admission, no such verb, changing too fast, immutable.
_COPY_AFTER: Final = frozenset({403, 405, 409, 422})


@dataclass(frozen=True, slots=True)
class Answer:
    """The object as the server would store it, and how it was asked."""

    tree: dict[str, Any]
    warnings: tuple[str, ...]
    via: Via


class CopyRefusedError(ApiError):
    """The copy under a scratch name was refused, which may say something about the name only.

    The message names the object itself: the scratch name is another one at each try.
    """

    def __init__(self, error: ApiError, scratch: str, name: str) -> None:
        message = error.message.replace(scratch, name)
        super().__init__(message, status=error.status, reason=error.reason, causes=error.causes)


@dataclass(frozen=True, slots=True)
class DryRunner:
    """Sends dry-runs for one client at one pace; safe to share between threads.

    `reader` reads (None: the client itself): the identity that dry-runs need not be one that may read.
    `run` raises `ApiError` (`CopyRefusedError` for the copy) and `UnreachableError`, both after its retries.
    """

    client: ApiClient
    pace: Pace
    token: Callable[[], str] = lambda: "s" + secrets.token_hex(3)[:5]
    reader: ApiClient | None = None

    def live(self, kind: KindInfo, namespace: str, name: str) -> Tree | None:
        """The live object, or None where it is absent."""
        return self._patiently(partial(get_live, self.reader or self.client, kind, namespace, name))

    def run(self, kind: KindInfo, body: Mapping[str, Any], live: Tree | None) -> Answer:
        """The server's form of `body`; `live` is the object that the cluster holds now, None where it has none."""
        if live is None:
            return self._made_meanwhile_or_absent(kind, body)
        if (kind.group, kind.kind) in NAME_BOUND:
            return self._put(kind, body, live)
        if carries_over(kind, body) or "deletionTimestamp" in live["metadata"]:
            return self._copy(kind, body)
        try:
            return self._put(kind, body, live)
        except ApiError as error:
            if error.status not in _COPY_AFTER:
                raise
            return self._copy_instead(kind, body, error)

    def _made_meanwhile_or_absent(self, kind: KindInfo, body: Mapping[str, Any]) -> Answer:
        try:
            return self._absent(kind, body)
        except ApiError as error:
            if error.status != 409:
                raise
            namespace, name = str(body["metadata"].get("namespace") or ""), str(body["metadata"]["name"])
            live = self.live(kind, namespace, name)
            if live is None:
                raise
        return self.run(kind, body, live)

    def _absent(self, kind: KindInfo, body: Mapping[str, Any]) -> Answer:
        try:
            answer = self._post(kind, body)
        except ApiError as error:
            bare = without_pins(kind, body)
            if error.status not in {409, 422} or bare == body:
                raise
            # Another Service holds a pinned address or port: known by now, and no reason to do without a form.
            answer = self._post(kind, bare)
        return Answer(with_pins(kind, body, answer.body), answer.warnings, "post")

    def _copy_instead(self, kind: KindInfo, body: Mapping[str, Any], refused: ApiError) -> Answer:
        try:
            return self._copy(kind, body)
        except CopyRefusedError as error:
            # A rule on the name says nothing of the object: then the refused PUT is the better reason.
            rule_on_name = any(field == "metadata.name" for field, _, _ in error.causes)
            raise refused if rule_on_name else error from None

    def _copy(self, kind: KindInfo, body: Mapping[str, Any]) -> Answer:
        name = str(body["metadata"]["name"])
        scratch = scratch_name(name, self.token())
        try:
            answer = self._post(kind, named(without_pins(kind, body), scratch))
        except ApiError as error:
            raise CopyRefusedError(error, scratch, name) from None
        tree = with_pins(kind, body, renamed(answer.body, scratch, name))
        return Answer(tree, tuple(warning.replace(scratch, name) for warning in answer.warnings), "scratch")

    def _post(self, kind: KindInfo, body: Mapping[str, Any]) -> Response:
        path = collection_path(kind, str(body["metadata"].get("namespace") or ""))
        return self._patiently(partial(self._send, "POST", path, body))

    def _put(self, kind: KindInfo, body: Mapping[str, Any], live: Tree) -> Answer:
        namespace, name = str(body["metadata"].get("namespace") or ""), str(body["metadata"]["name"])
        path = object_path(kind, namespace, name)
        for left in (2, 1, 0):
            metadata = {**body["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}
            full = {**replaceable(kind, body), "metadata": metadata}
            try:
                answer = self._patiently(partial(self._send, "PUT", path, full))
            except ApiError as error:
                fresh = self.live(kind, namespace, name) if error.status == 409 and left else None
                if fresh is None:
                    raise
                live = fresh
            else:
                return Answer(answer.body, answer.warnings, "put")
        raise AssertionError("the last round returns or raises")

    def _send(self, method: str, path: str, body: Mapping[str, Any]) -> Response:
        self.pace.wait()
        return self.client.send(method, path, body, _QUERY)

    def _patiently(self, ask: Callable[[], T]) -> T:
        wait = DRY_RUN_FIRST_WAIT_SECONDS
        for left in reversed(range(DRY_RUN_TRIES)):
            try:
                return ask()
            except UnreachableError:
                if not left:
                    raise
            except ApiError as error:
                # A webhook that fails has used up its time-out; asking again would cost it for every object.
                if not left or error.status not in BUSY or "webhook" in error.message:
                    raise
                if error.status == 429:
                    self.pace.hold(max(error.retry_after, wait))
            self.pace.rest(wait)
            wait = min(2 * wait, DRY_RUN_LONGEST_WAIT_SECONDS)
        raise AssertionError("the last round returns or raises")
