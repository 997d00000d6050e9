"""Owns serving certificates that others renew: an admin's files, or cert-manager's Secret as the kubelet mounts it.

Must not write them. What this replica was last to be trusted by is remembered in the state directory: an authority that
leaves the bundle is trusted on while the certificate in use may still be of it, and for `CA_OVERLAP_SECONDS` more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from reconciler.errors import UsageError
from reconciler.limits import CA_OVERLAP_SECONDS, RENEWAL_RETRY_SECONDS
from webhook.tls import disk
from webhook.tls.authority import read_bundle, validity, write_bundle
from webhook.tls.checks import Problem, authorities, problems, verifies
from webhook.tls.disk import Content
from webhook.tls.files import ServingFiles
from webhook.tls.lifetime import usable

UNUSABLE: Final = "SS1005"
REMEMBERED: Final = "given-ca.crt"
# In a cluster: what is registered, by the word of the leader. Others write it.
REGISTERED: Final = "registered-ca.crt"
# The kubelet's mark of a projected volume, whose files only the containers of one pod see.
_PROJECTED: Final = "..data"
_OTHERS: Final = 0o007


@dataclass(frozen=True, slots=True)
class GivenFiles:
    """PEM files: the serving certificate (with what is between it and the bundle), its key, and whom clients trust."""

    certificate: Path
    key: Path
    ca_bundle: Path

    def file(self, problem: Problem) -> Path:
        """The file that a problem is about."""
        return {"certificate": self.certificate, "key": self.key, "bundle": self.ca_bundle}[problem.part]


def check(files: GivenFiles, names: Collection[str], now: datetime) -> list[Problem]:
    """All that is wrong with `files`. Raises UsageError for one that cannot be read."""
    found = problems(_read(files.certificate), _read(files.key), _read(files.ca_bundle), names, now)
    mode = files.key.stat().st_mode & 0o777
    if mode & _OTHERS and not (files.key.parent / _PROJECTED).exists():
        found.append(Problem("key", f"is open to every user of the machine (mode {mode:04o})", "chmod 600"))
    return found


def refuse(files: GivenFiles, found: Sequence[Problem]) -> None:
    """Raises UsageError with the first problem, if there is one."""
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        first = found[0]
        raise UsageError(first.what + more, where=str(files.file(first)), hint=first.fix, code=UNUSABLE)


def look(files: GivenFiles, directory: Path, names: Collection[str], now: datetime) -> ServingFiles:
    """What is to be served and trusted now; the bundle is remembered in `directory`, made 0700 if absent.

    Raises UsageError for files that cannot be read or hold nothing of use, with nothing remembered either; what is
    wrong otherwise is told as `trouble`.
    """
    earlier = _authorities(disk.read(directory / REMEMBERED), now)
    found = check(files, names, now)
    chain = read_bundle(_read(files.certificate))
    given = authorities(_read(files.ca_bundle), now)
    settled = _settled(files, directory, chain, given, now)
    trusted = given if settled else [*given, *(one for one in earlier if one not in given)]
    if not chain or not trusted:
        refuse(files, found)
    bundle = write_bundle(trusted)
    trouble = "; ".join(f"{files.file(one)}: {one.what} ({one.fix})" for one in found)
    with disk.alone(directory):
        if disk.read(directory / REMEMBERED) != bundle:
            disk.write({directory / REMEMBERED: Content(bundle)})
    due = now + timedelta(seconds=RENEWAL_RETRY_SECONDS)
    end = chain[0].not_valid_after_utc
    return ServingFiles(files.certificate, files.key, bundle, end, due, (), trouble)


def _settled(
    files: GivenFiles,
    directory: Path,
    chain: Sequence[x509.Certificate],
    given: Sequence[x509.Certificate],
    now: datetime,
) -> bool:
    """Whether nothing of an earlier authority is in use: for a while files and clients have known the `given` ones."""
    told = read_bundle(disk.read(directory / REGISTERED))
    known = [given, told] if told else [given]
    if not chain or not all(roots and verifies(chain, roots, now) for roots in known):
        return False
    changed = [files.certificate, directory / REGISTERED] if told else [files.certificate]
    last = datetime.fromtimestamp(max(path.stat().st_mtime for path in changed), UTC)
    return now - last >= timedelta(seconds=CA_OVERLAP_SECONDS)


def _authorities(bundle: bytes, now: datetime) -> list[x509.Certificate]:
    return [one for one in read_bundle(bundle) if usable(validity(one), now)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise UsageError(what, where=str(path), hint="check the path and its rights", code=UNUSABLE) from None
