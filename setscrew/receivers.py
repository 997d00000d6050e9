"""Owns receivers as they stand in files: their documents, and their secrets, read again when a file changes."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.errors import UsageError
from reconciler.limits import PUSH_SECRETS_SECONDS
from setscrew import configuration
from webhook.api.configuration import Receiver, ReceiverSpec, Secret, SecretPlace, checked_secret, parse_receivers
from webhook.api.configuration import where_of as _where

_LOG = logging.getLogger("setscrew.api")


def load_receivers(path: Path | None) -> tuple[ReceiverSpec, ...]:
    """Receivers of a YAML file or all YAML files in a directory; their secrets can be read. Raises UsageError."""
    specs = parse_receivers(documents_in(path))
    for spec in specs:
        with_secrets(spec)
    return specs


def documents_in(path: Path | None) -> Iterator[Any]:
    """The documents of a YAML file or of all in a directory, whatever they are. Raises UsageError."""
    if path is not None:
        for file in configuration.files_of(path):
            yield from configuration.read(file)


def with_secrets(spec: ReceiverSpec) -> Receiver:
    """The receiver with the secrets of this moment. Raises UsageError where one is missing, short or damaged."""
    secrets = tuple(
        Secret(checked_secret(read_place(place, _where(spec.name)), spec.name, spec.provider), place.not_after)
        for place in spec.secrets
    )
    return Receiver(spec.name, spec.provider, spec.sources, secrets, spec.events)


@dataclass(slots=True)
class ReceiverFiles:
    """Receivers by name, with secrets as their files hold them; the last good ones while a file cannot be used.

    Raises UsageError when it is made, never when it is called.
    """

    specs: tuple[ReceiverSpec, ...]
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, Receiver] = field(init=False)
    _seen: dict[str, tuple[object, ...]] = field(init=False)
    _looked: float = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._looked = self.clock()
        self._seen = {spec.name: _stamps(spec) for spec in self.specs}
        self._known = {spec.name: with_secrets(spec) for spec in self.specs}

    def __call__(self) -> Mapping[str, Receiver]:
        """See webhook.api.configuration.Receivers."""
        with self._lock:
            if self.clock() - self._looked >= PUSH_SECRETS_SECONDS:
                self._looked = self.clock()
                for spec in self.specs:
                    self._look(spec)
            return self._known

    def _look(self, spec: ReceiverSpec) -> None:
        stamps = _stamps(spec)
        if stamps == self._seen[spec.name]:
            return
        self._seen[spec.name] = stamps
        try:
            self._known[spec.name] = with_secrets(spec)
        except UsageError as error:
            _LOG.error("%s; the secrets of before stay", error)
        else:
            _LOG.warning("%s: its secrets were read again", _where(spec.name))


def _stamps(spec: ReceiverSpec) -> tuple[object, ...]:
    """What changes when a file of a secret is written or replaced, also through the links of a mounted volume."""
    return tuple(_stamp(Path(place.file)) for place in spec.secrets if place.file)


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)


def read_place(place: SecretPlace, where: str) -> bytes:
    """The secret as it stands there now. Raises UsageError."""
    if place.env:
        secret = os.environb.get(place.env.encode())
        if secret is None:
            raise UsageError(f"the environment has no variable {place.env}", where=where)
        return secret
    try:
        return Path(place.file).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {place.file}: {error.strerror}", where=where) from None
