"""Owns the errors of installing, upgrading and removing. Their codes stand in docs/reference/errors.md."""

from __future__ import annotations

from reconciler.errors import ClusterError, UsageError


class InstallError(ClusterError):
    """An installation that cannot be made, changed or removed as asked."""

    code = "SS4200"


class PreflightError(InstallError):
    """Something stands against it that was found before anything was changed; findings have codes of their own."""

    code = "SS4201"


class SkewError(InstallError):
    """Versions that may not follow each other in one step."""

    code = "SS4202"


class WaitError(InstallError):
    """What was applied or removed is not ready, or not gone, in time."""

    code = "SS4203"


class OwnedError(InstallError):
    """Fields that somebody else has set, which are not taken from them unasked."""

    code = "SS4204"


class LeftError(InstallError):
    """Something is left after removal."""

    code = "SS4205"


class UnconfirmedError(UsageError):
    """Something that deletes, and nobody who says that it is meant."""

    code = "SS1006"
