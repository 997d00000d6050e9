"""Owns watching one object or one collection: a beat whenever it may have changed. Must not know any kind.

A beat carries nothing: whoever hears it reads what is there. So a watch that broke, was too old (410) or missed events
costs a beat and never a change.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

from reconciler.cluster.api import ApiClient
from reconciler.errors import ClusterError, place
from reconciler.limits import WATCH_RETRY_SECONDS, WATCH_RETRY_SECONDS_MOST, WATCH_SECONDS


def beats(
    client: ApiClient,
    collection: str,
    name: str,
    say: Callable[[str], None],
    pause: Callable[[float], object] = time.sleep,
    label: str = "",
) -> Iterator[None]:
    """A beat at first, at each change of what is watched, and after each gap in the watch. Never raises.

    `collection` is the path of a kind (cluster-wide, or in a namespace), `name` of one object there, "" for all
    (those that carry `label`, if it is given).
    `say` is told once why it cannot be watched, until it can be again. It ends when `pause` returns True, as waiting
    for an event does that is set; else never.
    """
    wait, told = WATCH_RETRY_SECONDS, ""
    while True:
        try:
            for line in _watched(client, collection, name, label):
                yield
                if line and _kind(line) == "ERROR":
                    break
                if line:
                    wait, told = WATCH_RETRY_SECONDS, ""
            else:
                wait, told = WATCH_RETRY_SECONDS, ""
        except Exception as error:  # noqa: BLE001 - credentials that cannot be read now must not end the watch
            key, why = (error.message, str(error)) if isinstance(error, ClusterError) else (place(error), place(error))
            if key != told:
                say(f"cannot be watched, so it is looked at now and then: {why}")
                told = key
        if pause(wait) is True:
            return
        wait = min(2 * wait, WATCH_RETRY_SECONDS_MOST)


def _watched(client: ApiClient, collection: str, name: str, label: str) -> Iterator[bytes]:
    """An empty line once the collection was listed, and then the events of one watch."""
    selected: dict[str, str | int | bool] = {"fieldSelector": f"metadata.name={name}"} if name else {}
    selected |= {"labelSelector": label} if label else {}
    found = client.request("GET", collection, None, selected if name else {**selected, "limit": 1})
    metadata = found.get("metadata") or {}
    yield b""
    version = str(metadata.get("resourceVersion") or "")
    watch: dict[str, str | int | bool] = {"watch": True, "resourceVersion": version, "timeoutSeconds": WATCH_SECONDS}
    yield from client.lines(collection, {**selected, **watch})


def _kind(line: bytes) -> str:
    """The type of an event; what cannot be read is an error."""
    try:
        return str(json.loads(line)["type"])
    except (ValueError, RecursionError, KeyError, TypeError):
        return "ERROR"
