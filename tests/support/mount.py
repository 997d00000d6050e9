"""Owns a Secret of cert-manager as the kubelet mounts it: files are links through `..data`, swapped in one step."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from webhook.tls.authority import KeyPair, issue
from webhook.tls.given import GivenFiles


@dataclass(slots=True)
class Mount:
    """Make the directory with the first `swap`."""

    directory: Path
    host: str
    count: int = 0

    def swap(self, signer: KeyPair, trusted: KeyPair, now: datetime) -> None:
        """Another certificate, signed by `signer`, beside a bundle of `trusted` alone; `now` is when it appears."""
        self.count += 1
        target = self.directory / f"..{self.count}"
        target.mkdir(parents=True)
        pair = issue(signer, [self.host], now)
        contents = {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem, "ca.crt": trusted.certificate_pem}
        for name, content in contents.items():
            path = target / name
            path.write_bytes(content)
            os.utime(path, (now.timestamp(), now.timestamp()))
            if self.count == 1:
                (self.directory / name).symlink_to(f"..data/{name}")
        link = self.directory / "..data_tmp"
        link.symlink_to(target.name)
        link.replace(self.directory / "..data")

    @property
    def files(self) -> GivenFiles:
        """The three files, by the names that cert-manager gives them."""
        return GivenFiles(*(self.directory / name for name in ("tls.crt", "tls.key", "ca.crt")))
